"""What attacks with reference models gain from having more of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxprivacy.evaluation.intervals import student_t
from jaxprivacy.report import plots_style, threats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FPRS = (0.01, 0.001)


def references_figure(rows: Sequence[dict]) -> Figure:
    """Returns the true positive rate over the number of reference models.

    A line is the mean over targets, and its band the 95 % Student-t interval of that
    mean; attacks without references are level lines.

    Args:
      rows: of `membership` in result.json, each with `references`, one a target.
    """
    figure = plots_style.new_figure(3.4)
    known = {
        each["fpr"]
        for row in rows
        for each in row["tpr_at_fpr"]
        if each["value"] is not None
    }
    # Of few records no small rate is told.
    fprs = [fpr for fpr in FPRS if fpr in known]
    panels = figure.subplots(1, max(1, len(fprs)), squeeze=False)[0]
    counts = sorted({row["references"] for row in rows if row["references"]})
    attacks = list(dict.fromkeys(row["attack"] for row in rows))
    for axes, fpr in zip(panels, fprs, strict=False):
        for number, attack in enumerate(attacks):
            found = _means(rows, attack, fpr)
            if list(found) == [0]:
                axes.axhline(found[0]["value"], color=plots_style.GREY, linewidth=0.9)
            elif found:
                label = threats.card(attack).title
                _draw(axes, found, plots_style.style(number) | {"label": label})
        axes.set_xscale("log", base=2)
        axes.set_xticks(counts, [str(count) for count in counts])
        axes.set_xlabel("reference models")
        axes.set_title(f"at a false positive rate of {fpr:.1%}", fontsize=10)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        plots_style.grid(axes)
    panels[0].set_ylabel("true positive rate")
    lines, labels = panels[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _draw(axes, found, look):
    values, low, high = (
        [mean[end] for mean in found.values()] for end in ("value", "low", "high")
    )
    axes.plot(list(found), values, **look)
    axes.fill_between(list(found), low, high, color=look["color"], alpha=0.15, lw=0)


def _means(rows, attack, fpr) -> dict[int, dict]:
    """Of each number of references, the mean over targets."""
    found = {}
    for row in rows:
        rates = {each["fpr"]: each["value"] for each in row["tpr_at_fpr"]}
        if row["attack"] == attack and rates.get(fpr) is not None:
            found.setdefault(row["references"], []).append(rates[fpr])
    return {
        count: student_t(values, 1.0)
        for count, values in sorted(found.items())
        if len(values) > 1
    }
