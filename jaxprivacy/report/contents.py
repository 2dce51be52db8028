"""What a report is made of; an experiment fills it, the report never recomputes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxprivacy.evaluation import intervals, membership


class GradientNorms(NamedTuple):
    """L2 norms of per-example gradients over the rounds.

    Source of the diagnostic: paper B (Nasr, Shokri and Houmansadr, S&P 2019).
    """

    rounds: np.ndarray  # (T,)
    members: np.ndarray  # (T, N)
    non_members: np.ndarray  # (T, M)
    layer: str  # whose gradient, e.g. 'all layers'
    unit: str = "round"  # of what `rounds` counts


class Diagnostics(NamedTuple):
    """What tells M members from N non-members of the evaluation; None where absent.

    The figures by class need all of label, correct, uncertainty and score.

    Source: paper B (Nasr, Shokri and Houmansadr, S&P 2019), PAPERS row B23.
    """

    # Over T snapshots: the L2 norm of the gradient of the last layer.
    epochs: np.ndarray  # (T,) rising
    members_norm: np.ndarray  # (T, M)
    non_members_norm: np.ndarray  # (T, N)
    # The same of all layers.
    members_norm_all: np.ndarray | None = None  # (T, M)
    non_members_norm_all: np.ndarray | None = None  # (T, N)
    # At the last snapshot.
    members_label: np.ndarray | None = None  # (M,)
    non_members_label: np.ndarray | None = None  # (N,)
    members_correct: np.ndarray | None = None  # (M,) whether the target is right
    non_members_correct: np.ndarray | None = None  # (N,)
    members_uncertainty: np.ndarray | None = None  # (M,) normalised entropy, [0, 1]
    non_members_uncertainty: np.ndarray | None = None  # (N,)
    # Of the strongest attack; above the threshold, chosen on other records: member.
    members_score: np.ndarray | None = None  # (M,)
    non_members_score: np.ndarray | None = None  # (N,)
    threshold: float | None = None  # None: no accuracy by class, but the AUC
    attack: str = ""  # whose scores these are, for readers
    # Of the unsupervised attack, of any number of records.
    embedding_members: np.ndarray | None = None  # (M',)
    embedding_non_members: np.ndarray | None = None  # (N',)
    unit: str = "epoch"  # or round: what `epochs` counts


class RocCurve(NamedTuple):
    """One attack's ROC curve."""

    label: str
    roc: membership.Roc
    auc: intervals.Interval


class Reconstructions(NamedTuple):
    """Images of one class, (N, H, W, C) in [-1, 1], C being 1 or 3."""

    target_class: int
    real: np.ndarray  # (N, H, W, C) the victim's
    closest: np.ndarray  # (N, H, W, C) private image nearest (L1) to each sample
    final: dict[str, np.ndarray]  # attack -> (N, H, W, C)
    rounds: np.ndarray  # (R,)
    over_rounds: np.ndarray  # (R, N, H, W, C) its samples at those rounds
    accuracy: np.ndarray  # (R,) test accuracy of the shared model at those rounds
    attack: str = "gan"  # whose samples these are, in `closest` and `over_rounds`


class Privacy(NamedTuple):
    """Noise on the uploads, and what it is charged: pure epsilon, basic composition."""

    epsilon_per_parameter: float
    parameters: int  # of the model
    uploaded: int  # c, the most parameters in an upload
    epsilon_per_upload: float  # per epoch, per participant
    uploads: int  # of a participant, over the run
    epsilon_total: float
    clip_first: bool = False  # without it the epsilons bound nothing


class Course(NamedTuple):
    """One collaborative run over its rounds."""

    attack: str  # name in `report.threats`
    rounds: np.ndarray  # (R,)
    accuracy: np.ndarray  # (R,) of the shared model on records that nobody holds
    hit_rate: np.ndarray  # (R, 3) value, low, high
    frechet: np.ndarray  # (R,) NaN where there is none
    start_round: int  # the round in which the attack began, from 1
    over: str = "samples"  # what the interval is over, e.g. '3 seeds'
    # Of the uploads, means over the participants; None where there is none.
    clipped: np.ndarray | None = None  # (R,) share of an update's numbers beyond gamma
    cosine: np.ndarray | None = None  # (R,) between an update and its upload


class Samples(NamedTuple):
    """Images of one class beside its reconstructions, in [-1, 1], C being 1 or 3."""

    title: str  # of whom they are, e.g. 'class 3' or 'GAN, seed 0'
    real: np.ndarray  # (N, H, W, C) the victim's
    samples: np.ndarray  # (N, H, W, C)


class Tradeoff(NamedTuple):
    """Privacy against leakage, from a sweep over E budgets and S seeds."""

    epsilon_per_parameter: np.ndarray  # (E,) ascending, inf being no privacy
    epsilon_total: np.ndarray  # (E,)
    accuracy: np.ndarray  # (E, S) of the shared model on records that nobody holds
    hit_rate: np.ndarray  # (E, 3) value, low, high
    frechet: np.ndarray  # (E, S) NaN where there is none
    over: str = "samples"  # what the interval is over, e.g. '3 seeds'
    clip_first: bool = False  # without it the epsilons bound nothing
    # Of the uploads, means over seeds and participants.
    clipped: np.ndarray | None = None  # (E, R)
    cosine: np.ndarray | None = None  # (E, R)


class Report(NamedTuple):
    """One run's findings."""

    result: dict[str, Any]  # what result.json holds
    settings: list[tuple[str, Any]]  # (name, value)
    split_counts: list[tuple[str, int, str]]  # (who, records, explanation)
    roc_curves: Sequence[RocCurve] = ()
    gradient_norms: GradientNorms | None = None
    # Over the rounds, each (T,): rounds, train_accuracy, test_accuracy, train_loss.
    training: dict[str, np.ndarray] | None = None
    reconstructions: Reconstructions | None = None
    notes: Sequence[str] = ()  # plain sentences, e.g. why an attack was skipped
    courses: Sequence[Course] = ()
    class_samples: Sequence[Samples] = ()
    tradeoff: Tradeoff | None = None
    diagnostics: Diagnostics | None = None
    inversions: Sequence[Samples] = ()  # records above what an update gave away
    simulated: bool = True  # False: the model was given, and trained elsewhere
