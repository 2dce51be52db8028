"""What all figures share: palette, sizes, axes; Matplotlib is imported when drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart with each kind of colour blindness; line styles
# carry the same in grey.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
GREY = "#5f6b76"
WIDTH, DPI = 7.0, 200  # Inches; shown at half size, so sharp on dense screens.


def new_figure(height: float) -> Figure:
    """Returns an empty figure of the width of the page."""
    from matplotlib import figure

    return figure.Figure(figsize=(WIDTH, height), layout="constrained")


def style(index: int) -> dict:
    """Returns the colour and line of the curve number `index`."""
    return {
        "color": COLORS[index % len(COLORS)],
        "linestyle": LINES[index % len(LINES)],
    }


def literal(label: str) -> str:
    """Returns a label that Matplotlib does not read as mathematics."""
    return label.replace("$", r"\$")


def whole_ticks(axes: Axes) -> None:
    """Puts ticks at whole numbers of rounds, and a grid."""
    from matplotlib import ticker

    steps = [1, 2, 5, 10]
    locator = ticker.MaxNLocator(integer=True, steps=steps, min_n_ticks=1)
    axes.xaxis.set_major_locator(locator)
    grid(axes)


def percent_axis(axes: Axes) -> None:
    """Makes the vertical axis one of rates, 0 to 100 %."""
    axes.set_ylim(-0.02, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0 %", "25 %", "50 %", "75 %", "100 %"])


def log_axis(axes: Axes) -> None:
    """Makes the vertical axis logarithmic, with plain numbers at any range."""
    from matplotlib import ticker

    if not np.isfinite(axes.dataLim.minposy):  # Nothing is drawn.
        axes.set_ylim(1, 10)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    steps = (1,) if high > 300 * low else (1, 2, 5)
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=steps, numticks=8))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())


def grid(axes: Axes) -> None:
    """Draws a faint grid, and axes that stand back."""
    axes.grid(color="#dde3e8", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(which="both", colors=GREY, labelcolor="#22303a", labelsize=9)
