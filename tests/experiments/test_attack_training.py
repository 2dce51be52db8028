import dataclasses

import jax
import numpy as np
import pytest

from jaxprivacy.experiments import attack_training
from jaxprivacy.experiments.attack_training import Fit, Positions
from jaxprivacy.models import attack_networks

SOME = Positions(np.arange(4), np.arange(2), np.arange(2))


@pytest.mark.parametrize(
    ("epochs", "least_steps", "trained"),
    [(3, 0, 3), (25, 0, 25), (3, 90, 45), (100, 90, 100)],
)
def test_so_many_epochs_are_trained(epochs, least_steps, trained):
    """Two steps an epoch; the loss always falls, so that nothing stops it early."""
    preset = dataclasses.replace(
        attack_networks.TABLE_XIV, batch_size=4, epochs=epochs, least_steps=least_steps
    )
    asked = []

    def step(key, state, features, examples, selection, numbers):
        asked.extend(np.asarray(numbers).tolist())
        return state, {"selection_loss": 1 - np.asarray(numbers) / 1e6}

    class State:
        best_params = None

    fit = Fit(
        init=lambda key, features: State,
        epochs=step,
        score=lambda params, features: np.zeros(8),
        normalise=lambda features, known: features,
        preset=preset,
    )
    shares = []
    attack_training.train_attack(
        fit, jax.random.key(0), None, SOME, SOME, shares.append
    )
    assert asked == list(range(trained))
    assert sum(shares) == pytest.approx(1)
