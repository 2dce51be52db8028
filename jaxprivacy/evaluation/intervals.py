"""Values with confidence intervals."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy import stats


class Interval(NamedTuple):
    """An estimate and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def clopper_pearson(
    successes: float, trials: int, confidence: float = 0.95
) -> Interval:
    """Returns a proportion with its exact (Clopper-Pearson) interval.

    Args:
      successes: number of successes, in [0, trials]; ties may count half.
      trials: number of trials, at least 1.
      confidence: coverage of the two-sided interval, in (0, 1).

    Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated
    in the case of the binomial", Biometrika 1934.
    """
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(
            f"successes={successes}, trials={trials}: accepted are at least one trial "
            "and successes from 0 to trials"
        )
    both = np.array([successes, trials - successes])
    low, missed = clopper_pearson_tail(both, trials, (1 - confidence) / 2)
    return Interval(float(successes / trials), float(low), float(1 - missed))


def student_t(
    values: Iterable[float], most: float, least: float = 0.0, confidence: float = 0.95
) -> dict[str, float | int | None]:
    """The mean of a measure over rows, with Student's t interval.

    Args:
      values: of the rows that have the measure.
      most: the largest value that it can have.
      least: the smallest.
      confidence: coverage of the two-sided interval, in (0, 1).

    Returns:
      `value` (None without rows), `low` and `high` (None below two rows), cut to what
      the measure can be, and `rows`, how many there are.
    """
    known = np.array(list(values), np.float64)
    count, low, high = len(known), None, None
    value = float(known.mean()) if count else None
    if count > 1:
        quantile = stats.t.ppf((1 + confidence) / 2, count - 1)
        half = quantile * known.std(ddof=1) / count**0.5
        low, high = max(float(value - half), least), min(float(value + half), most)
    return {"value": value, "low": low, "high": high, "rows": count}


def clopper_pearson_tail(
    successes: np.ndarray, trials: int, tail: float | np.ndarray
) -> np.ndarray:
    """Returns one-sided exact lower bounds of proportions, for many counts.

    Args:
      successes: (N,) counts, each in [0, trials].
      trials: number of trials.
      tail: the most that a bound may fail with, () or (N,), above 0.

    Returns:
      (N,) lower bounds. An upper bound is 1 less the lower bound of the failures.
    """
    # The beta quantile is undefined without successes, where the bound is 0.
    low = stats.beta.ppf(tail, np.maximum(successes, 0.5), trials - successes + 1)
    return np.where(successes == 0, 0.0, low)
