import numpy as np
import pytest

from jaxprivacy import errors
from jaxprivacy.data import partitions

Y = np.tile(np.arange(6), 40)  # 240 records, 40 of each class.
INDICES = np.arange(0, 240, 2)  # 120 records; even indices, so classes 0, 2 and 4.
ALL = np.arange(240)


def deal(how, participants, indices=ALL, alpha=1.0, seed=0, y=Y):
    rng = np.random.default_rng(seed)
    return partitions.partition(y, indices, participants, how, alpha=alpha, rng=rng)


def classes(shares, y=Y):
    return [sorted(set(y[share])) for share in shares]


@pytest.mark.parametrize("how", partitions.PARTITIONS)
@pytest.mark.parametrize("participants", [1, 3])
@pytest.mark.parametrize("indices", [ALL, INDICES], ids=["all", "some"])
def test_shares_are_disjoint_and_complete(how, participants, indices):
    shares = deal(how, participants, indices, alpha=5.0)
    assert len(shares) == participants
    np.testing.assert_array_equal(np.sort(np.concatenate(shares)), indices)
    again = deal(how, participants, indices, alpha=5.0)
    for share, same in zip(shares, again, strict=True):
        np.testing.assert_array_equal(share, same)
    other = deal(how, participants, indices, alpha=5.0, seed=1)
    assert not all(map(np.array_equal, shares, other))


@pytest.mark.parametrize(
    "participants, sizes", [(4, [60] * 4), (7, [35] * 2 + [34] * 5)]
)
def test_iid_sizes_are_equal(participants, sizes):
    assert [len(share) for share in deal("iid", participants)] == sizes


@pytest.mark.parametrize("how, participants", [("iid", 2), ("by_class", 12)])
def test_shares_are_drawn_at_random(how, participants):
    for share in deal(how, participants):
        assert share.min() < 120 <= share.max()
        assert (np.diff(share) < 0).any()


def test_iid_shares_hold_every_class():
    assert classes(deal("iid", 3)) == [list(range(6))] * 3


@pytest.mark.parametrize(
    "participants, expected",
    [
        (2, [[0, 1, 2], [3, 4, 5]]),
        (3, [[0, 1], [2, 3], [4, 5]]),
        (4, [[0, 1], [2], [3, 4], [5]]),  # Class c to c * 4 // 6: 0, 0, 1, 2, 2, 3.
        (6, [[0], [1], [2], [3], [4], [5]]),
        (8, [[0], [0], [1], [2], [3], [3], [4], [5]]),  # p * 6 // 8.
    ],
)
def test_by_class_owners(participants, expected):
    assert classes(deal("by_class", participants)) == expected


def test_by_class_shares_a_class_evenly():
    y = np.repeat([0, 1], [9, 10])
    shares = deal("by_class", 7, np.arange(19), y=y)
    # Participants 0 to 3 own class 0, of 9 records, and 4 to 6 class 1, of 10.
    assert [len(share) for share in deal("by_class", 12)] == [20] * 12
    assert sorted(len(share) for share in shares[:4]) == [2, 2, 2, 3]
    assert sorted(len(share) for share in shares[4:]) == [3, 3, 4]


def test_dirichlet_goes_from_even_to_one_owner_with_alpha():
    even = deal("dirichlet", 4, alpha=1e300)
    assert [len(share) for share in even] == [60] * 4
    np.testing.assert_array_equal(
        [np.bincount(Y[share], minlength=6) for share in even], np.full((4, 6), 10)
    )
    uneven = deal("dirichlet", 2, alpha=1e-3, seed=3)
    tables = np.array([np.bincount(Y[share], minlength=6) for share in uneven])
    assert tables.max(axis=0).tolist() == [40] * 6


def test_dirichlet_proportions_have_the_variance_of_alpha():
    # One class, two participants: the first one's share is Beta(2, 2), of mean 1/2 and
    # variance 1/20; the bounds are four standard errors of 400 draws.
    y = np.zeros(1000, int)
    shares = [
        len(deal("dirichlet", 2, np.arange(1000), alpha=2.0, seed=seed, y=y)[0]) / 1000
        for seed in range(400)
    ]
    assert abs(np.mean(shares) - 0.5) < 4 * np.sqrt(0.05 / 400)
    assert abs(np.var(shares) - 0.05) < 0.2 * 0.05


@pytest.mark.parametrize(
    "how, participants, alpha, named",
    [
        ("sorted", 2, 1.0, "partition=sorted: accepted are iid, by_class, dirichlet"),
        ("iid", 241, 1.0, "partition=iid: participant 240 of 241"),
        ("by_class", 241, 1.0, "partition=by_class: participant "),
        ("dirichlet", 8, 1e-6, "partition=dirichlet, dirichlet_alpha=1e-06: "),
        ("dirichlet", 2, 0.0, "dirichlet_alpha=0.0: accepted are"),
        ("dirichlet", 2, float("nan"), "dirichlet_alpha=nan: accepted are"),
    ],
)
def test_errors(how, participants, alpha, named):
    with pytest.raises(errors.InputError) as error:
        deal(how, participants, alpha=alpha)
    assert str(error.value).startswith(named)
    assert "\n" not in str(error.value)


def test_by_class_without_the_records_of_a_class():
    with pytest.raises(errors.InputError, match="participant 1 of 6 would hold no"):
        deal("by_class", 6, INDICES)
