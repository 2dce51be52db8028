import pathlib

import numpy as np
import pytest

from jaxprivacy import data, errors
from jaxprivacy.data import splits

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = ("attack_train", "selection", "evaluation")


def dataset(sizes, seed=0):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    x = np.zeros((len(y), 3), np.float32)
    return data.Dataset("made", x, y.astype(np.int32), len(sizes))


def triples(split):
    return [getattr(split, name) for name in SETS]


def check_split(split, y):
    """Asserts what holds of every split."""
    num_classes = y.max() + 1
    held = np.concatenate(split.participants)
    members = np.concatenate([records.members for records in triples(split)])
    unheld = [split.public]
    for records in triples(split):
        assert len(records.members) >= 5
        unheld += [records.non_members, records.untrained]
        tables = [np.bincount(y[role], minlength=num_classes) for role in records]
        np.testing.assert_array_equal(tables[0], tables[1])
        np.testing.assert_array_equal(tables[0], tables[2])
        np.testing.assert_array_equal(y[records.members], y[records.non_members])
        np.testing.assert_array_equal(y[records.members], y[records.untrained])
    everything = np.sort(np.concatenate([held, *unheld]))
    np.testing.assert_array_equal(everything, np.arange(len(y)))
    assert np.isin(members, split.participants[split.victim]).all()
    assert len(set(members)) == len(members)
    assert len(split.public)


@pytest.mark.parametrize("how", data.PARTITIONS)
@pytest.mark.parametrize("participants, victim", [(1, 0), (2, 1), (5, 3)])
def test_sets_are_disjoint_and_matched(how, participants, victim):
    made = dataset([500, 400, 300, 600, 200])
    split = data.split(
        made,
        participants=participants,
        how=how,
        alpha=2.0,
        victim=victim,
        selection_fraction=0.2,
        seed=0,
    )
    check_split(split, made.y)
    assert split.victim == victim


def test_sets_hold_every_class():
    made = dataset([500, 500, 500])
    split = data.split(made, participants=2, seed=0)
    for records in triples(split):
        assert set(made.y[records.members]) == {0, 1, 2}


def test_sizes_by_hand():
    # 200 records of two classes, 120 and 80; two participants of 40 hold 80 records,
    # 48 and 32, and by class 48 and 32 each. Unheld are 72 and 48.
    split = data.split(
        dataset([120, 80]),
        participants=2,
        members_per_participant=40,
        how="by_class",
        attack_train_fraction=0.5,
        selection_fraction=0.25,
        seed=0,
    )
    assert [len(share) for share in split.participants] == [48, 32]
    # The victim has 48 of class 0, of which 72 // 3 = 24 are attackable.
    assert [len(records.members) for records in triples(split)] == [12, 6, 6]
    assert len(split.public) == 200 - 80 - 2 * 24


def test_sizes_when_the_victim_has_few():
    # One participant of 25 of 100 records: 15 and 10, below 45 // 3 and equal 30 // 3.
    split = data.split(
        dataset([60, 40]),
        participants=1,
        members_per_participant=25,
        selection_fraction=0.2,
        seed=0,
    )
    assert [len(records.members) for records in triples(split)] == [10, 5, 10]
    assert len(split.public) == 100 - 25 - 2 * 25


def test_default_size_leaves_four_shares_unheld():
    split = data.split(dataset([300, 303]), participants=2, seed=0)
    assert [len(share) for share in split.participants] == [100, 100]  # 603 // 6


def test_held_records_keep_the_class_proportions():
    made = dataset([300, 200, 100])
    split = data.split(made, participants=2, members_per_participant=60, seed=0)
    held = np.concatenate(split.participants)
    np.testing.assert_array_equal(np.bincount(made.y[held]), [60, 40, 20])


def test_same_seed_same_split():
    def flat(seed):
        split = data.split(dataset([300, 300]), participants=3, seed=seed)
        roles = [role for records in triples(split) for role in records]
        return np.concatenate([*split.participants, *roles, split.public])

    np.testing.assert_array_equal(flat(0), flat(0))
    assert not np.array_equal(flat(0), flat(1))


def test_members_and_non_members_are_drawn_alike():
    # Records 0 to 599 and 600 to 1199 are alike; a draw that favoured either half for
    # one role would show. Bounds: four standard deviations of as many fair draws.
    made = dataset([600, 600])
    first = dict.fromkeys(splits.MembershipRecords._fields, 0)
    for seed in range(20):
        split = data.split(made, participants=1, seed=seed)
        for role in first:
            first[role] += np.sum(getattr(split.evaluation, role) < 600)
    total = 20 * len(split.evaluation.members)
    for count in first.values():
        assert abs(count - total / 2) < 4 * np.sqrt(total) / 2


ERRORS = {
    "no_participant": ({"participants": 0}, "participants=0: "),
    "too_many": (
        {"participants": 700},
        "participants=700: accepted are at most 596",
    ),
    "victim": ({"victim": 2}, "victim=2: accepted are 0 to 1"),
    "victim_negative": ({"victim": -1}, "victim=-1: accepted are 0 to 1"),
    "members": ({"members_per_participant": 0}, "members_per_participant=0: "),
    "records": (
        {"members_per_participant": 301},
        "participants=2, members_per_participant=301: need 602 records; accepted "
        "are at most 600",
    ),
    "all_held": (
        {"members_per_participant": 300},
        "attack_train_fraction=0.4: 0 of",
    ),
    "train_0": ({"attack_train_fraction": 0.0}, "attack_train_fraction=0.0: "),
    "train_1": ({"attack_train_fraction": 1.0}, "attack_train_fraction=1.0: "),
    "train_nan": (
        {"attack_train_fraction": float("nan")},
        "attack_train_fraction=nan: ",
    ),
    "selection": ({"selection_fraction": -0.1}, "selection_fraction=-0.1: "),
    "sum": (
        {"attack_train_fraction": 0.5, "selection_fraction": 0.5},
        "attack_train_fraction=0.5, selection_fraction=0.5: ",
    ),
    "few_train": (
        {"attack_train_fraction": 0.02},
        "attack_train_fraction=0.02: 2 of 100 attackable members; accepted are at "
        "least 4",
    ),
    "few_selection": (
        {"selection_fraction": 0.03},
        "selection_fraction=0.03: 3 of 100 attackable members; ",
    ),
    "few_evaluation": (
        {"attack_train_fraction": 0.5, "selection_fraction": 0.48},
        "attack_train_fraction=0.5, selection_fraction=0.48: 2 of 100 ",
    ),
    "partition": ({"how": "random"}, "partition=random: "),
    "alpha": ({"how": "dirichlet", "alpha": -1.0}, "dirichlet_alpha=-1.0: "),
    "seed": ({"seed": -1}, "seed=-1: "),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    arguments, named = ERRORS[case]
    with pytest.raises(errors.InputError) as error:
        data.split(dataset([300, 300]), **{"participants": 2, "seed": 0} | arguments)
    assert str(error.value).startswith(named)
    assert "accepted" in str(error.value)
    assert "\n" not in str(error.value)


def test_counts():
    made = dataset([120, 80])
    split = data.split(
        made,
        participants=2,
        members_per_participant=40,
        how="by_class",
        attack_train_fraction=0.5,
        selection_fraction=0.25,
        seed=0,
    )
    rows = data.counts(split, made.y)
    assert [(row.name, row.count) for row in rows] == [
        ("participants", 80),
        ("victim", 48),
        ("attack_train", 36),
        ("selection", 18),
        ("evaluation", 18),
        ("public", 72),
    ]
    assert "participant 0, 1 of 2 classes" in rows[1].explanation
    assert rows[2].explanation.startswith(
        "12 of the victim's, 12 non-members and 12 untrained, 1 of 2 classes"
    )


@pytest.mark.parametrize("name", ["location30.npz", "mnist.npz"])
def test_real_data(name):
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} is absent")
    loaded = data.load(f"npz:{SHARED / name}", records=5000)
    for how in data.PARTITIONS:
        split = data.split(loaded, participants=3, how=how, seed=1)
        check_split(split, loaded.y)
