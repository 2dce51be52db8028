import itertools

import numpy as np
import pytest

from jaxprivacy import data, errors
from jaxprivacy.studies import seats

CLASSES = 5


@pytest.fixture(scope="module")
def dataset():
    y = (np.arange(400) % CLASSES).astype(np.int32)
    return data.Dataset("images", np.zeros((400, 4, 4, 1), np.float32), y, CLASSES)


@pytest.fixture(scope="module")
def held():
    return np.random.default_rng(1).permutation(400)[:240]


def deal(dataset, held, participants=3, target_class=0, seed=0, **changes):
    return seats.seats(
        dataset,
        held,
        participants=participants,
        target_class=target_class,
        seed=seed,
        **changes,
    )


def classes(dataset, share):
    return set(dataset.y[share].tolist())


# Of each number of participants: the classes of each share, and who is the adversary
# when the last class is attacked.
SHARES = {
    2: ([{0, 1, 2}, {3, 4}], 0),
    3: ([{0, 1}, {2, 3}, {4}], 1),
    5: ([{0}, {1}, {2}, {3}, {4}], 3),
    7: ([{0}, {0}, {1}, {2}, {2}, {3}, {4}], 5),
}


@pytest.mark.parametrize("target", range(CLASSES))
@pytest.mark.parametrize("participants", SHARES)
def test_the_adversary_is_the_last_without_the_target(
    participants, target, dataset, held
):
    who = deal(dataset, held, participants, target)
    shares, of_last_class = SHARES[participants]
    place = of_last_class if target in shares[-1] else participants - 1
    honest = [classes(dataset, share) for share in who.honest]
    assert classes(dataset, who.adversary) == shares[place]
    assert honest == shares[:place] + shares[place + 1 :]
    assert target not in shares[place]
    assert who.target_class == target
    assert classes(dataset, who.private) == {target}
    of_target = held[dataset.y[held] == target]
    np.testing.assert_array_equal(np.sort(who.private), np.sort(of_target))


@pytest.mark.parametrize("participants", [2, 3, 4, 8])
def test_without_data_the_others_share_everything(participants, dataset, held):
    who = deal(dataset, held, participants, 4, adversary_data=False)
    assert len(who.adversary) == 0
    assert len(who.honest) == participants - 1
    np.testing.assert_array_equal(np.sort(np.concatenate(who.honest)), np.sort(held))


@pytest.mark.parametrize("participants", [2, 3, 7])
def test_each_held_record_has_one_holder(participants, dataset, held):
    who = deal(dataset, held, participants)
    dealt = np.concatenate([*who.honest, who.adversary])
    np.testing.assert_array_equal(np.sort(dealt), np.sort(held))
    if participants <= CLASSES:
        found = [classes(dataset, share) for share in (*who.honest, who.adversary)]
        assert all(not a & b for a, b in itertools.combinations(found, 2))


def test_what_judges_was_held_by_nobody(dataset, held):
    who = deal(dataset, held, target_class=1)
    for records in (who.real, who.public, who.judge, who.unheld):
        assert len(records) and not np.isin(records, held).any()
    # The row `real` is of images that the judge has not seen, nor are they compared
    # with themselves; the judge may know the public ones.
    for records in (who.public, who.judge):
        assert not np.isin(who.real, records).any()
    for records in (who.real, who.public):
        assert classes(dataset, records) == {1}
    everything = np.concatenate([held, who.judge, who.real])
    np.testing.assert_array_equal(np.sort(everything), np.arange(400))
    np.testing.assert_array_equal(np.sort(np.r_[held, who.unheld]), np.arange(400))
    of_class = np.r_[who.private, who.real, who.public]
    np.testing.assert_array_equal(np.sort(of_class), np.flatnonzero(dataset.y == 1))


def test_the_seed_decides_which_records_of_a_shared_class_one_gets(dataset, held):
    first, again, other = (deal(dataset, held, 7, seed=seed) for seed in (0, 0, 1))
    for a, b in zip(first.honest, again.honest, strict=True):
        np.testing.assert_array_equal(a, b)
    assert set(first.honest[0]) != set(other.honest[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target_class": 5}, "target_class=5: accepted are 0 to 4"),
        ({"participants": 1}, "participants=1: accepted is at least 2"),
        (
            {"participants": 1, "adversary_data": False},
            "participants=1: accepted is at least 2",
        ),
        (
            {"participants": 300},
            "participants=300: one of them would hold no record when 240 records are "
            "dealt by class; accepted are fewer",
        ),
    ],
)
def test_refused(changes, said, dataset, held):
    with pytest.raises(errors.InputError) as error:
        deal(dataset, held, **changes)
    assert str(error.value).startswith(said)


def few(held_of_class_0, count=3):
    """Records of which `count` are of class 0, so many of them held."""
    y = np.r_[np.zeros(count), 1 + np.arange(97) % 4].astype(np.int32)
    dataset = data.Dataset("images", np.zeros((100, 4, 4, 1), np.float32), y, CLASSES)
    held = np.r_[np.arange(held_of_class_0), np.arange(count, 60)]
    return dataset, held


def test_a_target_of_few_records():
    who = deal(*few(held_of_class_0=1))
    assert [len(a) for a in (who.private, who.real, who.public)] == [1, 1, 1]
    for held, left in ((0, 3), (2, 1), (3, 0)):
        with pytest.raises(errors.InputError) as error:
            deal(*few(held), participants=2)
        line = str(error.value)
        assert f"participants hold {held} of its records and {left} are left" in line
        assert line.startswith("target_class=0: ") and "at least 1 and 2" in line


def test_measured_on_some_of_what_is_held_and_of_what_is_not(dataset, held):
    who = deal(dataset, held)
    train, test = seats.measured(who, 3)
    np.testing.assert_array_equal(np.sort(train), np.sort(held))
    np.testing.assert_array_equal(np.sort(test), np.sort(who.unheld))
    assert [len(a) for a in seats.measured(who, 3)] == [240, 160]
    assert (seats.measured(who, 4)[0] != train).any()


def test_at_most_so_many_are_measured_on():
    y = (np.arange(5000) % CLASSES).astype(np.int32)
    large = data.Dataset("images", np.zeros((5000, 1, 1, 1), np.float32), y, CLASSES)
    who = deal(large, np.arange(2900), participants=5)
    train, test = seats.measured(who, 0)
    assert [len(a) for a in (train, test)] == [2000, 2000]
    assert len(np.unique(train)) == len(np.unique(test)) == 2000
    # Drawn from all: the adversary's too, and every class.
    assert np.isin(train, who.adversary).any() and classes(large, train) == set(
        range(5)
    )
    assert np.isin(test, who.unheld).all() and np.isin(train, np.arange(2900)).all()
