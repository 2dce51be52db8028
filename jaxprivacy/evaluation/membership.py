"""How well membership scores tell members from non-members.

Scores are vectors `(N,)`, higher means member; a record is called a member when its
score is strictly above the threshold.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from jaxprivacy.evaluation import intervals, tpr


class MembershipScores(NamedTuple):
    """Scores of two disjoint sets of records, higher means member.

    The threshold is chosen on the selection set; every number comes from the
    evaluation set.
    """

    selection_members: np.ndarray  # (N,)
    selection_non_members: np.ndarray  # (N,)
    evaluation_members: np.ndarray  # (N,)
    evaluation_non_members: np.ndarray  # (N,)


class Roc(NamedTuple):
    """A ROC curve from (0, 0) to (1, 1) with a pointwise band for the TPR."""

    fpr: np.ndarray  # (R,) rising
    tpr: np.ndarray  # (R,)
    low: np.ndarray  # (R,)
    high: np.ndarray  # (R,)


def auc(
    members: np.ndarray, non_members: np.ndarray, confidence: float = 0.95
) -> intervals.Interval:
    """Returns the area under the ROC curve with DeLong's interval on the logit scale.

    The AUC is the share of member and non-member pairs in the right order, ties
    counting half. Two cases are DeLong's estimate's blind spots, and the interval is
    there that of n = min(members, non-members) independent pairs, which is wider:

    - its variance is 0 or undefined (perfect separation, constant scores, a single
      record): the Clopper-Pearson interval of AUC * n of n pairs. For AUC 1 the lower
      end is (alpha / 2) ** (1 / n); constant scores give 0.5 with a wide interval.
    - near AUC 0 or 1: no interval claims more than perfect separation would, so the
      lower end is at most (alpha / 2) ** (1 / n) and the upper end mirrors it.

    Source: DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more
    correlated receiver operating characteristic curves", Biometrics 1988; placements
    from ranks as in Sun and Xu, IEEE Signal Processing Letters 2014.
    """
    m, n = len(members), len(non_members)
    below_members, below_non_members = _placements(members, non_members)
    value = float(below_members.sum() / (m * n))
    pairs = min(m, n)
    exact = intervals.clopper_pearson(value * pairs, pairs, confidence)
    if pairs < 2:
        return exact
    variance = np.var(below_members, ddof=1) / (m * n**2)
    variance += np.var(below_non_members, ddof=1) / (n * m**2)
    if variance == 0:
        return exact
    z = stats.norm.isf((1 - confidence) / 2)
    margin = z * math.sqrt(variance) / (value * (1 - value))
    limit = ((1 - confidence) / 2) ** (1 / pairs)
    low = min(special.expit(special.logit(value) - margin), limit, value)
    high = max(special.expit(special.logit(value) + margin), 1 - limit, value)
    return intervals.Interval(value, float(low), float(high))


def _placements(members, non_members):
    """How many of the other set lie below each score, ties half: multiples of 1/2.

    Kept undivided so that equal placements have a variance of exactly 0.
    """
    m = len(members)
    ranks = stats.rankdata(np.concatenate([members, non_members]))
    below_members = ranks[:m] - stats.rankdata(members)
    return below_members, ranks[m:] - stats.rankdata(non_members)


def auc_difference(
    first: tuple[np.ndarray, np.ndarray],
    second: tuple[np.ndarray, np.ndarray],
    confidence: float = 0.95,
) -> intervals.Interval:
    """Returns how much larger one attack's AUC is than another's, in [-1, 1].

    DeLong's interval for two attacks on the same records. Where both err on the same
    ones it is far narrower than a comparison of their two intervals. Where its variance
    is 0 though the two differ (perfect against constant scores), it is what the two
    intervals of `auc` allow; it has no width where both rank all records alike.

    Args:
      first: scores of M members and of N non-members.
      second: the other attack's, of the same records in the same order.
      confidence: coverage of the two-sided interval.

    Source: as for `auc`.
    """
    if [len(a) for a in first] != [len(a) for a in second]:
        raise ValueError(
            f"second: {[len(a) for a in second]} scores; accepted are as many as in "
            f"first, {[len(a) for a in first]}"
        )
    m, n = map(len, first)
    differences = [
        a - b for a, b in zip(_placements(*first), _placements(*second), strict=True)
    ]
    value = float(differences[0].sum() / (m * n))
    if not any(map(np.any, differences)):
        return intervals.Interval(0.0, 0.0, 0.0)
    variance = 0.0
    if min(m, n) > 1:
        variance += np.var(differences[0], ddof=1) / (m * n**2)
        variance += np.var(differences[1], ddof=1) / (n * m**2)
    if variance == 0:
        one, other = auc(*first, confidence), auc(*second, confidence)
        return intervals.Interval(value, one.low - other.high, one.high - other.low)
    half = float(stats.norm.isf((1 - confidence) / 2)) * math.sqrt(variance)
    return intervals.Interval(value, max(value - half, -1.0), min(value + half, 1.0))


def accuracy(
    members: np.ndarray,
    non_members: np.ndarray,
    threshold: float,
    confidence: float = 0.95,
) -> intervals.Interval:
    """Returns the share of records called right by `score > threshold`.

    The Clopper-Pearson interval takes the records for one binomial sample; with fixed
    numbers of members and non-members, as here, that is slightly conservative. Chance
    is 0.5 for as many members as non-members.
    """
    right = np.sum(members > threshold) + np.sum(non_members <= threshold)
    return intervals.clopper_pearson(
        int(right), len(members) + len(non_members), confidence
    )


def best_threshold(members: np.ndarray, non_members: np.ndarray) -> float:
    """Returns the threshold with the highest accuracy; for the selection set only.

    Candidates are the middles between neighbouring distinct scores and one threshold
    beyond each end. Of equally good ones the one in the widest gap is taken, then the
    lowest.
    """
    scores = np.unique(np.concatenate([members, non_members]).astype(np.float64))
    lower, upper = scores[:-1], scores[1:]
    middle = lower / 2 + upper / 2
    # Between neighbouring floats there is no middle; `>` makes the lower one serve.
    middle = np.where((lower <= middle) & (middle < upper), middle, lower)
    ends = np.nextafter(scores[0], -np.inf), scores[-1]
    thresholds = np.concatenate([ends[:1], middle, ends[1:]])
    gaps = np.concatenate([[0.0], upper - lower, [0.0]])
    right = len(members) - np.searchsorted(np.sort(members), thresholds, "right")
    right += np.searchsorted(np.sort(non_members), thresholds, "right")
    return float(thresholds[np.lexsort((thresholds, -gaps, -right))[0]])


def above_guessing(entry: dict) -> bool:
    """Whether more members are found than guessing at that false positive rate finds.

    Guessing finds the share of members that it takes of non-members. The interval of
    the rate allows for the threshold that the non-members at hand set, so its lower end
    decides; of several attacks, that of the wider interval which holds for all of them.

    Args:
      entry: of `tpr_at_fpr` in a row: `fpr`, `value`, `low`, `high` and, of several
        attacks, `simultaneous` with `low` and `high`.
    """
    if entry["value"] is None:
        return False
    return entry.get("simultaneous", entry)["low"] > entry["fpr"]


def roc(members: np.ndarray, non_members: np.ndarray, confidence: float = 0.95) -> Roc:
    """Returns the ROC curve with a band for the TPR.

    The band is pointwise: at each FPR the interval of `tpr.bounds`, which allows for
    the threshold as well as for the members.
    """
    scores = np.unique(np.concatenate([members, non_members]))[::-1]

    def counts(values):  # Of values at or above each score, from none to all.
        below = np.searchsorted(np.sort(values), scores, "left")
        return np.concatenate([[0], len(values) - below])

    hits, fpr = counts(members), counts(non_members) / len(non_members)
    low, high = tpr.bounds(members, non_members, fpr, confidence)
    return Roc(fpr, hits / len(members), low, high)


def simultaneous_confidence(intervals: int, together: float = 0.95) -> float:
    """Returns the confidence of each of several intervals (Bonferroni).

    With it all of them cover what they estimate with probability `together` or more.
    """
    return 1 - (1 - together) / intervals


def null_holds(row: dict) -> bool:
    """Whether the AUC interval of a row on untrained records covers chance, 0.5."""
    return row["auc"]["low"] <= 0.5 <= row["auc"]["high"]
