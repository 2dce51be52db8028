"""What tells members from non-members, class by class.

Source: paper B (Nasr, Shokri and Houmansadr, S&P 2019), PAPERS row B23: where the
gradients of non-members are much larger than those of members, the attack is strong.
The intervals, the division into thirds and the rank correlation are this project's own.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from jaxprivacy.evaluation.intervals import Interval
from jaxprivacy.evaluation.membership import Roc, accuracy, auc, roc

LEAST = 2  # Records of a kind that a class needs; one has no spread.
GROUPS = ("small", "medium", "large")


class Observed(NamedTuple):
    """What is seen of N records of one kind, members or non-members."""

    label: np.ndarray  # (N,)
    norm: np.ndarray  # (N,) L2 norm of the gradient
    correct: np.ndarray  # (N,) whether the target predicts the label
    uncertainty: np.ndarray  # (N,) normalised entropy of its prediction, in [0, 1]
    score: np.ndarray  # (N,) of an attack, higher means member


class ClassGaps(NamedTuple):
    """How members and non-members of C classes differ, and what an attack makes of it.

    A gap is the mean of the non-members less the mean of the members.
    """

    label: np.ndarray  # (C,)
    norm_gap: np.ndarray  # (C,) of the gradient norm
    uncertainty_gap: np.ndarray  # (C,) of the normalised entropy, in [-1, 1]
    test_accuracy: np.ndarray  # (C,) of the target, on the non-members
    auc: np.ndarray  # (C, 3) value, low, high
    attack_accuracy: np.ndarray | None  # (C, 3) value, low, high
    left_out: int  # classes with fewer than `LEAST` records of a kind


class GapGroup(NamedTuple):
    """The attack on the classes of one third, by their gap of the gradient norm."""

    name: str  # one of `GROUPS`
    label: np.ndarray  # (C,) its classes, the smallest gap first
    gaps: tuple[float, float]  # the smallest and the largest
    roc: Roc
    auc: Interval


def class_gaps(
    members: Observed,
    non_members: Observed,
    threshold: float | None = None,
    confidence: float = 0.95,
) -> ClassGaps:
    """Compares members and non-members class by class.

    Args:
      members: of the evaluation set.
      non_members: of the evaluation set.
      threshold: above which a score means member, chosen on other records; None: no
        accuracy of the attack. One threshold serves all classes, and chance is 0.5
        only in a class with as many members as non-members; the AUC has neither fault.
      confidence: coverage of each interval, which is of one class alone: of a hundred
        about five miss.

    Returns:
      The classes in rising order, without those of fewer than `LEAST` records of a
      kind, which are counted.

    Raises:
      ValueError: the arrays of a kind are not vectors of one length.
    """
    kinds = _checked("members", members), _checked("non_members", non_members)
    labels = np.union1d(members.label, non_members.label)
    divided = [[_of(kind, [label]) for kind in kinds] for label in labels]
    enough = [min(len(kind.label) for kind in pair) >= LEAST for pair in divided]
    pairs = [pair for pair, good in zip(divided, enough, strict=True) if good]

    def gap(name):
        means = [[getattr(kind, name).mean() for kind in pair] for pair in pairs]
        return np.array([outside - inside for inside, outside in means])

    return ClassGaps(
        label=labels[np.array(enough, bool)],
        norm_gap=gap("norm"),
        uncertainty_gap=gap("uncertainty"),
        test_accuracy=np.array([outside.correct.mean() for _, outside in pairs]),
        auc=_intervals(auc(a.score, b.score, confidence) for a, b in pairs),
        attack_accuracy=None
        if threshold is None
        else _intervals(
            accuracy(a.score, b.score, threshold, confidence) for a, b in pairs
        ),
        left_out=len(labels) - len(pairs),
    )


def gap_groups(
    members: Observed, non_members: Observed, gaps: ClassGaps, confidence: float = 0.95
) -> list[GapGroup]:
    """Divides the classes into thirds by their gradient norm gap, with ROC curves.

    Thirds are of classes, not of records; where three does not divide them, the first
    ones are larger by one. The records of a third are pooled under their scores as
    they are. The gaps are of the same records, which flatters the order a little.

    Args:
      members: those that `gaps` was made of.
      non_members: those that `gaps` was made of.
      gaps: as `class_gaps` returns them.
      confidence: coverage of each interval.

    Returns:
      The thirds from small to large; none of fewer than three classes.
    """
    if len(gaps.label) < len(GROUPS):
        return []
    groups = []
    thirds = np.array_split(np.argsort(gaps.norm_gap, kind="stable"), len(GROUPS))
    for name, third in zip(GROUPS, thirds, strict=True):
        labels = gaps.label[third]
        scores = [_of(kind, labels).score for kind in (members, non_members)]
        ends = gaps.norm_gap[third[[0, -1]]]
        curve, area = roc(*scores, confidence), auc(*scores, confidence)
        groups.append(GapGroup(name, labels, tuple(map(float, ends)), curve, area))
    return groups


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Returns Spearman's rank correlation of (C,) values, in [-1, 1].

    None where it is undefined: of fewer than three values, or where all are equal.
    """
    if len(first) < 3 or not np.ptp(first) or not np.ptp(second):
        return None
    return float(stats.spearmanr(first, second).statistic)


def _checked(name: str, kind: Observed) -> Observed:
    kind = Observed(*map(np.asarray, kind))
    shapes = {field: part.shape for field, part in kind._asdict().items()}
    if kind.label.ndim != 1 or len(set(shapes.values())) > 1:
        raise ValueError(f"{name}, shapes {shapes}: accepted are vectors of one length")
    return kind


def _of(kind: Observed, labels: np.ndarray) -> Observed:
    chosen = np.isin(kind.label, labels)
    return Observed(*(np.asarray(part)[chosen] for part in kind))


def _intervals(intervals) -> np.ndarray:
    return np.array([tuple(i) for i in intervals], np.float64).reshape(-1, 3)
