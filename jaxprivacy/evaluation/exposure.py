"""Who is at risk: which members an attack finds, and how sure it can be of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxprivacy.evaluation import intervals

FPRS = (0.01, 0.1)  # at the first of which the records allow, records count as found


class Exposed(NamedTuple):
    """N records over M targets."""

    member: np.ndarray  # (M, N) whether a target was trained on a record, and judged
    found: np.ndarray  # (M, N) whether the attack says so at the false positive rate
    scores: np.ndarray  # (M, N) the higher, the likelier a member


def told_fpr(non_members: int) -> float:
    """The smallest of `FPRS` at which so many non-members tell a rate."""
    return next((fpr for fpr in FPRS if fpr * non_members >= 1), FPRS[-1])


def found(scores: np.ndarray, non_members: np.ndarray, fpr: float) -> np.ndarray:
    """Which scores lie above the threshold that a share of the non-members exceeds.

    Args:
      scores: of any shape.
      non_members: (K,) scores.
      fpr: the most of the non-members that may lie above it, in [0, 1).
    """
    above = int(fpr * len(non_members))
    threshold = np.sort(non_members)[::-1][above]
    return scores > threshold


def precision(tpr: float, fpr: float, prior: float) -> float:
    """Of the records that an attack names, how many are members: Bayes' rule.

    Args:
      tpr: the share of the members that it names.
      fpr: the share of the non-members that it names.
      prior: the share of all candidates that are members, in (0, 1).

    Returns:
      0 where it names none.
    """
    right, wrong = prior * tpr, (1 - prior) * fpr
    return right / (right + wrong) if right + wrong else 0.0


def records(exposed: Exposed, most: int) -> list[dict]:
    """The records that are found most surely, the surest first.

    Args:
      exposed: of all targets.
      most: how many at most.

    Returns:
      Of each its number among the N, the targets that were trained on it, in how many
      of these it is found, and its mean score over them. First come those that are
      found in the largest share, of these those with the highest score.
    """
    member_of = exposed.member.sum(axis=0)
    found_in = (exposed.member & exposed.found).sum(axis=0)
    total = np.where(exposed.member, exposed.scores, 0).sum(axis=0)
    times = np.maximum(member_of, 1)
    share, mean = found_in / times, total / times
    order = np.lexsort((np.arange(len(share)), -mean, -share))
    order = [i for i in order if found_in[i]][:most]
    return [
        {
            "record": int(i),
            "member_of": int(member_of[i]),
            "found_in": int(found_in[i]),
            "score": float(mean[i]),
        }
        for i in order
    ]


def always_found(exposed: Exposed) -> tuple[int, int]:
    """How many records are found in every target that has them, of how many."""
    held = exposed.member.any(axis=0)
    missed = (exposed.member & ~exposed.found).any(axis=0)
    return int((held & ~missed).sum()), int(held.sum())


def classes(exposed: Exposed, labels: np.ndarray) -> list[dict]:
    """The share of each class's members that is found, the most exposed class first.

    Args:
      exposed: of all targets.
      labels: (N,) classes.

    Returns:
      Of each class with members its label, how many members it has in all targets, and
      `tpr` with an interval: Student's t over targets, of one target Clopper-Pearson.
    """
    made = []
    for label in np.unique(labels):
        of = exposed.member & (labels == label)
        counts, hits = of.sum(axis=1), (of & exposed.found).sum(axis=1)
        if not counts.sum():
            continue
        if len(counts) > 1:
            shares = hits[counts > 0] / counts[counts > 0]
            tpr = intervals.student_t(shares, 1.0)
        else:
            exact = intervals.clopper_pearson(int(hits[0]), int(counts[0]))
            tpr = {**exact._asdict(), "rows": 1}
        made.append({"label": int(label), "members": int(counts.sum()), "tpr": tpr})
    return sorted(made, key=lambda row: -row["tpr"]["value"])
