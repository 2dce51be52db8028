"""LiRA of several signals together: a hand-computed table and a plain twin."""

import numpy as np
import pytest
from scipy import stats

from jaxprivacy import errors
from jaxprivacy.attacks import membership
from jaxprivacy.attacks.membership import multivariate
from jaxprivacy.evaluation.membership import auc


def simulated(seed=0, models=8, records=200, queries=3, leak=None):
    """Signals that hang together over queries; half of the records are members."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(0, 3, (records, queries))
    leak = np.ones(queries) if leak is None else leak
    mix = np.tril(np.ones((queries, queries)))
    held = np.stack([rng.permutation(models) for _ in range(records)], 1) < models // 2
    member = rng.random(records) < 0.5

    def signals(inside):
        noise = rng.standard_normal(mean.shape) @ mix.T
        return mean + noise + np.multiply.outer(inside, leak)

    pool = membership.Pool(np.stack([signals(h) for h in held]), held)
    return signals(member), pool, member


def loop(target, pool):
    """One record after the other, by scipy's normal distribution."""
    sides = []
    for held in (True, False):
        rows = [pool.signal[pool.held[:, i] == held, i] for i in range(len(target))]
        total = sum((r - r.mean(0)).T @ (r - r.mean(0)) for r in rows)
        shared = total / sum(len(r) - 1 for r in rows)
        shared += 1e-6 * np.trace(shared) / len(shared) * np.eye(len(shared))
        sides.append(
            [
                stats.multivariate_normal.logpdf(t, r.mean(0), shared)
                for t, r in zip(target, rows, strict=True)
            ]
        )
    return (np.array(sides[0]) - sides[1]) / target.shape[1]


def test_it_is_the_loop_over_records():
    target, pool, _ = simulated(records=30)
    found = membership.lira_multivariate(target, pool)
    np.testing.assert_allclose(found, loop(target, pool), rtol=1e-6, atol=1e-9)


def test_by_hand():
    # Both sides deviate by (1, 0), (-1, 0), (0, 1), (0, -1) from their means: with
    # 2 + 2 models and 3 degrees of freedom a side the covariance is 2/3 of the unit.
    around = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    signal = np.concatenate([around + [4, 0], around])[:, None]
    held = np.arange(8)[:, None] < 4
    pool = membership.Pool(signal, held)
    mean = np.array([[4.0, 0]])
    np.testing.assert_allclose(
        multivariate.covariance(pool, mean), np.eye(2) * 2 / 3, rtol=1e-5
    )
    # (|t - 0|^2 - |t - (4, 0)|^2) / (2 * 2/3) / 2 signals: at (2, 5) 0, at (3, 0) 3.
    for t, ratio in (((2.0, 5.0), 0), ((3.0, 0.0), 3), ((1.0, 7.0), -3)):
        [found] = membership.lira_multivariate(np.array([t]), pool)
        assert found == pytest.approx(ratio, abs=1e-4)


def test_one_signal_is_lira_with_a_shared_variance():
    target, pool, _ = simulated(queries=1)
    np.testing.assert_allclose(
        membership.lira_multivariate(target, pool),
        membership.lira_online(target, pool),
        rtol=1e-4,
        atol=1e-5,
    )


def test_signals_that_hang_together_say_more_together_than_one_by_one():
    target, pool, member = simulated(models=32, records=1000, leak=(1, 0, 0))
    together, one_by_one = (
        auc(s[member], s[~member]).value
        for s in (
            membership.lira_multivariate(target, pool),
            membership.lira_online(target, pool),
        )
    )
    assert together > one_by_one + 0.02


def test_a_copy_of_a_signal_changes_nothing_to_speak_of():
    target, pool, _ = simulated(queries=1)
    twice = membership.Pool(np.concatenate([pool.signal] * 2, axis=-1), pool.held)
    found = membership.lira_multivariate(np.concatenate([target] * 2, axis=-1), twice)
    alone = membership.lira_multivariate(target, pool)
    # What keeps the covariance invertible adds one number to all.
    found, alone = (a - a.mean() for a in (2 * found, alone))
    np.testing.assert_allclose(found, alone, rtol=1e-4, atol=1e-4)


def test_too_few_models_are_refused():
    target, pool, _ = simulated(models=2)
    with pytest.raises(errors.InputError, match="references"):
        membership.lira_multivariate(target, pool)
