"""What is said of figures, made from the data that they show."""

from __future__ import annotations

import numpy as np

from jaxprivacy.report import contents, text


def gradient_norms(norms: contents.GradientNorms) -> str:
    """Says whose median gradient norm lies lower, at how many rounds."""
    medians = [
        np.nanmedian(np.asarray(kind, np.float64), axis=1)
        for kind in (norms.members, norms.non_members)
    ]
    return (
        "The norm of the gradient of the loss for a record, over the "
        f"{norms.unit}s: the median, with the middle half of the records as a band. "
        + _lower(*medians, "median", norms.unit)
    )


def diagnosed_norms(content: contents.Diagnostics) -> str:
    """Says whose mean gradient norm lies lower, at how many snapshots."""
    means = [
        np.asarray(kind, np.float64).mean(axis=1)
        for kind in (content.members_norm, content.non_members_norm)
    ]
    more = "" if content.members_norm_all is None else "Of the last layer: "
    said = _lower(*means, "mean", content.unit)
    return (
        "Mean L2 norm of a record's gradient over the training, with the middle half "
        "of the records as a band. On a logarithmic axis a few large norms can pull a "
        f"mean above its band. {more}{said[0].lower() if more else said[0]}{said[1:]}"
    )


def _lower(members: np.ndarray, others: np.ndarray, what: str, unit: str) -> str:
    below, above = int(np.sum(members < others)), int(np.sum(members > others))
    total = len(members)
    lead = f"The members' {what} lies"
    if total in (below, above):
        every = f"at all {total} {unit}s" if total > 1 else f"at the one {unit}"
        side = "below" if below else "above"
        return f"{lead} {side} that of the non-members {every}."
    return (
        f"{lead} below that of the non-members at {below} of {total} {unit}s, and "
        f"above it at {above}."
    )


def training(course: dict[str, np.ndarray]) -> str:
    """Says how far the accuracies lie apart in the end."""
    train, test = (float(course[f"{name}_accuracy"][-1]) for name in ("train", "test"))
    said = (
        f"At the end the model is right on {text.percent(train)} % of the records that "
        f"it was trained on and on {text.percent(test)} % of others"
    )
    gap = train - test
    if round(100 * gap, 1) <= 0:
        return f"{said}: no gap, so its accuracy does not give members away."
    return (
        f"{said}: a gap of {text.percent(gap)} percentage points. The wider it is, the "
        "more an attack on membership has to go by."
    )


def over_rounds(images: contents.Reconstructions) -> str:
    """Says how good the shared model was when the samples were taken."""
    ends = [text.percent(float(a), 0) for a in images.accuracy[[0, -1]]]
    between = f"{ends[0]} % at the first to {ends[1]} % at the last"
    if len(images.rounds) == 1:
        between = f"{ends[0]} %"
    return (
        "Samples as the training went on, beside the test accuracy of the shared model "
        f"at that round: {between}."
    )
