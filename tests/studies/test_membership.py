import numpy as np
import pytest

from jaxprivacy import data
from jaxprivacy.studies import attack_training, federated_run, membership
from jaxprivacy.studies.settings import Settings

KINDS = ("members", "non_members", "untrained")
SETS = {"train": "attack_train", "selection": "selection", "evaluation": "evaluation"}


@pytest.fixture(scope="module")
def dataset():
    # The record's number is its value, so that a gathered record tells where it was.
    x = np.arange(300, dtype=np.float32)[:, None]
    return data.Dataset("numbers", x, (np.arange(300) % 3).astype(np.int32), 3)


@pytest.fixture(scope="module")
def split(dataset):
    return data.split(dataset, participants=3, members_per_participant=40, seed=2)


@pytest.mark.parametrize(
    ("rounds", "observed", "found"),
    [
        (40, 5, [7, 15, 23, 31, 39]),
        (5, 5, [0, 1, 2, 3, 4]),
        (10, 1, [9]),
        (10, 4, [1, 4, 7, 9]),
        (1, 1, [0]),
    ],
)
def test_observed_rounds(rounds, observed, found):
    settings = Settings(rounds=rounds, observed_rounds=observed)
    assert federated_run.observed_rounds(settings) == found


def test_observed_rounds_are_distinct_and_end_with_the_last():
    for rounds in range(1, 40):
        for observed in range(1, rounds + 1):
            settings = Settings(rounds=rounds, observed_rounds=observed)
            found = federated_run.observed_rounds(settings)
            assert len(set(found)) == observed
            assert found == sorted(found)
            assert found[0] >= 0 and found[-1] == rounds - 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", SETS)
def test_positions_hold_the_split_s_records(kind, part, dataset, split):
    records = membership.attacked_records(dataset, split)
    where = getattr(getattr(records, kind), part)
    wanted = getattr(getattr(split, SETS[part]), kind)
    assert len(wanted) > 4
    np.testing.assert_array_equal(np.asarray(records.batch.x)[where, 0], wanted)
    np.testing.assert_array_equal(np.asarray(records.batch.y)[where], wanted % 3)


def test_no_record_stands_twice(dataset, split):
    records = membership.attacked_records(dataset, split)
    positions = np.concatenate(
        [np.concatenate(getattr(records, kind)) for kind in KINDS]
    )
    count = len(records.batch.y)
    np.testing.assert_array_equal(np.sort(positions), np.arange(count))
    assert len(np.unique(np.asarray(records.batch.x))) == count


def test_only_members_are_trained_on(dataset, split):
    records = membership.attacked_records(dataset, split)
    held = np.concatenate(split.participants)
    x = np.asarray(records.batch.x)[:, 0]
    members = x[np.concatenate(records.members)]
    others = [np.concatenate(getattr(records, kind)) for kind in KINDS[1:]]
    assert np.isin(members, split.participants[split.victim]).all()
    assert not np.isin(x[np.concatenate(others)], held).any()


def test_scores_are_those_of_the_positions(dataset, split):
    records = membership.attacked_records(dataset, split)
    numbers = np.asarray(records.batch.x)[:, 0]
    found = attack_training.scores(numbers, records.members, records.non_members)
    np.testing.assert_array_equal(found.selection_members, split.selection.members)
    np.testing.assert_array_equal(
        found.selection_non_members, split.selection.non_members
    )
    np.testing.assert_array_equal(found.evaluation_members, split.evaluation.members)
    np.testing.assert_array_equal(
        found.evaluation_non_members, split.evaluation.non_members
    )
