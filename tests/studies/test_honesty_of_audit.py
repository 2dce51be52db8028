"""Who sees which records in the audit: ascent, measures, null checks and controls.

By stubs that write down what they are given; nothing is trained.
"""

from unittest import mock

import jax
import numpy as np
import pytest

from jaxprivacy import data
from jaxprivacy.attacks.features import Features
from jaxprivacy.studies import federated_run, membership, membership_records
from jaxprivacy.studies.attack_training import Positions, Trained
from jaxprivacy.studies.settings import Settings

KEY = jax.random.key(0)
MEMBERS = Positions(np.arange(8), np.arange(8, 14), np.arange(14, 22))
OTHERS = Positions(*(part + 22 for part in MEMBERS))
NOTHING = Features((), (), (), {}, {}, ())


class Asked(Exception):
    """What a stub was given."""


def ask(*args, **options):
    """A stub that ends the run by what it was given."""
    raise Asked(*args)


@pytest.fixture(scope="module")
def table():
    """A record's only number is its place."""
    x = np.arange(300, dtype=np.float32)[:, None]
    return data.Dataset("numbers", x, (np.arange(300) % 3).astype(np.int32), 3)


@pytest.fixture(scope="module")
def dealt(table):
    return data.split(table, participants=3, members_per_participant=40, seed=2)


def test_gradient_ascent_is_on_all_attacked_records(table, dealt):
    records = membership.attacked_records(table, dealt)
    with (
        mock.patch.object(federated_run.active, "gradient_ascent", ask),
        pytest.raises(Asked) as asked,
    ):
        federated_run.play(Settings(), table, dealt, records, KEY, None, ascent=True)
    targets = np.asarray(asked.value.args[2].x)[:, 0]
    sets = (dealt.attack_train, dealt.selection, dealt.evaluation)
    for part in sets:
        for kind in part:
            assert np.isin(kind, targets).all()


def test_the_audit_measures_on_records_that_nobody_trained_on(table, dealt):
    def simulate(server, groups, *, measure, **options):
        raise Asked(measure(None))

    with (
        mock.patch.object(federated_run.simulate, "simulate", simulate),
        mock.patch.object(
            federated_run.losses, "accuracy", lambda model, params, batch: batch.x
        ),
        pytest.raises(Asked) as asked,
    ):
        records = membership.attacked_records(table, dealt)
        federated_run.play(Settings(), table, dealt, records, KEY, None, ascent=False)
    [measured] = asked.value.args
    held = np.concatenate(dealt.participants)
    assert len(measured["test_accuracy"]) and len(measured["train_accuracy"])
    assert not np.isin(measured["test_accuracy"], held).any()
    assert np.isin(measured["train_accuracy"], held).all()


def test_a_leak_is_planted_among_records_that_nobody_trained_on(table, dealt):
    """The control would find the target's own leak among members."""
    records = membership.attacked_records(table, dealt)
    count = len(records.batch.y)
    with (
        mock.patch.object(membership.planted, "plant", ask),
        mock.patch.object(
            membership.threshold, "loss_threshold", lambda features: np.zeros(count)
        ),
        pytest.raises(Asked) as asked,
    ):
        run = membership.Run(None, {})
        membership.control({}, run, records, 0, KEY, lambda share: None)
    x = np.asarray(records.batch.x)[:, 0]
    held = np.concatenate(dealt.participants)
    for where in asked.value.args[0]:
        assert len(where) and not np.isin(x[where], held).any()


def test_an_attack_and_its_null_check_draw_apart():
    """What is drawn alike would rise and fall together; nor do two attacks share."""
    keys = []

    def train(fit, key, features, members, non_members, advance, **options):
        keys.append(tuple(jax.random.key_data(key).tolist()))
        kinds.append((members, non_members))
        return Trained(np.arange(66.0), True)

    kinds = []
    untrained = Positions(*(part + 22 for part in OTHERS))
    records = membership_records.Records(None, MEMBERS, OTHERS, untrained)
    run = membership.Run(NOTHING, {})
    with mock.patch.object(membership.attack_training, "train_attack", train):
        found = membership.attack_run(
            {"white_box": None, "black_box": None},
            run,
            records,
            "passive",
            KEY,
            lambda share: None,
        )
    assert len(set(keys)) == 4
    assert kinds == [(MEMBERS, OTHERS), (untrained, OTHERS)] * 2
    for scored in found:
        got = scored.null.evaluation_members
        np.testing.assert_array_equal(got, untrained.evaluation)
