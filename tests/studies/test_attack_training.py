import dataclasses

import jax
import numpy as np
import pytest

from jaxprivacy.attacks import features
from jaxprivacy.models import attack_presets
from jaxprivacy.studies import attack_training
from jaxprivacy.studies.attack_training import Fit, Positions

SOME = Positions(np.arange(4), np.arange(2), np.arange(2))


@pytest.mark.parametrize(
    ("epochs", "least_steps", "trained"),
    [(3, 0, 3), (25, 0, 25), (3, 90, 45), (100, 90, 100)],
)
def test_so_many_epochs_are_trained(epochs, least_steps, trained):
    """Two steps an epoch; the loss always falls, so that nothing stops it early."""
    preset = dataclasses.replace(
        attack_presets.TABLE_XIV, batch_size=4, epochs=epochs, least_steps=least_steps
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
    ("aucs", "steps", "want"),
    [
        # The best is six epochs of 100 steps old.
        ([0.5, 0.6] + [0.55] * 6, 100, True),
        # Steps enough, in two epochs.
        ([0.5, 0.6, 0.55, 0.55], 300, False),
        # Epochs enough, of few steps.
        ([0.5, 0.6] + [0.55] * 6, 10, False),
        # It goes on getting better.
        ([0.5 + i / 100 for i in range(8)], 1000, False),
        # Nothing is better than the start.
        ([0.5] + [0.45] * 6, 100, True),
    ],
)
def test_it_stops_when_the_best_is_old_in_steps_and_in_epochs(aucs, steps, want):
    assert attack_training.stops(aucs, steps) == want


def test_a_network_has_left_its_start_when_its_training_loss_has_fallen():
    assert not attack_training.left_start(0.25, [0.25, 0.2499, 0.26])
    assert attack_training.left_start(0.25, [0.25, 0.24, 0.26])


def scripted(train_loss, preset, scores, **options):
    """A training of so many epochs as it takes, in which only this much happens."""

    class State:
        def __init__(self, params):
            self.best_params, self.best_auc = params, 0.5

    trained = []

    def epochs(key, state, features, examples, selection, numbers):
        trained.extend(np.asarray(numbers).tolist())
        count = len(numbers)
        info = {
            "train_loss": np.full(count, train_loss),
            "selection_auc": np.full(count, 0.5),
        }
        return State("trained"), info

    fit = Fit(
        init=lambda *inputs: (State("start"), 0.25),
        epochs=epochs,
        score=lambda params, features, indices: scores[params][indices],
        normalise=lambda features, known: features,
        preset=dataclasses.replace(preset, epochs=600, least_steps=0),
    )
    eight = features.Features(np.zeros(8), (), (), {}, {}, ())
    members = Positions(np.array([0]), np.array([4, 6]), np.array([0]))
    others = Positions(np.array([1]), np.array([3, 5]), np.array([1]))
    found = attack_training.train_attack(
        fit, jax.random.key(0), eight, members, others, lambda share: None, **options
    )
    return found, len(trained)


VARIED = {"start": np.arange(8.0), "trained": -np.arange(8.0)}


def test_it_does_not_stop_before_it_has_left_its_start():
    _, moving = scripted(0.2, attack_presets.TABLE_XIV, VARIED)
    _, still = scripted(0.25, attack_presets.TABLE_XIV, VARIED)
    assert attack_training.PATIENCE_STEPS <= moving < 600
    assert still == 600


@pytest.mark.parametrize(
    ("train_loss", "scores", "trained"),
    [
        (0.2, VARIED, True),
        (0.25, VARIED, False),
        (0.2, dict.fromkeys(VARIED, np.full(8, 1e-7)), False),
        (0.2, dict.fromkeys(VARIED, np.arange(8) * 1e-7), False),
    ],
)
def test_what_did_not_move_or_hardly_differs_is_not_trained(
    train_loss, scores, trained
):
    found, _ = scripted(train_loss, attack_presets.TABLE_XIV, scores)
    assert found.trained is trained


def test_an_anchored_attack_that_did_not_learn_keeps_its_start():
    """A network that only got worse on selection records; the paper's keeps its own."""
    for preset, kept in (
        (attack_presets.ANCHORED, "start"),
        (attack_presets.TABLE_XIV, "trained"),
    ):
        found, _ = scripted(0.2, preset, VARIED)
        assert found.trained and found.learned is False
        np.testing.assert_array_equal(found.scores, VARIED[kept])


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


def test_a_null_check_keeps_the_network():
    """Or it would be of the rule that an attack without signal falls back on."""
    found, _ = scripted(0.2, attack_presets.ANCHORED, VARIED, keep_network=True)
    np.testing.assert_array_equal(found.scores, VARIED["trained"])


@pytest.mark.parametrize("better", [True, False])
def test_what_is_better_than_its_start_was_trained(monkeypatch, better):
    """However little the loss fell: an AUC of 0.54 lowers it by half a per cent."""
    monkeypatch.setattr(attack_training, "learned", lambda after, before: better)
    found, _ = scripted(0.25, attack_presets.TABLE_XIV, VARIED)
    assert found.trained is better
