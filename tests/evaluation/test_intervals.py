import pytest
from scipy import stats

from jaxprivacy.evaluation import intervals


@pytest.mark.parametrize("successes, trials", [(0, 10), (10, 10), (3, 7), (1, 1)])
def test_clopper_pearson_agrees_with_scipy(successes, trials):
    expected = stats.binomtest(successes, trials).proportion_ci(method="exact")
    interval = intervals.clopper_pearson(successes, trials)
    assert interval.value == successes / trials
    assert interval.low == pytest.approx(expected.low, abs=1e-12)
    assert interval.high == pytest.approx(expected.high, abs=1e-12)


def test_clopper_pearson_by_hand():
    # No success in 10: (1 - high) ** 10 = 0.025.
    assert intervals.clopper_pearson(0, 10) == pytest.approx((0, 0, 1 - 0.025**0.1))
    # One success in one: low = 0.05 at 90 %.
    assert intervals.clopper_pearson(1, 1, 0.9) == pytest.approx((1, 0.05, 1))


@pytest.mark.parametrize("successes, trials", [(-1, 3), (4, 3), (0, 0)])
def test_impossible_counts_are_refused(successes, trials):
    with pytest.raises(ValueError, match=f"successes={successes}, trials={trials}"):
        intervals.clopper_pearson(successes, trials)
