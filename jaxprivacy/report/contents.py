"""What a report is made of; an experiment fills it, the report never recomputes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jaxprivacy.evaluation.intervals import Interval
from jaxprivacy.evaluation.membership import Roc


class GradientNorms(NamedTuple):
    """L2 norms of per-example gradients over the rounds.

    Source of the diagnostic: paper B (Nasr, Shokri and Houmansadr, S&P 2019).
    """

    rounds: np.ndarray  # (T,)
    members: np.ndarray  # (T, N)
    non_members: np.ndarray  # (T, M)
    layer: str  # whose gradient, e.g. 'all layers'


class RocCurve(NamedTuple):
    """One attack's ROC curve."""

    label: str
    roc: Roc
    auc: Interval


class Reconstructions(NamedTuple):
    """Images of one class, (N, H, W, C) in [-1, 1], C being 1 or 3."""

    target_class: int
    real: np.ndarray  # (N, H, W, C) the victim's
    closest: np.ndarray  # (N, H, W, C) private image closest (L1) to each `gan` sample
    final: dict[str, np.ndarray]  # attack -> (N, H, W, C)
    rounds: np.ndarray  # (R,)
    over_rounds: np.ndarray  # (R, N, H, W, C) samples of `gan` at those rounds
    accuracy: np.ndarray  # (R,) test accuracy of the shared model at those rounds


class Report(NamedTuple):
    """One run's findings."""

    result: dict[str, Any]  # what result.json holds
    settings: list[tuple[str, Any]]  # (name, value)
    split_counts: list[tuple[str, int, str]]  # (who, records, explanation)
    roc_curves: list[RocCurve]
    gradient_norms: GradientNorms | None
    # Over the rounds, each (T,): rounds, train_accuracy, test_accuracy, train_loss.
    training: dict[str, np.ndarray] | None
    reconstructions: Reconstructions | None
    notes: list[str]  # plain sentences, e.g. why an attack was skipped
