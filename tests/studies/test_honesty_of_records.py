"""Who sees which records: attacks, their null checks, shadow models, ascent, keys.

By stubs that write down what they are given; nothing is trained.
"""

import dataclasses
from typing import NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import data
from jaxprivacy.attacks import unsupervised
from jaxprivacy.attacks.features import Features
from jaxprivacy.attacks.statistics import Statistics
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.report.progress import Stages
from jaxprivacy.studies import (
    attack_training,
    membership_records,
    whitebox_attacks,
    whitebox_cases,
    whitebox_shadows,
    whitebox_splits,
    whitebox_study,
    whitebox_targets,
    whitebox_unsupervised,
    whitebox_views as views_lib,
)
from jaxprivacy.studies.attack_training import Positions, Trained
from jaxprivacy.studies.whitebox_settings import Variant, WhiteboxSettings
from jaxprivacy.types import Layer

KEY = jax.random.key(0)
ROW = {"attacker": "global", "mode": "passive"}
LAYERS = (Layer("a", "dense", 2, True), Layer("b", "dense", 2, True))
MEMBERS = Positions(np.arange(8), np.arange(8, 14), np.arange(14, 22))
OTHERS = Positions(np.arange(22, 30), np.arange(30, 36), np.arange(36, 44))
IS_MEMBER = np.arange(44) < 22
SETTINGS = WhiteboxSettings(supervision=())
STAGES = Stages(lambda name, weight: None, lambda share: None)


def features(signal=None):
    """Of 44 records at one snapshot: a number each, twice as large in the gradients."""
    signal = np.arange(44.0) if signal is None else signal
    confidence = jnp.asarray(-signal, jnp.float32)[None, :, None]
    return Features(
        label=jnp.eye(2)[np.arange(44) % 2],
        loss=jnp.asarray(signal, jnp.float32)[None, :, None],
        output=jnp.full((1, 44, 2), 0.5),
        hidden={},
        gradients={},
        norm=jnp.asarray(2 * signal, jnp.float32)[None],
        layer_norms=jnp.asarray(np.stack([signal, signal], -1), jnp.float32)[None],
        statistics=Statistics(**dict.fromkeys(Statistics._fields, confidence)),
    )


class Observed(NamedTuple):
    """A target as a stub of its observer holds it."""

    basic: Features
    y: np.ndarray
    x: np.ndarray | None = None


class Observer(NamedTuple):
    """A stub whose attacks take the features as they are."""

    fit: object = lambda view, streamed=False: "fit"
    inputs: object = lambda observation, view: observation.basic
    observe: object = None


def attacks_of(settings=SETTINGS, gradients=LAYERS[1:]):
    view = views_lib.View(True, True, (), gradients)
    pair = Variant("all", "-1"), view
    return whitebox_attacks.Attacks(settings, Observer(), [pair], LAYERS)


def attack(settings=SETTINGS, signal=None, records=(MEMBERS, OTHERS)):
    seen = Observed(features(signal), np.arange(44) % 2)
    with mock.patch.object(views_lib, "streams", lambda *args: False):
        return whitebox_attacks.attack(
            attacks_of(settings),
            seen,
            membership_records.Records(None, *records),
            KEY,
            ROW,
            lambda share: None,
        )


def test_a_small_loss_and_a_small_gradient_speak_for_a_member():
    found = attack(signal=np.where(IS_MEMBER, 1.0, 2.0) + np.arange(44) / 100)
    assert [s.row["attack"] for s in found] == [
        "loss_threshold",
        "confidence",
        "gradient_norm",
        "gradient_norm",  # of the view's layer
    ]
    rows, _ = membership_rows.rows(found, "standalone")
    assert [row["auc"]["value"] for row in rows] == [1.0] * 4


def test_null_checks_see_no_member_and_records_are_for_one_purpose():
    """Neither the attack on members nor its check mixes what records are for."""
    asked = []

    def score(fit, key, inputs, members, non_members, advance, **options):
        asked.append((members, non_members))
        return Trained(np.arange(44.0), True)

    settings = dataclasses.replace(
        SETTINGS, supervision=("supervised",), black_box=False
    )
    with mock.patch.object(attack_training, "train_attack", score):
        *_, found = attack(settings)
    real, null = asked
    for got, want in zip(real, (MEMBERS, OTHERS), strict=True):
        for part, of_kind in zip(got, want, strict=True):
            np.testing.assert_array_equal(part, of_kind)
    for name in Positions._fields:
        first, second = (getattr(kind, name) for kind in null)
        assert len(first) and not np.isin(first, second).any()
        assert np.isin(np.r_[first, second], getattr(OTHERS, name)).all()
    # A score is a record's place.
    np.testing.assert_array_equal(found.scores.evaluation_members, MEMBERS.evaluation)
    np.testing.assert_array_equal(found.null.evaluation_members, null[0].evaluation)
    np.testing.assert_array_equal(found.null.selection_non_members, null[1].selection)


def test_the_unsupervised_attack_s_threshold_knows_no_membership():
    """Between its two clusters, whichever of the records are members."""

    def scores(observer, observation, view, where, *args, **options):
        return where / 100, where / 1.0  # All of them below the middle.

    settings = dataclasses.replace(SETTINGS, supervision=("unsupervised",))
    with mock.patch.object(whitebox_unsupervised, "scores", scores):
        found = [
            attack(settings, records=records)[-1]
            for records in ((MEMBERS, OTHERS), (OTHERS, MEMBERS))
        ]
    rows, null = membership_rows.rows(found, "standalone")
    assert [row["attack"] for row in rows] == ["unsupervised"] * 2
    assert {row["threshold"] for row in rows + null} == {unsupervised.UNDECIDED}


# Shadow models.

SHADOWED = WhiteboxSettings(
    supervision=("shadow",), shadows=3, members_per_participant=30, model="mlp"
)


@pytest.fixture(scope="module")
def dataset():
    """A record's only number is its place."""
    x = np.arange(160, dtype=np.float32)[:, None]
    return data.Dataset("numbers", x, (np.arange(160) % 2).astype(np.int32), 2)


@pytest.fixture(scope="module")
def split(dataset):
    return whitebox_splits.split(SHADOWED, dataset, 1, seed=0)


@pytest.fixture(scope="module")
def records(dataset, split):
    return whitebox_attacks.gather(
        dataset, split.members["global"], split.non_members["global"]
    )


@pytest.fixture(scope="module")
def shadows(dataset, split, records):
    """The shares that shadows train on, and what is observed of each."""
    shares = []

    def train_all(settings, dataset, given, *rest):
        shares.extend(given)
        return {"number": jnp.arange(len(given))}

    def observe(snapshots, x, y):
        of, seen = int(snapshots["number"][0]), np.asarray(x)[:, 0].astype(int)
        return Observed(None, of, seen)

    with (
        mock.patch.object(whitebox_shadows, "_train_all", train_all),
        mock.patch.object(whitebox_targets, "check_observed"),
    ):
        found = whitebox_shadows.train(
            SHADOWED,
            dataset,
            split,
            records,
            Observer(observe=observe),
            KEY,
            0,
            lambda share: None,
        )
    return shares, found


def test_a_shadow_s_non_members_are_none_that_it_trained_on(shadows, split):
    shares, found = shadows
    assert len(found.observations) == len(shares) == SHADOWED.shadows
    judged = np.concatenate(
        [
            np.concatenate(kind["global"][1:])
            for kind in (split.members, split.non_members)
        ]
    )
    for number, share in enumerate(shares):
        _, of, seen = found.observations[number]
        members, others = np.split(seen, [found.count])
        assert (of, len(members), len(others)) == (number, found.count, found.count)
        assert np.isin(members, share).all()
        assert not np.isin(others, share).any()
        assert len(np.unique(seen)) == 2 * found.count
        assert not np.isin(share, judged).any() and not np.isin(seen, judged).any()


def test_the_last_shadow_selects_and_no_other_does():
    """Nor is it trained on, and nothing is learned from the target's own records."""
    count, target = 4, np.zeros(44)
    parts = [np.full(2 * count, number) for number in (1.0, 2.0, 3.0)]
    is_member = np.concatenate([target, *[np.arange(2 * count) < count] * 3])
    asked = []

    def observed(signal):
        shape = (1, len(signal), 1)
        loss = jnp.asarray(signal, jnp.float32).reshape(shape)
        seen = Features(jnp.zeros((len(signal), 2)), loss, loss, {}, {}, loss[..., 0])
        return Observed(seen, np.zeros(len(signal)))

    def train(fit, key, features, members, non_members, advance, **options):
        asked.append((np.asarray(features.loss)[0, :, 0], members, non_members))
        return Trained(np.arange(len(asked[0][0]), dtype=float), True)

    shadows = whitebox_shadows.Shadows([observed(p) for p in parts], count, False)
    with mock.patch.object(attack_training, "train_attack", train):
        (found,) = whitebox_shadows.attack(
            attacks_of(),
            observed(target),
            shadows,
            membership_records.Records(None, MEMBERS, OTHERS),
            KEY,
            ROW,
            lambda share: None,
        )
    [(whose, *kinds)] = asked
    for kind, membership_ in zip(kinds, (1, 0), strict=True):
        assert set(whose[kind.train]) == {1.0, 2.0}
        assert whose[kind.selection].tolist() == [3.0] * count
        assert len(kind.train) == 2 * count and len(kind.evaluation) == 0
        for part in kind[:2]:
            assert (is_member[part] == membership_).all()
    # The threshold is chosen on the last shadow's records, not on the target's.
    np.testing.assert_array_equal(found.scores.selection_members, kinds[0].selection)
    np.testing.assert_array_equal(found.scores.evaluation_members, MEMBERS.evaluation)
    null = np.r_[found.null.evaluation_members, found.null.evaluation_non_members]
    assert np.isin(null, OTHERS.evaluation).all()


# Gradient ascent, and the keys.


class Asked(Exception):
    """What a stub was given."""


def ask(*args, **options):
    """A stub that ends the run by what it was given."""
    raise Asked(*args)


@pytest.mark.parametrize("place", ["global", "local"])
def test_gradient_ascent_is_on_members_and_non_members_alike(dataset, place):
    """Of every purpose; by the loss that it raises alone none is told apart."""
    settings = WhiteboxSettings(
        setting="federated",
        attacker=(place,),
        mode=("gradient_ascent",),
        participants=(3,),
        members_per_participant=30,
    )
    split = whitebox_splits.split(settings, dataset, 3, seed=0)
    prepared = whitebox_study.Prepared(dataset, {(3, 0): split}, (), [], {})
    study = whitebox_study.Study(settings, prepared, None, STAGES, "", "", {}, {})
    with (
        mock.patch.object(whitebox_targets, "trainer", lambda *args, **options: None),
        mock.patch.object(whitebox_targets, "give", ask),
        pytest.raises(Asked) as asked,
    ):
        whitebox_cases.attacked(study, 0, 3, place, "gradient_ascent")
    _, shares, unheld, targets, rate, *_ = asked.value.args
    want = np.r_[
        np.concatenate(split.members[place]), np.concatenate(split.non_members[place])
    ]
    np.testing.assert_array_equal(np.sort(targets), np.sort(want))
    assert rate == settings.ascent_rate[0]
    assert not np.isin(unheld, np.concatenate(shares)).any()


def test_the_test_accuracy_is_of_records_that_nobody_trained_on(dataset, split):
    given = whitebox_targets.give(
        dataset, split.shares, split.unheld, split.shares[0], 0.0
    )
    train, test = (np.asarray(part.x)[:, 0] for part in (given.train, given.test))
    held = np.concatenate(split.shares)
    assert len(test) and not np.isin(test, held).any()
    assert len(train) and np.isin(train, held).all()


def test_each_purpose_and_each_seed_has_a_key_of_its_own():
    """The attacks' random choices are none of the target's."""
    purposes = "target attacks shadows fine-tuning untrained control".split()
    keys = {
        tuple(jax.random.key_data(whitebox_study.key(SETTINGS, seed, name)).tolist())
        for name in purposes
        for seed in (0, 1)
    }
    assert len(keys) == 12
