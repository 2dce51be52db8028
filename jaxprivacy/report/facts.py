"""What a report says beside its result, in words: kept with it in result.json.

With the result and the figures it is all that the page and the terminal tell, so that
both can be made again where the arrays are gone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxprivacy.evaluation import diagnostics
from jaxprivacy.report import captions, contents, plots_diagnostics, verdict_privacy

KEY = "page"  # of result.json


class Facts(NamedTuple):
    """As JSON takes them."""

    settings: list[tuple[str, str]]
    split_counts: list[tuple[str, int, str]]  # (who, records, explanation)
    notes: list[str]
    simulated: bool
    captions: dict[str, str]
    diagnosed: bool  # whether there are diagnostics
    left_out: int  # classes with too few records for the figures
    sampled: dict[str, Any] | None  # attack and class of the images; None: no images
    courses_over: str  # what the intervals of the courses are over
    budgets: list[dict[str, str]]  # of a sweep, title -> cell of each row
    budgets_claim: str
    budgets_over: str


EMPTY = Facts([], [], [], True, {}, False, 0, None, "samples", [], "", "samples")


def of(report: contents.Report) -> Facts:
    """The facts of a report."""
    images, tradeoff = report.reconstructions, report.tradeoff
    return Facts(
        settings=[(name, str(value)) for name, value in report.settings],
        split_counts=list(report.split_counts),
        notes=list(report.notes),
        simulated=report.simulated,
        captions=_captions(report),
        diagnosed=report.diagnostics is not None,
        left_out=_left_out(report),
        sampled=images and {"attack": images.attack, "class": images.target_class},
        courses_over=report.courses[0].over if report.courses else "samples",
        budgets=verdict_privacy.budgets(tradeoff) if tradeoff else [],
        budgets_claim=verdict_privacy.claim_of_sweep(tradeoff) if tradeoff else "",
        budgets_over=tradeoff.over if tradeoff else "samples",
    )


def kept(result: dict[str, Any]) -> Facts | None:
    """The facts that a result.json keeps; None: it is of a version that kept others."""
    held = result.get(KEY)
    if not isinstance(held, dict) or set(held) != set(Facts._fields):
        return None
    return Facts(**held)


def _captions(report: contents.Report) -> dict[str, str]:
    """Captions that say what their figures show."""
    said = dict.fromkeys(("gradient_norms", "training", "over_rounds"), "")
    if report.diagnostics:
        said["gradient_norms"] = captions.diagnosed_norms(report.diagnostics)
    elif report.gradient_norms:
        said["gradient_norms"] = captions.gradient_norms(report.gradient_norms)
    if report.training is not None:
        said["training"] = captions.training(report.training)
    if report.reconstructions and len(report.reconstructions.rounds):
        said["over_rounds"] = captions.over_rounds(report.reconstructions)
    return said


def _left_out(report: contents.Report) -> int:
    """How many classes have too few records to stand in the figures."""
    kinds = report.diagnostics and plots_diagnostics.observed(report.diagnostics)
    return diagnostics.class_gaps(*kinds).left_out if kinds else 0
