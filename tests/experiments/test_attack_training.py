import dataclasses

import jax
import numpy as np
import pytest

from jaxprivacy.attacks import features
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
        rising = np.asarray(numbers) / 1e6
        return state, {"train_loss": rising, "selection_auc": rising}

    class State:
        best_params, best_auc = None, 0.0

    fit = Fit(
        init=lambda key, features, examples, selection: (State, 1.0),
        epochs=step,
        score=lambda params, features, indices: np.zeros(8),
        normalise=lambda features, known: features,
        preset=preset,
    )
    shares, eight = [], features.Features(np.zeros(8), (), (), {}, {}, ())
    attack_training.train_attack(
        fit, jax.random.key(0), eight, SOME, SOME, shares.append
    )
    assert asked == list(range(trained))
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize(
    ("train_losses", "aucs", "steps", "want"),
    [
        # The best is six epochs of 100 steps old, the training loss has fallen.
        ([0.24] * 7, [0.5, 0.6] + [0.55] * 6, 100, True),
        # The same, but the loss stands where it stood: the network has not moved yet.
        ([0.2499] * 7, [0.5, 0.6] + [0.55] * 6, 100, False),
        # Steps enough, in two epochs.
        ([0.24] * 3, [0.5, 0.6, 0.55, 0.55], 300, False),
        # Epochs enough, of few steps.
        ([0.24] * 7, [0.5, 0.6] + [0.55] * 6, 10, False),
        # It goes on getting better.
        ([0.24] * 7, [0.5 + i / 100 for i in range(8)], 1000, False),
        # Nothing is better than the start, though the training loss falls.
        ([0.2] * 6, [0.5] + [0.45] * 6, 100, True),
    ],
)
def test_it_stops_once_it_has_moved_and_no_longer_improves(
    train_losses, aucs, steps, want
):
    assert attack_training.stops(0.25, train_losses, aucs, steps) == want


def test_what_is_learned_is_told_from_chance():
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=200), rng.normal(size=200)]
    signal = [noise[0] + 1, noise[1]]
    start = [rng.normal(size=200), rng.normal(size=200)]
    assert attack_training.learned(signal, start)
    assert not attack_training.learned(start, signal)
    assert not attack_training.learned(noise, start)
    constant = [np.zeros(200), np.zeros(200)]
    assert not attack_training.learned(constant, start)


def test_an_anchored_attack_that_did_not_learn_keeps_its_start():
    """A network that only got worse on selection records; the paper's keeps its own."""

    class State:
        def __init__(self, params):
            self.best_params, self.best_auc = params, 0.5

    scores = {"start": np.arange(8.0), "trained": -np.arange(8.0)}
    eight = features.Features(np.zeros(8), (), (), {}, {}, ())
    members = Positions(np.array([0]), np.array([4, 6]), np.array([0]))
    others = Positions(np.array([1]), np.array([3, 5]), np.array([1]))
    for preset, kept in (
        (attack_networks.ANCHORED, "start"),
        (attack_networks.TABLE_XIV, "trained"),
    ):
        fit = Fit(
            init=lambda *inputs: (State("start"), 0.25),
            epochs=lambda *inputs: (
                State("trained"),
                {"train_loss": np.zeros(1), "selection_auc": np.zeros(1)},
            ),
            score=lambda params, features, indices: scores[params][indices],
            normalise=lambda features, known: features,
            preset=dataclasses.replace(preset, epochs=1, least_steps=0),
        )
        got = attack_training.train_attack(
            fit, jax.random.key(0), eight, members, others, lambda share: None
        )
        assert got.trained is False
        np.testing.assert_array_equal(got.scores, scores[kept])
