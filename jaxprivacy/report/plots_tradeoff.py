"""What defenses leave of an attack, over what they leave of the accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxprivacy.report import leakage, plots_style, threats, verdict_tradeoff

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def tradeoff_figure(rows: Sequence[dict]) -> Figure:
    """Returns leakage over utility: a point a strength, a line a defense.

    The leakage is that of the strongest attack; bars are 95 % intervals over seeds.

    Args:
      rows: `tradeoff` of result.json.
    """
    figure = plots_style.new_figure(4.6)
    axes = figure.subplots()
    shown = verdict_tradeoff.strongest(rows)
    by_defense = {}
    for row in shown:
        by_defense.setdefault(row["defense"], []).append(row)
    by = leakage.measure(shown)
    for number, (name, points) in enumerate(by_defense.items(), -1):
        points = sorted(points, key=verdict_tradeoff.strength)
        x = [100 * row[by.accuracy]["value"] for row in points]
        y = [by.scale * by.take(row)["value"] for row in points]
        look = plots_style.style(number) | {"marker": "o"}
        if name == "none":  # What the others are held against.
            look |= {"color": plots_style.GREY, "marker": "s"}
        title = threats.defense(name).title
        axes.plot(x, y, **look, markersize=5, label=title)
        for row, across, up in zip(points, x, y, strict=True):
            _bars(axes, row[by.accuracy], by.take(row), by.scale, look["color"])
            if row["strength"] is not None:
                axes.annotate(
                    f"{verdict_tradeoff.strength(row):g}",
                    (across, up),
                    xytext=(5, 5),
                    textcoords="offset points",
                    fontsize=8,
                    color=look["color"],
                )
    axes.axhline(by.scale * by.guessing(shown), color=plots_style.GREY, lw=0.9)
    axes.set_xlabel("accuracy on new records, %")
    axes.set_ylabel(by.axis)
    if by is not leakage.AUC:
        axes.set_ylim(bottom=-0.02 * axes.get_ylim()[1])  # What is 0 is seen whole.
    plots_style.grid(axes)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _bars(axes, across, up, scale, color):
    """The intervals of a point, where there are several seeds."""
    if up["low"] is None:
        return

    def around(interval, scale):
        low, value, high = (interval[end] for end in ("low", "value", "high"))
        return [[scale * (value - low)], [scale * (high - value)]]

    axes.errorbar(
        100 * across["value"],
        scale * up["value"],
        xerr=around(across, 100),
        yerr=around(up, scale),
        color=color,
        elinewidth=0.8,
        capsize=2,
    )
