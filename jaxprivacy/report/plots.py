"""The figures, as PNG bytes; Matplotlib's Figure objects, no global state of pyplot."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from jaxprivacy.evaluation import diagnostics, intervals
from jaxprivacy.report import (
    contents,
    plots_diagnostics,
    plots_images,
    plots_studies,
    plots_tradeoff,
    text,
)
from jaxprivacy.report.plots_style import (
    COLORS,
    DPI,
    GREY,
    grid,
    literal,
    new_figure,
    style,
    whole_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROC, NORMS, TRAINING = "roc.png", "gradient_norms.png", "training.png"
SAMPLES, ROUNDS = "reconstruction_samples.png", "reconstruction_rounds.png"
COURSES, CLASSES = "courses.png", "class_samples.png"
LEAKAGE, INVERSIONS = "privacy_leakage.png", "gradient_inversion.png"
TRADEOFF = "tradeoff.png"
NAMES = (ROC, NORMS, TRAINING, SAMPLES, ROUNDS)  # Of an audit.
HISTOGRAMS, GAPS, CLASS_ROC = "norm_histograms.png", "class_gaps.png", "class_roc.png"
EMBEDDINGS, ROWS = "embeddings.png", "membership_rows.png"
DIAGNOSTICS = (HISTOGRAMS, GAPS, CLASS_ROC, EMBEDDINGS)  # And `NORMS`.
STUDIES = (COURSES, CLASSES, INVERSIONS, LEAKAGE, TRADEOFF)
ALL_NAMES = (*NAMES, *STUDIES, *DIAGNOSTICS, ROWS)
FEW_ROWS = 4  # Up to so many are read from the table.


def draw(report: contents.Report) -> dict[str, bytes]:
    """Returns the figures that the report has contents for, by file name."""
    figures = {}
    if report.roc_curves:
        figures[ROC] = roc_figure(report.roc_curves)
    if report.gradient_norms is not None:
        figures[NORMS] = gradient_norm_figure(report.gradient_norms)
    if report.training is not None:
        figures[TRAINING] = training_figure(report.training)
    if report.reconstructions is not None:
        images = report.reconstructions
        figures[SAMPLES] = plots_images.reconstruction_figure(images)
        if len(images.rounds):
            figures[ROUNDS] = plots_images.rounds_figure(images)
    if report.courses:
        figures[COURSES] = plots_studies.courses_figure(report.courses)
    if report.class_samples:
        figures[CLASSES] = plots_images.class_samples_figure(report.class_samples)
    if report.inversions:
        figures[INVERSIONS] = plots_images.class_samples_figure(
            report.inversions, ("record", "found")
        )
    if report.tradeoff is not None:
        figures[LEAKAGE] = plots_studies.privacy_leakage_figure(report.tradeoff)
    if rows := report.result.get("tradeoff"):
        figures[TRADEOFF] = plots_tradeoff.tradeoff_figure(rows)
    if report.diagnostics is not None:
        figures |= diagnostic_figures(report.diagnostics)
    rows = text.shown_rows(report.result["membership"])
    if len(rows) > FEW_ROWS:
        figures[ROWS] = plots_diagnostics.membership_rows_figure(rows)
    return {name: to_png(figure) for name, figure in figures.items()}


def diagnostic_figures(content: contents.Diagnostics) -> dict[str, Figure]:
    """Returns the figures that the diagnostics have contents for, by file name."""
    figures = {
        NORMS: plots_diagnostics.norm_curves_figure(content),
        HISTOGRAMS: plots_diagnostics.norm_histogram_figure(content),
    }
    kinds = plots_diagnostics.observed(content)
    if kinds is not None:
        gaps = diagnostics.class_gaps(*kinds, content.threshold)
        if len(gaps.label):
            figures[GAPS] = plots_diagnostics.class_gap_figure(gaps, content.attack)
        groups = diagnostics.gap_groups(*kinds, gaps)
        if groups:
            figures[CLASS_ROC] = plots_diagnostics.class_roc_figure(groups)
    if content.embedding_members is not None:
        figures[EMBEDDINGS] = plots_diagnostics.embedding_figure(content)
    return figures


def to_png(figure: Figure) -> bytes:
    """Returns a figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


def roc_figure(curves: list[contents.RocCurve]) -> Figure:
    """Returns the ROC curves on log axes, so that low false positive rates show."""
    figure = new_figure(5.6)
    axes = figure.subplots()
    floor = min(_floor(curve.roc.fpr) for curve in curves)
    lowest = min(_floor(curve.roc.tpr) for curve in curves)
    bottom = min(floor, lowest)
    ends = [bottom, 1]
    axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=":", label="chance")
    for index, curve in enumerate(curves):
        line = style(index) | {"linewidth": 1.7}
        # The last point of each FPR: what is reached without a further false positive.
        last = np.append(np.diff(curve.roc.fpr) > 0, True)
        fpr, tpr, low, high = (
            np.maximum(part[last], bottom / 10) for part in curve.roc
        )
        label = literal(f"{curve.label}: AUC {_shown(curve.auc)}")
        axes.step(fpr, tpr, where="post", label=label, **line)
        band = {"color": line["color"], "alpha": 0.13, "lw": 0}
        axes.fill_between(fpr, low, high, step="post", **band)
    axes.set(xscale="log", yscale="log", xlim=(floor, 1), ylim=(bottom, 1.08))
    _percent_ticks(axes)
    axes.set_xlabel("false positive rate: share of non-members taken for members")
    axes.set_ylabel("true positive rate: share of members found")
    _legend(figure, axes)
    return figure


def gradient_norm_figure(norms: contents.GradientNorms) -> Figure:
    """Returns median and interquartile range of gradient norms over the rounds."""
    figure = new_figure(3.6)
    axes = figure.subplots()
    groups = (("members", norms.members), ("non-members", norms.non_members))
    for index, (name, values) in enumerate(groups):
        quartiles = np.nanpercentile(
            np.asarray(values, np.float64), [25, 50, 75], axis=1
        )
        low, middle, high = quartiles
        line = style(index) | {"marker": "o", "markersize": 3}
        axes.plot(norms.rounds, middle, label=name, **line)
        axes.fill_between(
            norms.rounds, low, high, color=COLORS[index], alpha=0.15, lw=0
        )
    axes.set(
        yscale="log", xlabel=norms.unit, ylabel=literal(f"gradient norm, {norms.layer}")
    )
    whole_ticks(axes)
    axes.legend(frameon=False, title="median and interquartile range", alignment="left")
    return figure


def training_figure(training: dict[str, np.ndarray]) -> Figure:
    """Returns the shared model's accuracy and loss over the rounds."""
    figure = new_figure(2.9)
    left, right = figure.subplots(1, 2)
    rounds = training["rounds"]
    for index, name in enumerate(("train", "test")):
        left.plot(rounds, training[f"{name}_accuracy"], label=name, **style(index))
    left.set(xlabel="round", ylabel="accuracy", ylim=(0, 1.02))
    left.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    left.legend(frameon=False)
    right.plot(rounds, training["train_loss"], color=COLORS[0])
    right.set(xlabel="round", ylabel="training loss", ylim=(0, None))
    for axes in (left, right):
        whole_ticks(axes)
    return figure


def _shown(interval: intervals.Interval) -> str:
    return text.number_interval(interval._asdict())


def _floor(rates: np.ndarray) -> float:
    """Returns the smallest rate above 0."""
    return float(np.min(rates[rates > 0]))


def _percent_ticks(axes: Axes) -> None:
    from matplotlib import ticker

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        axis.set_minor_formatter(ticker.NullFormatter())
    grid(axes)


def _legend(figure: Figure, axes: Axes) -> None:
    """Puts a legend below the axes, where it hides no curve, chance last."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles[1:] + handles[:1],
        labels[1:] + labels[:1],
        loc="outside lower left",
        frameon=False,
        fontsize=9,
        handlelength=3.2,
    )
