"""True positive rates at chosen false positive rates, with intervals that cover.

The rate at a false positive rate f is the height of the ROC curve at f: the share of
all members that score above the threshold which a share f of all non-members exceeds.
That threshold is a quantile of a distribution of which only some non-members are at
hand, so an interval that takes the threshold for given is too narrow. Here the
threshold is bounded first, by order statistics of the non-members, and then the share
of members at those bounds. Both steps are exact and hold for any distribution of the
scores. What they miss is added up, so the intervals cover at least as often as they
say; on smooth scores, more often.

Source of the measure: Carlini et al., "Membership Inference Attacks From First
Principles", S&P 2022. Bounds on quantiles from order statistics: David and Nagaraja,
"Order Statistics", 2003, section 7.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from jaxprivacy.evaluation.intervals import clopper_pearson_tail

FPRS = (0.1, 0.01, 0.001)
# What the threshold may miss, of what the whole bound may. Of 0.2 to 0.9, two thirds
# made the narrowest intervals, or nearly so, for AUC 0.5 to 0.9, 135 to 2,500 records
# and all of `FPRS`.
SHARE = 2 / 3


class Thresholds(NamedTuple):
    """Bounds on the threshold of each of R false positive rates.

    Infinite where no score bounds it; each fails with a probability of at most its
    `missed`, which is known without the scores.
    """

    lower: np.ndarray  # (R,)
    upper: np.ndarray  # (R,)
    missed_lower: np.ndarray  # (R,)
    missed_upper: np.ndarray  # (R,)


def thresholds(non_members: np.ndarray, fprs: np.ndarray, tail: float) -> Thresholds:
    """Bounds the thresholds that shares `fprs` of all non-members exceed.

    The number of N non-members above the threshold is binomial. So the K-th largest
    score lies below the threshold as often as fewer than K of N exceed it, and above
    as often as K or more do. With ties the lower bound is one for the lowest threshold
    that a share f or fewer exceed, the upper one likewise.

    Args:
      non_members: (N,) scores.
      fprs: (R,) false positive rates, in [0, 1].
      tail: the most that each bound may fail with.
    """
    n = len(non_members)
    falling = np.concatenate([[np.inf], np.sort(non_members)[::-1], [-np.inf]])
    # The largest K for which fewer than K are above it rarely enough: 0 is no bound.
    upper = stats.binom.ppf(tail, n, fprs).clip(0, n).astype(int)
    # The smallest K for which so many are above it rarely enough: n + 1 is no bound.
    lower = stats.binom.isf(tail, n, fprs).clip(0, n).astype(int) + 1
    return Thresholds(
        falling[lower],
        falling[upper],
        stats.binom.sf(lower - 1, n, fprs),
        stats.binom.cdf(upper - 1, n, fprs),
    )


def bounds(
    members: np.ndarray,
    non_members: np.ndarray,
    fprs: np.ndarray,
    confidence: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the ends of the intervals of the rates at `fprs`: (R,) each.

    Half of what may be missed is below and half above. `SHARE` of a half is for the
    threshold; what is left, which is more because order statistics come in steps, is
    for the members: a one-sided Clopper-Pearson bound. An end is 0 or 1 where no
    order statistic bounds the threshold. Tied scores count against both ends.

    Args:
      members: (M,) scores.
      non_members: (N,) scores.
      fprs: (R,) false positive rates, in [0, 1].
      confidence: coverage of each interval, at least.
    """
    tail = (1 - confidence) / 2
    found = thresholds(non_members, fprs, SHARE * tail)
    rising, m = np.sort(members), len(members)
    surely = m - np.searchsorted(rising, found.upper, "right")
    perhaps = m - np.searchsorted(rising, found.lower, "left")
    low = clopper_pearson_tail(surely, m, tail - found.missed_upper)
    missed = clopper_pearson_tail(m - perhaps, m, tail - found.missed_lower)
    return low, 1 - missed


def tpr_at_fpr(
    members: np.ndarray,
    non_members: np.ndarray,
    fprs: Sequence[float] = FPRS,
    confidence: float = 0.95,
) -> list[dict]:
    """Returns the true positive rate at each false positive rate.

    The value is the share of members above the lowest threshold whose empirical FPR is
    at most `fpr`; of tied scores at the limit none is called a member. The interval is
    that of `bounds`: it allows for the threshold, which the non-members at hand set. An
    FPR below 1 / len(non_members) cannot be resolved: value, low and high are None.
    """
    ends = np.stack(bounds(members, non_members, np.array(fprs), confidence), axis=1)
    return [
        {"fpr": fpr, "value": None, "low": None, "high": None}
        if fpr < 1 / len(non_members)
        else {
            "fpr": fpr,
            "value": float(np.mean(members > _empirical(non_members, fpr))),
            "low": float(low),
            "high": float(high),
        }
        for fpr, (low, high) in zip(fprs, ends, strict=True)
    ]


def difference(
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    fprs: Sequence[float] = FPRS,
    confidence: float = 0.95,
) -> list[dict]:
    """Returns how much larger one attack's rate is than another's, in [-1, 1].

    Each attack has its own threshold, bounded as in `bounds`. The difference is the
    share of members that only the first attack finds less the share that only the
    second finds; for its lower end the first attack's threshold is at its upper bound
    and the second's at its lower one, and each share has its one-sided Clopper-Pearson
    bound. What may be missed is divided among the four. Where both attacks find the
    same members this is narrower than a comparison of their two intervals.

    Args:
      first: scores of M members and of N non-members.
      second: the other attack's, of the same records in the same order.
      fprs: false positive rates.
      confidence: coverage of each interval, at least.

    Returns:
      For each of `fprs` a dict of `fpr`, `value`, `low` and `high`, which are None
      where N non-members cannot resolve it.
    """
    if [len(a) for a in first] != [len(a) for a in second]:
        raise ValueError(
            f"second: {[len(a) for a in second]} scores; accepted are as many as in "
            f"first, {[len(a) for a in first]}"
        )
    tail = (1 - confidence) / 2
    low = _least_difference(first, second, np.array(fprs), tail)
    high = -_least_difference(second, first, np.array(fprs), tail)

    def value(attack, fpr):
        return np.mean(attack[0] > _empirical(attack[1], fpr))

    return [
        {"fpr": fpr, "value": None, "low": None, "high": None}
        if fpr < 1 / len(first[1])
        else {
            "fpr": fpr,
            "value": float(value(first, fpr) - value(second, fpr)),
            "low": float(low[i]),
            "high": float(high[i]),
        }
        for i, fpr in enumerate(fprs)
    ]


def _least_difference(first, second, fprs, tail):
    """The lower end of the first attack's rate less the second's: (R,)."""
    upper = thresholds(first[1], fprs, SHARE * tail / 2)
    lower = thresholds(second[1], fprs, SHARE * tail / 2)
    found = first[0][:, None] > upper.upper  # (M, R)
    other = second[0][:, None] >= lower.lower
    left = (tail - upper.missed_upper - lower.missed_lower) / 2
    m = len(found)
    only_first = clopper_pearson_tail((found & ~other).sum(axis=0), m, left)
    not_second = clopper_pearson_tail(m - (other & ~found).sum(axis=0), m, left)
    return only_first - (1 - not_second)


def _empirical(non_members, fpr):
    """The lowest threshold that no more than this share of the scores exceeds."""
    n = len(non_members)
    # The product may fall just short of the integer that it stands for.
    allowed = math.floor(fpr * n * (1 + 1e-12))
    return np.sort(non_members)[::-1][allowed] if allowed < n else -np.inf
