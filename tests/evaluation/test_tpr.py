import numpy as np
import pytest
from scipy import stats

from jaxprivacy.evaluation import tpr


def normal(shift, shape, seed):
    return np.random.default_rng(seed).normal(shift, size=shape)


def test_tpr_at_fpr_by_hand():
    non_members = np.arange(10.0)  # 0 to 9.
    members = np.array([8.5, 9.0, 9.5, 10.0])
    rows = tpr.tpr_at_fpr(members, non_members, (0.2, 0.1, 0.05, 1.0))
    assert [row["fpr"] for row in rows] == [0.2, 0.1, 0.05, 1.0]
    # FPR 0.2 admits 9 and 8: the threshold is 7; FPR 0.1 admits 9: it is 8.
    assert [row["value"] for row in rows] == [1.0, 1.0, None, 1.0]
    members = np.array([7.5, 8.0, 8.5, 10.0])
    row = tpr.tpr_at_fpr(members, non_members, (0.1,))[0]
    assert row["value"] == 0.5
    assert row["low"] == 0.0  # Ten non-members give the threshold no upper bound.


def test_interval_by_hand():
    """Tails of 2.5 %, two thirds of each, 1.67 %, for the threshold.

    Of 100 non-members 10 % are on average above it. 3 or fewer are with a probability
    of 0.78 %, 4 or fewer with 2.37 %: the 4th largest bounds it from above. 18 or more
    are with 1.00 %, 17 or more with 2.06 %: the 18th bounds it from below.
    """
    non_members = np.arange(100.0)  # The 4th largest is 96, the 18th 82.
    members = np.array(
        [90.0] * 20 + [96.0] * 10 + [97.0] * 30 + [82.0] * 5 + [0.0] * 15
    )
    (row,) = tpr.tpr_at_fpr(members, non_members, (0.1,))
    above, below = (stats.binom(100, 0.1).cdf(3), stats.binom(100, 0.1).sf(17))
    assert (round(above, 4), round(below, 4)) == (0.0078, 0.0100)
    # Ties count against both ends: 30 of 80 are above 96, and 65 are 82 or more.
    low = stats.binomtest(30, 80, alternative="greater")
    high = stats.binomtest(65, 80, alternative="less")
    ends = (
        low.proportion_ci(0.975 + above).low,
        high.proportion_ci(0.975 + below).high,
    )
    assert (row["low"], row["high"]) == pytest.approx(ends)
    assert row["value"] == 60 / 80


def test_tpr_at_fpr_takes_ties_conservatively():
    non_members = np.array([0.0, 0.0, 1.0, 1.0])  # Calling 1 a member costs FPR 0.5.
    members = np.array([1.0, 1.0, 2.0, 0.0])
    rows = tpr.tpr_at_fpr(members, non_members, (0.25, 0.5))
    assert [row["value"] for row in rows] == [0.25, 0.75]


@pytest.mark.parametrize("count", [3, 7, 10, 49, 100, 1000])
def test_fpr_of_one_non_member_is_resolved(count):
    row = tpr.tpr_at_fpr(np.ones(2), np.arange(count) / count, (1 / count,))[0]
    assert row["value"] == 1.0
    below = np.nextafter(1 / count, 0)
    row = tpr.tpr_at_fpr(np.ones(2), np.arange(count) / count, (below,))[0]
    assert row == {"fpr": below, "value": None, "low": None, "high": None}


def test_fpr_is_not_lost_to_rounding():
    assert 0.29 * 100 < 29
    row = tpr.tpr_at_fpr(np.array([70.5]), np.arange(100.0), (0.29,))[0]
    assert row["value"] == 1.0  # 29 non-members, 71 to 99, lie above 70.


def test_empirical_fpr_is_the_largest_allowed():
    non_members, members = normal(0, 57, 8).round(1), normal(1, 40, 9).round(1)
    for row in tpr.tpr_at_fpr(members, non_members, (0.1, 0.3, 0.5)):
        allowed = [
            t
            for t in np.concatenate([[-9.0], non_members])
            if (non_members > t).mean() <= row["fpr"]
        ]
        assert row["value"] == (members > min(allowed)).mean()


def test_constant_scores_say_nothing():
    (row,) = tpr.tpr_at_fpr(np.zeros(500), np.zeros(500), (0.1,))
    assert (row["value"], row["low"], row["high"]) == (0.0, 0.0, 1.0)


def test_interval_holds_the_value_at_every_rate():
    members, non_members = normal(0.5, 90, 0).round(1), normal(0, 70, 1).round(1)
    fprs = np.arange(1, 71) / 70
    for row in tpr.tpr_at_fpr(members, non_members, fprs):
        assert 0 <= row["low"] <= row["value"] <= row["high"] <= 1


RUNS = 400
# An interval that covers 98 % of the time, or more, fails the test below with a
# probability under 1e-5 in each cell (of the present one every cell covered 99 % or
# more of 400); one that covers 91 % passes a cell with a probability of 2 %. The
# interval that took the threshold for given covered 78 to 27 %.
LEAST = 0.94


@pytest.mark.parametrize("area", [0.5, 0.65, 0.9])
@pytest.mark.parametrize("count", [135, 500, 2500])
def test_interval_covers_the_roc_curve(area, count):
    """Binormal scores, whose ROC curve is known."""
    fprs = np.array([fpr for fpr in tpr.FPRS if fpr * count >= 1])
    shift = 2**0.5 * stats.norm.ppf(area)
    truth = stats.norm.sf(stats.norm.isf(fprs) - shift)
    rng = np.random.default_rng(count)
    covered = np.zeros(len(fprs))
    for members, non_members in rng.normal(size=(RUNS, 2, count)):
        low, high = tpr.bounds(members + shift, non_members, fprs)
        covered += (low <= truth) & (truth <= high)
    assert (covered >= LEAST * RUNS).all(), covered / RUNS


def test_interval_covers_with_ties():
    """Scores of few values: the ROC curve with its ties, and without those at it."""
    chances = np.array([[0.5, 0.3, 0.15, 0.05], [0.2, 0.3, 0.3, 0.2]])
    above = np.cumsum(chances[:, ::-1], axis=1)
    fprs = np.array([0.1, 0.2])
    truths = [
        np.interp(fprs, *np.hstack([[[0], [0]], above])),
        above[1][np.searchsorted(above[0], fprs, "right") - 1],
    ]
    rng, covered = np.random.default_rng(0), np.zeros((2, 2))
    for _ in range(RUNS):
        others, members = (rng.choice(4, 500, p=p) for p in chances)
        low, high = tpr.bounds(members, others, fprs)
        covered += [(low <= truth) & (truth <= high) for truth in truths]
    assert (covered >= LEAST * RUNS).all(), covered / RUNS


def test_simultaneous_interval_is_wider():
    sets = normal(1, 200, 0), normal(0, 200, 1)
    for narrow, wide in zip(
        tpr.tpr_at_fpr(*sets), tpr.tpr_at_fpr(*sets, confidence=0.999), strict=True
    ):
        assert wide["value"] == narrow["value"]
        if narrow["value"] is not None:
            assert wide["low"] <= narrow["low"] < narrow["high"] < wide["high"]


def pair(rng, count, shifts, shared):
    """Two attacks on the same records, whose scores share some of their noise."""
    common, own = rng.normal(size=(2, count)), rng.normal(size=(2, 2, count))
    parts = shared**0.5 * common + (1 - shared) ** 0.5 * own
    return [
        (part[0] + shift, part[1]) for part, shift in zip(parts, shifts, strict=True)
    ]


def test_difference_by_hand_where_nothing_bounds_a_threshold():
    first, second = (np.array([2.0, 3.0]), np.arange(2.0)), (np.zeros(2), np.zeros(2))
    (row,) = tpr.difference(first, second, (0.5,))
    assert (row["value"], row["low"], row["high"]) == (1.0, -1.0, 1.0)
    (row,) = tpr.difference(first, second, (0.1,))
    assert row == {"fpr": 0.1, "value": None, "low": None, "high": None}
    with pytest.raises(ValueError, match="^second: "):
        tpr.difference(first, (second[0][1:], second[1]))


def test_difference_is_paired_and_turns_with_its_arguments():
    first, second = pair(np.random.default_rng(0), 1000, (2.0, 1.5), 0.98)
    one, other = (tpr.tpr_at_fpr(*a, confidence=0.975) for a in (first, second))
    found, turned = tpr.difference(first, second), tpr.difference(second, first)
    for i, row in enumerate(found):
        assert row["value"] == pytest.approx(one[i]["value"] - other[i]["value"])
        ends = (-turned[i]["high"], -turned[i]["low"])
        assert (row["low"], row["high"]) == pytest.approx(ends)
        apart = one[i]["high"] - other[i]["low"] - one[i]["low"] + other[i]["high"]
        # Narrower than what two intervals, which hold together, would allow.
        assert row["high"] - row["low"] < apart


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_interval_of_the_difference_covers(shared):
    """The error rates of `LEAST` hold here too."""
    fprs, shifts = np.array([0.1, 0.01]), (1.5, 0.8)
    truth = -np.diff([stats.norm.sf(stats.norm.isf(fprs) - s) for s in shifts], axis=0)
    rng, covered = np.random.default_rng(1), np.zeros(2)
    for _ in range(RUNS):
        rows = tpr.difference(*pair(rng, 500, shifts, shared), fprs)
        low, high = (np.array([row[end] for row in rows]) for end in ("low", "high"))
        covered += ((low <= truth) & (truth <= high))[0]
    assert (covered >= LEAST * RUNS).all(), covered / RUNS
