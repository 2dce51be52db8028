"""Telling more than two kinds of record apart by attacks that each tell two apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

from jaxprivacy.evaluation.intervals import clopper_pearson, student_t

# What a row says of its attack; the others are what it found.
_FOUND = ("seed", "trained", "kinds", "confusion", "confidence", "accuracy")


def votes(
    duels: Mapping[tuple[str, str], np.ndarray], kinds: Sequence[str]
) -> np.ndarray:
    """Adds up for each kind by how much it wins its duels with the others.

    Args:
      duels: (first, second) -> (N,) logits of an attack that tells the two kinds apart,
        that of the first; of records of any kind.
      kinds: K of them; every two have a duel, in either order.

    Returns:
      (N, K), the mean probability of each kind over its K - 1 duels. The kind with the
      largest one is the answer: Hastie and Tibshirani, "Classification by pairwise
      coupling", Annals of Statistics 1998, their estimate before iteration.
    """
    total = dict.fromkeys(kinds, 0.0)
    for (first, second), logits in duels.items():
        total[first] = total[first] + special.expit(logits)
        total[second] = total[second] + special.expit(-logits)
    return np.stack([total[kind] for kind in kinds], axis=1) / (len(kinds) - 1)


def three_way_row(
    conditions: Mapping[str, Any],
    duels: Mapping[tuple[str, str], np.ndarray],
    evaluation: Mapping[str, np.ndarray],
    confidence: float = 0.95,
) -> dict[str, Any]:
    """One attack's row of `three_way` in result.json.

    Args:
      conditions: which attack it is of, and which seed.
      duels: as for `votes`.
      evaluation: kind -> where its evaluation records stand among the N; as many of
        each.
      confidence: coverage of the accuracy's interval.

    Returns:
      The conditions, `kinds`, `confusion` (K, K) counts of records of each kind, a row,
      by what they were taken for, and `accuracy`, 1 / K being chance.
    """
    kinds = list(evaluation)
    answers = votes(duels, kinds).argmax(axis=1)
    confusion = [
        np.bincount(answers[where], minlength=len(kinds)).tolist()
        for where in evaluation.values()
    ]
    right = int(np.trace(confusion))
    accuracy = clopper_pearson(right, int(np.sum(confusion)), confidence)
    return {
        **conditions,
        "kinds": kinds,
        "confusion": confusion,
        "confidence": confidence,
        "accuracy": accuracy._asdict(),
    }


def recall(row: Mapping[str, Any]) -> list[float]:
    """Of each kind's records the share that is taken for it: a row's diagonal."""
    counts = np.asarray(row["confusion"], np.float64)
    return (np.diag(counts) / counts.sum(axis=1)).tolist()


def summarise(rows: Sequence[dict]) -> list[dict]:
    """Means over seeds of rows that differ in nothing else; one seed's stay.

    Returns:
      For each attack its conditions, `kinds`, `confusion` summed over the seeds, and
      `accuracy`: a row's own, or of several seeds the mean with Student's t interval at
      95 %.
    """
    groups: dict[str, list[dict]] = {}
    for row in rows:
        of_attack = {k: v for k, v in row.items() if k not in _FOUND}
        groups.setdefault(repr(sorted(of_attack.items())), []).append(row)
    return [group[0] if len(group) == 1 else _mean(group) for group in groups.values()]


def _mean(group):
    values = [row["accuracy"]["value"] for row in group]
    return group[0] | {
        "seeds": [row["seed"] for row in group],
        "confusion": np.sum([row["confusion"] for row in group], axis=0).tolist(),
        "confidence": 0.95,
        "accuracy": student_t(values, least=0.0, most=1.0),
    }
