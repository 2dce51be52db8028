import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from jaxprivacy.evaluation import membership, tpr


def normal(shift, shape, seed):
    return np.random.default_rng(seed).normal(shift, size=shape)


def naive_delong(members, non_members):
    """AUC and its variance from the matrix of all pairs."""
    wins = np.array(
        [[(x > y) + 0.5 * (x == y) for y in non_members] for x in members], float
    )
    variance = np.var(wins.mean(1), ddof=1) / len(members)
    variance += np.var(wins.mean(0), ddof=1) / len(non_members)
    return wins.mean(), variance


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_auc_agrees_with_naive_delong_and_sklearn(decimals):
    members = normal(0.7, 23, 0).round(decimals)
    non_members = normal(0.0, 31, 1).round(decimals)
    value, variance = naive_delong(members, non_members)
    interval = membership.auc(members, non_members)
    labels = np.repeat([1, 0], [23, 31])
    scores = np.concatenate([members, non_members])
    assert interval.value == pytest.approx(metrics.roc_auc_score(labels, scores))
    assert interval.value == pytest.approx(value)
    logit = np.log(value / (1 - value))
    margin = 1.959964 * np.sqrt(variance) / (value * (1 - value))
    ends = 1 / (1 + np.exp(-np.array([logit - margin, logit + margin])))
    assert (interval.low, interval.high) == pytest.approx(tuple(ends), rel=1e-6)


def test_auc_by_hand():
    # Pairs won: 2 over 1 and 1.5 (2), 1 against 1 and 1.5 (a half): 2.5 of 4.
    assert membership.auc(np.array([2, 1]), np.array([1, 1.5])).value == 2.5 / 4


@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_auc_interval_covers(shift):
    truth = stats.norm.cdf(shift / np.sqrt(2))
    members, non_members = normal(shift, (400, 60), 2), normal(0.0, (400, 80), 3)
    covered = []
    for pair in zip(members, non_members, strict=True):
        _, low, high = membership.auc(*pair)
        covered.append(low <= truth <= high)
    assert 0.92 <= np.mean(covered) <= 0.985


def test_perfect_separation_has_the_exact_bound():
    high, low = np.array([2.0, 3.0, 4.0]), np.array([0.0, 1.0])
    bound = 0.025**0.5
    assert membership.auc(high, low) == pytest.approx((1, bound, 1))
    assert membership.auc(low, high) == pytest.approx((0, 0, 1 - bound))


def test_one_wrong_pair_claims_no_more_than_none():
    members = np.arange(500.0) + 500
    non_members = np.arange(500.0)
    perfect = membership.auc(members, non_members)
    non_members[-1] = 500.5
    nearly = membership.auc(members, non_members)
    assert nearly.value < 1 and nearly.low <= perfect.low
    mirrored = membership.auc(non_members, members)
    assert mirrored.high == pytest.approx(1 - nearly.low)


@pytest.mark.parametrize("count", [1, 5, 100])
def test_constant_scores_are_chance_with_a_wide_interval(count):
    value, low, high = membership.auc(np.zeros(count), np.zeros(count))
    assert value == 0.5
    assert low < 0.5 - 0.9 / np.sqrt(count + 9) and high == pytest.approx(1 - low)


def test_auc_ignores_monotone_maps_and_mirrors():
    members, non_members = normal(1.0, 30, 4), normal(0.0, 20, 5)
    interval = membership.auc(members, non_members)
    assert membership.auc(np.exp(members), np.exp(non_members)) == interval
    mirrored = membership.auc(-members, -non_members)
    assert mirrored == pytest.approx(
        (1 - interval.value, 1 - interval.high, 1 - interval.low)
    )


def test_accuracy_is_strict_at_the_threshold():
    members, non_members = np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.0])
    assert membership.accuracy(members, non_members, 1.0).value == 3 / 5
    assert membership.accuracy(members, non_members, 0.5).value == 3 / 5
    # At the threshold a record is no member.
    assert membership.accuracy(np.ones(2), np.ones(1), 1.0).value == 1 / 3
    interval = membership.accuracy(members, non_members, -1.0)
    expected = stats.binomtest(3, 5).proportion_ci(method="exact")
    assert interval == pytest.approx((3 / 5, expected.low, expected.high))


@pytest.mark.parametrize(
    "members, non_members, threshold",
    [
        ([3, 4], [1, 2], 2.5),
        ([2, 10], [0, 1], 1.5),  # Only there are all right.
        ([0, 10, 11], [1, 2], 6.0),  # Widest gap, also the best.
        ([1, 10], [0, 2], 6.0),  # As good as 0.5, in a wider gap.
        ([0.0], [0.0], np.nextafter(0.0, -1)),  # Both ends are right once.
        ([1], [2], np.nextafter(1.0, 0.0)),  # Reversed: call all members, or none.
        ([0, 2, 7], [1, 3, 4], 5.5),  # Thresholds below 0 give 3 right, 5.5 gives 4.
    ],
)
def test_best_threshold_by_hand(members, non_members, threshold):
    found = membership.best_threshold(np.array(members), np.array(non_members))
    assert found == threshold


def test_best_threshold_against_every_threshold():
    members, non_members = normal(0.8, 25, 6).round(1), normal(0, 35, 7).round(1)
    best = max(
        membership.accuracy(members, non_members, threshold).value
        for threshold in np.linspace(-4, 4, 161)
    )
    threshold = membership.best_threshold(members, non_members)
    assert membership.accuracy(members, non_members, threshold).value == best


def test_best_threshold_between_neighbouring_floats():
    low = 1.0
    high = np.nextafter(low, 2)
    threshold = membership.best_threshold(np.array([high]), np.array([low]))
    assert low <= threshold < high


def test_roc_by_hand_and_against_sklearn():
    members, non_members = np.array([2.0, 1.0]), np.array([1.0, 0.0])
    curve = membership.roc(members, non_members)
    np.testing.assert_allclose(curve.fpr, [0, 0, 0.5, 1])
    np.testing.assert_allclose(curve.tpr, [0, 0.5, 1, 1])
    members, non_members = normal(1, 40, 10).round(1), normal(0, 30, 11).round(1)
    curve = membership.roc(members, non_members)
    fpr, tpr_, _ = metrics.roc_curve(
        np.repeat([1, 0], [40, 30]),
        np.concatenate([members, non_members]),
        drop_intermediate=False,
    )
    np.testing.assert_allclose(curve.fpr, fpr)
    np.testing.assert_allclose(curve.tpr, tpr_)
    low, high = tpr.bounds(members, non_members, fpr)
    np.testing.assert_array_equal((curve.low, curve.high), (low, high))
    assert (curve.low <= tpr_).all() and (tpr_ <= curve.high).all()
    area = np.trapezoid(curve.tpr, curve.fpr)
    assert area == pytest.approx(membership.auc(members, non_members).value)


def test_null_checks():
    assert membership.simultaneous_confidence(1) == pytest.approx(0.95)
    assert membership.simultaneous_confidence(10) == pytest.approx(0.995)
    for low, high, holds in [(0.4, 0.6, True), (0.51, 0.6, False), (0.3, 0.49, False)]:
        assert membership.null_holds({"auc": {"low": low, "high": high}}) is holds


def naive_difference(first, second, z):
    """DeLong's variance by counting every pair."""

    def right(members, others):  # (M, N): 1 if the member is ranked higher, ties 1/2
        return (members[:, None] > others) + 0.5 * (members[:, None] == others)

    difference = right(*first) - right(*second)
    m, n = difference.shape
    variance = np.var(difference.mean(axis=1), ddof=1) / m
    variance += np.var(difference.mean(axis=0), ddof=1) / n
    value, half = difference.mean(), z * variance**0.5
    return value, value - half, value + half


def test_difference_of_two_attacks_on_the_same_records():
    shared = [normal(1, 30, 0), normal(0, 40, 1)]
    first, second = (
        tuple(
            np.round(s + normal(0, len(s), seed + i) / 2, 1)
            for i, s in enumerate(shared)
        )
        for seed in (2, 4)
    )
    found = membership.auc_difference(first, second)
    np.testing.assert_allclose(found, naive_difference(first, second, 1.959964))
    one, other = membership.auc(*first), membership.auc(*second)
    assert found.value == pytest.approx(one.value - other.value)
    value, low, high = membership.auc_difference(second, first)
    np.testing.assert_allclose(found, (-value, -high, -low))
    assert membership.auc_difference(first, first) == (0, 0, 0)
    # Paired: narrower than what two separate intervals would allow.
    assert found.high - found.low < one.high - one.low
    assert membership.auc_difference(([1.0], [0.0]), ([0.0], [1.0])).low < 0
    # Perfect against constant scores: no variance, which is no certainty.
    members, others, same = np.arange(4, 8), np.arange(4), np.zeros(4)
    value, low, high = membership.auc_difference((members, others), (same, same))
    assert value == 0.5
    assert low < 0.2 and high > 0.8
    with pytest.raises(ValueError, match="^second: "):
        membership.auc_difference(first, (second[0][1:], second[1]))


def test_interval_of_the_difference_covers_the_truth():
    """Two attacks of AUC Phi(1 / sqrt 4) whose scores share half of their noise."""
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        own, shared = rng.normal(size=(2, 2, 60)), rng.normal(size=(2, 60))
        shared[0] += 1
        first, second = ((shared[0] + a[0], shared[1] + a[1]) for a in own)
        found = membership.auc_difference(first, second)
        covered += found.low <= 0 <= found.high
    assert 180 <= covered <= 198


def test_above_guessing():
    """The interval that decides is the one that is printed."""
    entry = {"fpr": 0.1, "value": 0.2, "low": 0.11, "high": 0.3}
    assert membership.above_guessing(entry)
    assert not membership.above_guessing(entry | {"low": 0.1})
    wide = {"simultaneous": {"low": 0.09, "high": 0.4}}
    assert not membership.above_guessing(entry | wide)
    absent = {"fpr": 0.001, "value": None, "low": None, "high": None}
    assert not membership.above_guessing(absent)
