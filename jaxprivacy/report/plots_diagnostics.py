"""Figures of what tells members from non-members (paper B, PAPERS row B23)."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxprivacy.evaluation import diagnostics
from jaxprivacy.report import contents, text, threats
from jaxprivacy.report.plots_style import (
    COLORS,
    GREY,
    grid,
    literal,
    log_axis,
    new_figure,
    style,
    whole_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("members", "non-members")
_BINS = (12, 40)  # The fewest and the most; between, the root of the records.
_MARKED = 20  # Up to so many snapshots, each is marked by a dot.
_LETTERS = 44  # Of a line of a row's name.


def norm_curves_figure(content: contents.Diagnostics) -> Figure:
    """Returns mean gradient norms with quartile bands over the snapshots."""
    panels = [("last layer", content.members_norm, content.non_members_norm)]
    if content.members_norm_all is not None:
        everything = content.members_norm_all, content.non_members_norm_all
        panels.append(("all layers", *everything))
    figure = new_figure(3.4)
    for axes, (layers, *kinds) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        for index, norms in enumerate(kinds):
            _norm_curve(axes, content.epochs, np.asarray(norms, np.float64), index)
        axes.set(xlabel=content.unit, ylabel=f"gradient norm (L2), {layers}")
        log_axis(axes)
        whole_ticks(axes)
    _legend(figure, figure.axes[0])
    return figure


def _norm_curve(axes: Axes, epochs: np.ndarray, norms: np.ndarray, index: int) -> None:
    line = style(index) | {"marker": "os"[index] if len(epochs) <= _MARKED else ""}
    # What is 0 has no place on a logarithmic axis and leaves a gap.
    mean, low, high = (
        np.where(values > 0, values, np.nan)
        for values in (norms.mean(axis=1), *np.percentile(norms, [25, 75], axis=1))
    )
    axes.plot(epochs, mean, label=f"{KINDS[index]}, mean", markersize=4, **line)
    band = {"color": COLORS[index], "alpha": 0.16, "lw": 0}
    axes.fill_between(epochs, low, high, label="middle half of them", **band)


def norm_histogram_figure(content: contents.Diagnostics) -> Figure:
    """Returns histograms of the gradient norms at the last snapshot, on a log axis."""
    kinds = [
        np.asarray(norms, np.float64)[-1]
        for norms in (content.members_norm, content.non_members_norm)
    ]
    positive = np.concatenate([norms[norms > 0] for norms in kinds])
    least, most = (positive.min(), positive.max()) if positive.size else (1.0, 1.0)
    edges = np.geomspace(least, most if most > least else 2 * least, _bins(kinds) + 1)
    names = []
    for name, norms in zip(KINDS, kinds, strict=True):
        zeros = int(np.sum(norms <= 0))
        names.append(f"{name} ({zeros:,} of norm 0, leftmost)" if zeros else name)
    figure = new_figure(3.2)
    axes = figure.subplots()
    _histograms(
        axes, [np.clip(norms, *edges[[0, -1]]) for norms in kinds], edges, names
    )
    axes.set(
        xscale="log",
        xlabel=f"L2 norm of the last layer's gradient, {content.unit} "
        f"{content.epochs[-1]}",
    )
    return figure


def embedding_figure(content: contents.Diagnostics) -> Figure:
    """Returns histograms of the numbers that the unsupervised attack clusters."""
    kinds = [
        np.asarray(embedding, np.float64)
        for embedding in (content.embedding_members, content.embedding_non_members)
    ]
    edges = np.histogram_bin_edges(np.concatenate(kinds), _bins(kinds))
    figure = new_figure(3.2)
    axes = figure.subplots()
    _histograms(axes, kinds, edges, KINDS)
    axes.set_xlabel("embedding of a record (no unit)")
    return figure


def _bins(kinds: list[np.ndarray]) -> int:
    return int(np.clip(min(map(len, kinds)) ** 0.5, *_BINS))


def _histograms(axes: Axes, kinds, edges: np.ndarray, names) -> None:
    """Draws shares of records; hatching and line style tell the kinds apart in grey."""
    for index, (values, name) in enumerate(zip(kinds, names, strict=True)):
        shares = np.histogram(values, edges)[0] / len(values)
        line = style(index)
        axes.stairs(shares, edges, fill=True, color=line["color"], alpha=0.18)
        axes.stairs(shares, edges, label=name, linewidth=1.7, **line)
    axes.set_ylabel("share of the records of a kind")
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    grid(axes)
    axes.legend(frameon=False, fontsize=9, handlelength=3)


def observed(content: contents.Diagnostics) -> tuple[diagnostics.Observed, ...] | None:
    """Returns both kinds at the last snapshot; None where a part of it is absent."""
    rest = ("correct", "uncertainty", "score")
    kinds = tuple(
        diagnostics.Observed(
            getattr(content, f"{kind}_label"),
            getattr(content, f"{kind}_norm")[-1],
            *(getattr(content, f"{kind}_{name}") for name in rest),
        )
        for kind in ("members", "non_members")
    )
    return None if any(part is None for kind in kinds for part in kind) else kinds


def class_gap_figure(gaps: diagnostics.ClassGaps, attack: str = "") -> Figure:
    """Returns each class's gaps against how well the attack does on it.

    Args:
      gaps: of at least one class.
      attack: its name for readers.
    """
    measured = "AUC" if gaps.attack_accuracy is None else "accuracy"
    found = gaps.auc if gaps.attack_accuracy is None else gaps.attack_accuracy
    figure = new_figure(3.8)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, values, name in (
        (panels[0], gaps.norm_gap, "gap of gradient norms (L2, last layer)"),
        (panels[1], gaps.uncertainty_gap, "gap of uncertainties (entropy, 0 to 1)"),
    ):
        dots = _classes(axes, values, found, gaps.test_accuracy)
        axes.set_xlabel(name, fontsize=9)
        correlation = diagnostics.rank_correlation(values, found[:, 0])
        axes.set_title(
            f"rank correlation {text.number(correlation, 2)}", fontsize=9, loc="left"
        )
    figure.supxlabel("gap: mean of non-members less mean of members", fontsize=9)
    of = f" of {attack}" if attack else ""
    name = textwrap.fill(f"{measured}{of} on a class", _LETTERS)
    panels[0].set_ylabel(literal(name))
    bar = figure.colorbar(dots, ax=panels, pad=0.01, aspect=30)
    bar.set_label("test accuracy of the target on the class")
    for axis in (bar.ax.yaxis, *([panels[0].yaxis] if measured == "accuracy" else [])):
        axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return figure


def _classes(axes: Axes, values: np.ndarray, found: np.ndarray, accuracy: np.ndarray):
    axes.axhline(0.5, color=GREY, linewidth=1, linestyle=":")
    axes.vlines(values, found[:, 1], found[:, 2], color=GREY, linewidth=0.8, alpha=0.35)
    grid(axes)
    return axes.scatter(
        values,
        found[:, 0],
        c=accuracy,
        cmap="cividis",  # Even for colour-blind readers, and in grey.
        vmin=0,
        vmax=1,
        s=26,
        edgecolor="white",
        linewidth=0.5,
        zorder=3,
    )


def class_roc_figure(groups: list[diagnostics.GapGroup]) -> Figure:
    """Returns the ROC curves of classes with a small, a medium and a large gap."""
    figure = new_figure(4.6)
    axes = figure.subplots()
    for index, group in enumerate(groups):
        line, curve = style(index), group.roc
        low, high = map(text.significant, group.gaps)
        name = (
            f"{group.name} gap, {low} to {high} ({len(group.label)} classes): "
            f"AUC {text.number_interval(group.auc._asdict())}"
        )
        axes.plot(curve.fpr, curve.tpr, label=name, linewidth=1.7, **line)
        band = {"color": line["color"], "alpha": 0.13, "lw": 0}
        axes.fill_between(curve.fpr, curve.low, curve.high, **band)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="chance")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
    axes.set_xlabel("false positive rate: share of\nnon-members taken for members")
    axes.set_ylabel("true positive rate: share of members found")
    grid(axes)
    _legend(figure, axes, columns=1)
    return figure


def membership_rows_figure(rows: list[dict]) -> Figure:
    """Returns the AUC of every row with its interval, as given from top to bottom.

    Args:
      rows: of `membership`, or their means over seeds.
    """
    keys = threats.distinguishing(rows)
    names = [textwrap.wrap(_row_name(row, keys), _LETTERS) for row in rows]
    heights = np.array([max(len(name), 1.4) for name in names])
    places = np.cumsum(heights) - heights / 2
    figure = new_figure(0.75 + 0.155 * heights.sum())
    axes = figure.subplots()
    axes.axvline(0.5, color=GREY, linewidth=1, linestyle=":", label="chance")
    attacks = list(dict.fromkeys(row["attack"] for row in rows))
    for place, row in zip(places, rows, strict=True):
        index, auc = attacks.index(row["attack"]), row["auc"]
        color = COLORS[index % len(COLORS)]
        if row.get("trained") is False:
            continue
        if auc["low"] is not None:
            axes.hlines(place, auc["low"], auc["high"], color=color, linewidth=1.6)
        marker = "osD^vPX"[index % 7]
        axes.plot(auc["value"], place, marker, color=color, markersize=5)
    axes.set_yticks(places, [literal("\n".join(name)) for name in names])
    axes.set_ylim(heights.sum(), 0)
    means = "mean AUC over seeds" if "seeds" in rows[0] else "AUC"
    axes.set_xlabel(f"{means} with 95 % interval; dotted: chance")
    grid(axes)
    axes.tick_params(axis="y", labelsize=8, length=0)
    return figure


def _row_name(row: dict, keys: Sequence[str]) -> str:
    untrained = ": not trained" if row.get("trained") is False else ""
    return threats.label(row, keys) + untrained


def _legend(figure: Figure, axes: Axes, columns: int = 2) -> None:
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower left",
        ncols=columns,
        frameon=False,
        fontsize=9,
        handlelength=3.2,
    )
