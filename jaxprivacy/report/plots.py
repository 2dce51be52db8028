"""The figures, as PNG bytes; Matplotlib's Figure objects, no global state of pyplot."""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING

import numpy as np

from jaxprivacy.evaluation.intervals import Interval
from jaxprivacy.report import text
from jaxprivacy.report.contents import GradientNorms, Reconstructions, Report, RocCurve
from jaxprivacy.report.threats import threat

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROC, NORMS, TRAINING = "roc.png", "gradient_norms.png", "training.png"
SAMPLES, ROUNDS = "reconstruction_samples.png", "reconstruction_rounds.png"
NAMES = (ROC, NORMS, TRAINING, SAMPLES, ROUNDS)

# Okabe and Ito's palette, told apart with each kind of colour blindness; line styles
# carry the same in grey.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
_GREY = "#5f6b76"
_WIDTH, _DPI = 7.0, 200  # Inches; shown at half size, so sharp on dense screens.
_SHOWN = 10  # Samples a row.


def draw(report: Report) -> dict[str, bytes]:
    """Returns the figures that the report has contents for, by file name."""
    figures = {}
    if report.roc_curves:
        figures[ROC] = roc_figure(report.roc_curves)
    if report.gradient_norms is not None:
        figures[NORMS] = gradient_norm_figure(report.gradient_norms)
    if report.training is not None:
        figures[TRAINING] = training_figure(report.training)
    if report.reconstructions is not None:
        figures[SAMPLES] = reconstruction_figure(report.reconstructions)
        if len(report.reconstructions.rounds):
            figures[ROUNDS] = rounds_figure(report.reconstructions)
    return {name: to_png(figure) for name, figure in figures.items()}


def to_png(figure: Figure) -> bytes:
    """Returns a figure as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def roc_figure(curves: list[RocCurve]) -> Figure:
    """Returns the ROC curves on log axes, so that low false positive rates show."""
    figure = _figure(5.6)
    axes = figure.subplots()
    floor = min(_floor(curve.roc.fpr) for curve in curves)
    lowest = min(_floor(curve.roc.tpr) for curve in curves)
    bottom = min(floor, lowest)
    ends = [bottom, 1]
    axes.plot(ends, ends, color=_GREY, linewidth=1, linestyle=":", label="chance")
    for index, curve in enumerate(curves):
        color, line = COLORS[index % len(COLORS)], LINES[index % len(LINES)]
        # The last point of each FPR: what is reached without a further false positive.
        last = np.append(np.diff(curve.roc.fpr) > 0, True)
        fpr, tpr, low, high = (
            np.maximum(part[last], bottom / 10) for part in curve.roc
        )
        label = _literal(f"{curve.label}: AUC {_shown(curve.auc)}")
        style = {"color": color, "linestyle": line, "linewidth": 1.7}
        axes.step(fpr, tpr, where="post", label=label, **style)
        axes.fill_between(fpr, low, high, step="post", color=color, alpha=0.13, lw=0)
    axes.set(xscale="log", yscale="log", xlim=(floor, 1), ylim=(bottom, 1.08))
    _percent_ticks(axes)
    axes.set_xlabel("false positive rate: share of non-members taken for members")
    axes.set_ylabel("true positive rate: share of members found")
    _legend(figure, axes)
    return figure


def gradient_norm_figure(norms: GradientNorms) -> Figure:
    """Returns median and interquartile range of gradient norms over the rounds."""
    figure = _figure(3.6)
    axes = figure.subplots()
    groups = (("members", norms.members), ("non-members", norms.non_members))
    for index, (name, values) in enumerate(groups):
        quartiles = np.nanpercentile(
            np.asarray(values, np.float64), [25, 50, 75], axis=1
        )
        low, middle, high = quartiles
        style = {"color": COLORS[index], "linestyle": LINES[index]}
        axes.plot(norms.rounds, middle, marker="o", markersize=3, label=name, **style)
        axes.fill_between(
            norms.rounds, low, high, color=COLORS[index], alpha=0.15, lw=0
        )
    axes.set(
        yscale="log", xlabel="round", ylabel=_literal(f"gradient norm, {norms.layer}")
    )
    _whole_ticks(axes)
    axes.legend(frameon=False, title="median and interquartile range", alignment="left")
    return figure


def training_figure(training: dict[str, np.ndarray]) -> Figure:
    """Returns the shared model's accuracy and loss over the rounds."""
    figure = _figure(2.9)
    left, right = figure.subplots(1, 2)
    rounds = training["rounds"]
    for index, name in enumerate(("train", "test")):
        style = {"color": COLORS[index], "linestyle": LINES[index]}
        left.plot(rounds, training[f"{name}_accuracy"], label=name, **style)
    left.set(xlabel="round", ylabel="accuracy", ylim=(0, 1.02))
    left.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    left.legend(frameon=False)
    right.plot(rounds, training["train_loss"], color=COLORS[0])
    right.set(xlabel="round", ylabel="training loss", ylim=(0, None))
    for axes in (left, right):
        _whole_ticks(axes)
    return figure


def reconstruction_figure(images: Reconstructions) -> Figure:
    """Returns rows of images: the victim's, and each attack's samples."""
    rows = {"Victim's images": images.real}
    if "gan" in images.final:
        rows[threat("gan").title] = images.final["gan"]
        rows["Private image closest to the GAN sample (L1)"] = images.closest
    for attack, samples in images.final.items():
        if attack not in ("gan", "real"):
            rows[threat(attack).title] = samples
    return _rows_of_images(list(rows), list(rows.values()))


def rounds_figure(images: Reconstructions) -> Figure:
    """Returns the samples of `gan` at rounds beside the shared model's accuracy."""
    labels = [
        f"round {int(number)}\naccuracy {text.percent(accuracy, 0)} %"
        for number, accuracy in zip(images.rounds, images.accuracy, strict=True)
    ]
    return _rows_of_images(labels, list(images.over_rounds))


def _figure(height: float) -> Figure:
    from matplotlib import figure

    return figure.Figure(figsize=(_WIDTH, height), layout="constrained")


def _rows_of_images(labels: list[str], rows: list[np.ndarray]) -> Figure:
    columns = min(_SHOWN, max(len(row) for row in rows))
    # 1.5 inches hold the labels; pictures are at most 0.8 wide.
    side = min(0.8, (_WIDTH - 1.5) / columns)
    figure = _figure(len(rows) * (side + 0.08) + 0.1)
    for axes, label, row in zip(
        figure.subplots(len(rows), 1, squeeze=False)[:, 0], labels, rows, strict=True
    ):
        axes.imshow(_strip(row, columns), interpolation="nearest", aspect="equal")
        axes.set_axis_off()
        axes.set_anchor("W")
        axes.text(
            -0.015,
            0.5,
            _folded(label),
            transform=axes.transAxes,
            ha="right",
            va="center",
            fontsize=8,
        )
    return figure


def _strip(images: np.ndarray, columns: int) -> np.ndarray:
    """Returns the first images side by side as RGB in [0, 1], white between them."""
    pixels = np.nan_to_num(np.asarray(images[:columns], np.float64))
    pixels = np.clip((pixels + 1) / 2, 0, 1)
    if pixels.shape[-1] != 3:  # Other numbers of channels are shown as their mean.
        pixels = np.repeat(pixels.mean(axis=-1, keepdims=True), 3, axis=-1)
    count, height, width, _ = pixels.shape
    gap = max(1, width // 14)
    strip = np.ones((height, columns * (width + gap) - gap, 3))
    for index in range(count):
        start = index * (width + gap)
        strip[:, start : start + width] = pixels[index]
    return strip


def _folded(label: str) -> str:
    """Returns a label in short lines, its own line ends kept."""
    return "\n".join(textwrap.fill(line, 18) for line in _literal(label).split("\n"))


def _literal(label: str) -> str:
    """Returns a label that Matplotlib does not read as mathematics."""
    return label.replace("$", r"\$")


def _shown(interval: Interval) -> str:
    return text.number_interval(interval._asdict())


def _floor(rates: np.ndarray) -> float:
    """Returns the smallest rate above 0."""
    return float(np.min(rates[rates > 0]))


def _percent_ticks(axes: Axes) -> None:
    from matplotlib import ticker

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        axis.set_minor_formatter(ticker.NullFormatter())
    _grid(axes)


def _whole_ticks(axes: Axes) -> None:
    from matplotlib import ticker

    axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    _grid(axes)


def _grid(axes: Axes) -> None:
    axes.grid(color="#dde3e8", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(which="both", colors=_GREY, labelcolor="#22303a", labelsize=9)


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
