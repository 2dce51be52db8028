"""Which records an attack learns from, which choose for it, and when it stops.

The attack itself is a stub, whose course is written down beforehand.
"""

import dataclasses
from typing import NamedTuple
from unittest import mock

import jax
import numpy as np
import pytest

from jaxprivacy.attacks.features import Features
from jaxprivacy.models import attack_presets
from jaxprivacy.studies import attack_training
from jaxprivacy.studies.attack_training import Fit, Positions

MEMBERS = Positions(np.arange(5), np.arange(5, 8), np.arange(8, 12))
OTHERS = Positions(np.arange(12, 16), np.arange(16, 18), np.arange(18, 20))
N = 20
BATCH = 4
KEY = jax.random.key(0)


class State(NamedTuple):
    """A stub's weights: the number of the epoch."""

    params: float
    best_params: float
    best_auc: float = 0.5


def fit_of(aucs, seen, epochs=10_000, best=-1.0):
    """A stub whose AUC on the selection records after each epoch is `aucs(epoch)`.

    Its training loss is below that of the start from the first epoch on.
    """
    preset = dataclasses.replace(
        attack_presets.TABLE_XIV, batch_size=BATCH, epochs=epochs, least_steps=0
    )

    def init(key, features, examples, selection):
        seen["at the start"] = examples, selection
        return State(0.0, 0.0), 1.0

    def train(key, state, features, examples, selection, numbers):
        numbers = np.asarray(numbers)
        seen.setdefault("epochs", []).extend(numbers.tolist())
        seen["in training"] = examples, selection
        info = {
            "selection_auc": np.array([aucs(number) for number in numbers]),
            "train_loss": np.full(len(numbers), 0.1),
        }
        return State(numbers[-1], best), info

    def normalise(features, known):
        seen["known"] = known
        return features

    def score(params, features, indices):
        seen["scored"] = params
        return np.arange(N)[indices]

    return Fit(init, train, score, normalise, preset)


def trained(members=MEMBERS, others=OTHERS, aucs=lambda number: 0.5, **options):
    """What a stub was given until it stopped."""
    seen = {}
    train(fit_of(aucs, seen, **options), members, others)
    return seen


def train(fit, members, others, count=N):
    features = Features(np.zeros(count), (), (), {}, {}, ())
    return attack_training.train_attack(
        fit, KEY, features, members, others, lambda share: None
    )


def test_an_attack_learns_from_its_records_and_is_selected_on_others():
    """Records of the evaluation take part in neither; nor do they set the scales."""
    seen = trained(epochs=2)
    for when in ("at the start", "in training"):
        for got, part in zip(seen[when], ("train", "selection"), strict=True):
            np.testing.assert_array_equal(got.members, getattr(MEMBERS, part))
            np.testing.assert_array_equal(got.non_members, getattr(OTHERS, part))
    np.testing.assert_array_equal(
        np.sort(seen["known"]), np.sort(np.r_[MEMBERS.train, OTHERS.train])
    )


def test_the_weights_of_the_best_epoch_score():
    assert trained(epochs=2, best=7.0)["scored"] == 7.0


@pytest.mark.parametrize("part", Positions._fields)
def test_whether_it_learned_is_asked_of_the_selection_records(part):
    """Scores tell the two kinds apart in one of the three parts alone."""
    members, others = (
        Positions(*np.split(np.arange(start, start + 60), 3)) for start in (0, 60)
    )
    told = np.zeros(120)
    told[getattr(members, part)] = 1.0
    fit = fit_of(lambda number: 0.5, {}, epochs=1)
    fit = fit._replace(
        score=lambda params, features, indices: (
            told[indices] if params else np.zeros(len(indices))
        )
    )
    found = train(fit, members, others, count=120)
    assert found.learned == (part == "selection")


def rising_until(best):
    """An AUC that improves up to an epoch and never again."""
    return lambda number: 0.6 + min(number, best) / 1e6


def waited(steps, best=3):
    """After how many epochs of so many steps without improvement it stops."""
    records = np.arange(steps * BATCH // 2)
    of_kind = Positions(records, np.arange(2), np.arange(2))
    with mock.patch.object(attack_training, "EPOCH_CHUNK", 1):  # Not waited for.
        epochs = trained(of_kind, of_kind, rising_until(best))["epochs"]
    assert epochs == list(range(len(epochs)))
    return len(epochs) - 1 - best


def test_the_stop_waits_for_a_number_of_steps_and_for_a_number_of_epochs():
    """Neither many short epochs nor a few long ones end it alone."""
    steps = waited(1)  # Each epoch is a step: they decide.
    longest = max(100 * steps, 10_000)
    epochs = waited(longest)  # Each is more steps than are waited for.
    assert 2 <= epochs < steps
    for each in (2, 5, 30, steps - 1, 2 * steps, longest // 10):
        found = waited(each)
        assert found >= epochs
        assert found * each >= steps - each


def test_an_improvement_begins_the_wait_anew():
    assert waited(50, best=3) == waited(50, best=25)


@pytest.mark.parametrize("more", ["members", "non_members"])
def test_the_length_of_an_epoch_is_that_of_the_kind_of_which_there_are_more(more):
    """So many steps are trained at least, which are counted in such epochs."""
    seen, many, few = {}, np.arange(40), np.arange(4)
    fit = fit_of(lambda number: 0.5 + number / 1e6, seen, epochs=1)
    fit = fit._replace(preset=dataclasses.replace(fit.preset, least_steps=100))
    members, others = (
        Positions(many if more == kind else few, few, few)
        for kind in ("members", "non_members")
    )
    train(fit, members, others)
    assert len(seen["epochs"]) == 5  # Of 20 steps, two records of each kind at a time.
