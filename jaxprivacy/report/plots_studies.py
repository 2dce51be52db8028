"""Figures of studies of the GAN attack: over rounds, and over privacy budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxprivacy.report import contents, text, threats
from jaxprivacy.report.plots_style import (
    COLORS,
    GREY,
    grid,
    literal,
    log_axis,
    new_figure,
    percent_axis,
    style,
    whole_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKED = 20  # Up to so many rounds, each is marked by a dot.


def courses_figure(courses: Sequence[contents.Course]) -> Figure:
    """Returns accuracy, hit rate and Frechet distance over the rounds.

    Where uploads are clipped, two more panels have the share of an update beyond the
    bound and the cosine between update and upload. Runs of one attack share its colour
    and its entry in the legend.
    """
    names = ["test accuracy", "hit rate", "Frechet distance"]
    if any(course.clipped is not None for course in courses):
        names += ["beyond gamma", "cosine"]
    figure = new_figure(6.4 * len(names) / 3)
    panels = figure.subplots(len(names), 1, sharex=True)
    attacks = list(dict.fromkeys(course.attack for course in courses))
    for course in courses:
        _draw_course(panels, course, style(attacks.index(course.attack)))
    for axes, name in zip(panels, names, strict=True):
        axes.set_ylabel(name)
        whole_ticks(axes)
    percent_axis(panels[0])
    percent_axis(panels[1])
    log_axis(panels[2])
    if len(panels) > 3:
        percent_axis(panels[3])
    panels[-1].set_xlabel("round")
    _mark_starts(panels, courses)
    figure.align_ylabels(panels)
    _legend(figure, panels)
    return figure


def _draw_course(panels: Sequence[Axes], course: contents.Course, line: dict) -> None:
    marker = "o" if len(course.rounds) <= _MARKED else ""
    line = line | {"linewidth": 1.6, "marker": marker, "markersize": 3}
    hit, low, high = np.asarray(course.hit_rate, np.float64).T
    title = literal(threats.card(course.attack).title)
    panels[0].plot(course.rounds, course.accuracy, label=title, **line)
    panels[1].plot(course.rounds, hit, **line)
    panels[1].fill_between(
        course.rounds, low, high, color=line["color"], alpha=0.15, lw=0
    )
    panels[2].plot(course.rounds, _positive(course.frechet), **line)
    for axes, values in zip(panels[3:], (course.clipped, course.cosine), strict=False):
        if values is not None:
            axes.plot(course.rounds, values, **line)


def _mark_starts(panels: Sequence[Axes], courses: Sequence[contents.Course]) -> None:
    """Draws a line where the attack began, unless it did from the first round."""
    for start in sorted({course.start_round for course in courses} - {1}):
        for axes in panels:
            axes.axvline(
                start, color=GREY, linewidth=1, alpha=0.6, label="attack begins"
            )


def privacy_leakage_figure(tradeoff: contents.Tradeoff) -> Figure:
    """Returns accuracy and leakage over the privacy budget, no privacy set apart."""
    epsilons = np.asarray(tradeoff.epsilon_per_parameter, np.float64)
    places, finite = _places(epsilons), np.isfinite(epsilons)
    aside = 0.012 * (np.ptp(places) or 1.0)  # So that no two markers hide each other.
    figure = new_figure(5.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    _seeds(above, places - aside, tradeoff.accuracy, finite, 0, "test accuracy")
    _hit_rates(above, places + aside, tradeoff.hit_rate, finite)
    distances = _positive(tradeoff.frechet)
    _seeds(below, places, distances, finite, 2, "Frechet distance")
    above.set_ylabel("rate")
    below.set_ylabel("Frechet distance")
    percent_axis(above)
    log_axis(below)
    _epsilon_axes(above, below, places, tradeoff)
    figure.align_ylabels([above, below])
    _legend(figure, [above, below])
    return figure


def _places(epsilons: np.ndarray) -> np.ndarray:
    """Returns where each epsilon stands: at its logarithm, infinity to the right."""
    finite = np.isfinite(epsilons)
    places = np.log10(epsilons, where=finite, out=np.zeros(len(epsilons)))
    if finite.any():
        last, span = places[finite].max(), np.ptp(places[finite])
        places[~finite] = last + max(0.2 * span, 0.5)
    return places


def _seeds(
    axes: Axes,
    places: np.ndarray,
    values: np.ndarray,
    finite: np.ndarray,
    index: int,
    name: str,
) -> None:
    """Draws the mean over the seeds, (E, S), as a line and each seed as a dot."""
    values = np.ma.masked_invalid(np.asarray(values, np.float64))
    means = values.mean(axis=1).filled(np.nan)
    line = style(index) | {"marker": "o", "markersize": 6, "linewidth": 1.6}
    _apart(axes, places, means, finite, line | {"label": f"{name}, mean"})
    axes.scatter(
        np.repeat(places, values.shape[1]),
        values.filled(np.nan).ravel(),
        s=11,
        facecolor="white",
        edgecolor=COLORS[index],
        linewidth=0.8,
        zorder=3,
        label=f"{name}, each seed",
    )


def _hit_rates(
    axes: Axes, places: np.ndarray, rates: np.ndarray, finite: np.ndarray
) -> None:
    hit, low, high = np.asarray(rates, np.float64).T
    line = style(1) | {"marker": "s", "markersize": 5, "linewidth": 1.6}
    _apart(axes, places, hit, finite, line | {"label": "hit rate, 95 % interval"})
    axes.vlines(places, low, high, color=line["color"], linewidth=1.6)


def _apart(
    axes: Axes, places: np.ndarray, values: np.ndarray, finite: np.ndarray, line: dict
) -> None:
    """Draws a line through the finite epsilons, and what has none by itself."""
    axes.plot(places[finite], values[finite], **line)
    axes.plot(places[~finite], values[~finite], **line | {"label": None})


def _epsilon_axes(
    above: Axes, below: Axes, places: np.ndarray, tradeoff: contents.Tradeoff
) -> None:
    """Labels the epsilons per parameter below, the totals on top if they hold."""
    finite, kept = np.isfinite(tradeoff.epsilon_per_parameter), _spaced(places)
    labels = np.array([text.epsilon(e) for e in tradeoff.epsilon_per_parameter])
    below.set_xticks(places[kept], labels[kept])
    below.set_xlabel("epsilon per uploaded parameter")
    low, high = places.min(), places.max()
    room = 0.06 * (high - low) or 0.5
    for axes in (above, below):
        grid(axes)
        axes.set_xlim(low - room, high + room)
        if finite.any() and not finite.all():
            edge = (places[finite].max() + high) / 2
            axes.axvspan(edge, high + room, color="#eef1f4", lw=0, zorder=0)
    if finite.any() and tradeoff.clip_first:
        totals = np.asarray(tradeoff.epsilon_total)
        _totals(above, places[kept & finite], totals[kept & finite])


def _totals(axes: Axes, places: np.ndarray, totals: np.ndarray) -> None:
    top = axes.secondary_xaxis("top")
    top.set_xticks(places, [text.epsilon(total) for total in totals])
    top.set_xlabel("total epsilon of a participant over the run")
    top.tick_params(colors=GREY, labelcolor="#22303a", labelsize=9)
    top.spines["top"].set_color(GREY)


def _spaced(places: np.ndarray) -> np.ndarray:
    """Returns which ticks can be labelled without touching the one before."""
    kept, last = np.zeros(len(places), bool), -np.inf
    for index, place in enumerate(places):
        if place - last >= 0.1 * np.ptp(places):
            kept[index], last = True, place
    return kept


def _positive(values: np.ndarray) -> np.ndarray:
    """Returns what a logarithmic axis can show; the rest leaves a gap."""
    values = np.asarray(values, np.float64)
    return np.where(values > 0, values, np.nan)


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    """Puts one legend below the panels, each name once."""
    entries = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    figure.legend(
        entries.values(),
        entries.keys(),
        loc="outside lower left",
        ncols=2,
        frameon=False,
        fontsize=9,
        handlelength=3.2,
    )
