import numpy as np
import pytest

from jaxprivacy import data, errors
from jaxprivacy.data import attack_sets


@pytest.fixture(scope="module")
def dataset():
    y = np.repeat(np.arange(4), [40, 60, 80, 20]).astype(np.int32)
    return data.Dataset("made up", np.zeros((200, 1), np.float32), y, 4)


def test_dealt_records_are_disjoint_and_in_proportion(dataset):
    rng = np.random.default_rng(1)
    shares, unheld = attack_sets.deal(dataset, holders=3, each=50, rng=rng)
    everything = np.concatenate([*shares, unheld])
    np.testing.assert_array_equal(np.sort(everything), np.arange(200))
    for share in shares:
        np.testing.assert_array_equal(np.bincount(dataset.y[share]), [10, 15, 20, 5])


@pytest.mark.parametrize(("each", "most"), [(64, 63), (1000, 63)])
def test_too_many_records_are_refused(dataset, each, most):
    with pytest.raises(errors.InputError, match=f"{each}: .* at most {most}$"):
        attack_sets.deal(dataset, holders=3, each=each, rng=np.random.default_rng(0))


def test_most_records_that_can_be_dealt(dataset):
    rng = np.random.default_rng(0)
    _, unheld = attack_sets.deal(dataset, holders=3, each=63, rng=rng)
    assert len(unheld) == 11


@pytest.mark.parametrize(
    ("given", "members", "non_members"),
    [
        ({}, (40, 15, 45), (40, 15, 45)),
        ({"evaluation": 20}, (40, 15, 20), (40, 15, 20)),
        ({"evaluation": 55}, (40, 5, 55), (40, 5, 55)),
        ({"attack_members": 90}, (90, 15, 45), (40, 15, 45)),
        ({"attack_members": 9, "attack_non_members": 8}, (9, 15, 45), (8, 15, 45)),
    ],
)
def test_sizes(given, members, non_members):
    found = attack_sets.sizes(150, 100, **given)
    assert found == (members, non_members)


@pytest.mark.parametrize(
    "given",
    [{"evaluation": 58}, {"attack_members": 103}, {"attack_non_members": 3}],
)
def test_impossible_sizes_are_refused(given):
    with pytest.raises(errors.InputError, match="accepted are at least 4 in each set"):
        attack_sets.sizes(150, 100, **given)


def test_divided_sets_are_disjoint_and_in_proportion(dataset):
    records = np.flatnonzero(np.arange(200) % 2)
    sizes = attack_sets.Sizes(40, 20, 40)
    sets = attack_sets.divide(dataset.y, records, sizes, np.random.default_rng(3))
    together = np.concatenate(sets)
    np.testing.assert_array_equal(np.sort(together), records)
    for part, size in zip(sets, sizes, strict=True):
        wanted = np.array([20, 30, 40, 10]) * size / 100
        np.testing.assert_array_equal(np.bincount(dataset.y[part]), wanted)


def test_a_first_part_of_a_set_is_a_random_sample(dataset):
    sizes = attack_sets.Sizes(100, 20, 40)
    sets = attack_sets.divide(
        dataset.y, np.arange(200), sizes, np.random.default_rng(3)
    )
    assert len(np.unique(dataset.y[sets.attack_train[:25]])) == 4
    assert (np.diff(sets.attack_train) < 0).any()


def test_halves_share_nothing_and_hold_the_same_number():
    sets = attack_sets.Sets(np.arange(9), np.arange(10, 14), np.arange(20, 27))
    first, second = attack_sets.halves(sets)
    assert [len(part) for part in first] == [len(part) for part in second] == [4, 2, 3]
    for whole, *both in zip(sets, first, second, strict=True):
        together = np.concatenate(both)
        assert len(np.unique(together)) == len(together)
        assert np.isin(together, whole).all()
