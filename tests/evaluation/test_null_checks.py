import numpy as np
import pytest
from scipy import stats

from jaxprivacy.evaluation import membership, null_checks

RUNS = 500


@pytest.mark.parametrize("members, others", [(20, 20), (67, 67), (60, 150), (500, 500)])
@pytest.mark.parametrize("confidence", [0.95, 0.995])
def test_detectable_auc_is_found_with_probability_80_percent(
    members, others, confidence
):
    """Within 5 % for a good size, and more than that for few records."""
    auc = null_checks.detectable_auc(members, others, confidence)
    shift = 2**0.5 * stats.norm.ppf(auc)
    rng = np.random.default_rng(members)
    found = 0
    for _ in range(RUNS):
        sets = rng.normal(shift, size=members), rng.normal(size=others)
        found += membership.auc(*sets, confidence).low > 0.5
    most = 0.85 if min(members, others) > 50 else 0.93
    assert 0.75 * RUNS <= found <= most * RUNS, found / RUNS


def test_detectable_auc_falls_with_records_and_rises_with_confidence():
    by_size = [null_checks.detectable_auc(n, n, 0.95) for n in (20, 100, 1000, 10**9)]
    assert by_size == sorted(by_size, reverse=True)
    assert 0.5 < by_size[-1] < 0.501
    wider = [null_checks.detectable_auc(100, 100, c) for c in (0.9, 0.95, 0.999)]
    assert wider == sorted(wider)
    assert null_checks.detectable_auc(40, 100, 0.95) == pytest.approx(
        null_checks.detectable_auc(100, 40, 0.95)
    )
    assert null_checks.detectable_auc(5, 5, 0.95) is None


def test_checks_of_untrained_attacks_do_not_count():
    rows = [{"trained": True}, {"trained": False}, {"trained": None}, {}]
    assert null_checks.counted(rows) == [rows[0], rows[2], rows[3]]
