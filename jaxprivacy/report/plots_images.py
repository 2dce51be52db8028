"""Figures of images: what was reconstructed beside what is real."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxprivacy.report import text
from jaxprivacy.report.contents import Reconstructions, Samples
from jaxprivacy.report.plots_style import WIDTH, literal, new_figure
from jaxprivacy.report.threats import card

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN = 10  # Samples a row.
_SMALL = 32  # Pixels: images up to this width are told apart at 0.3 inches.


def reconstruction_figure(images: Reconstructions) -> Figure:
    """Returns rows of images: the victim's, and each attack's samples."""
    rows = {"Victim's images": images.real}
    if "real" in images.final:
        rows["Others of the class, held by nobody"] = images.final["real"]
    if images.attack in images.final:
        title = card(images.attack).title
        rows[title] = images.final[images.attack]
        rows[f"Private image closest to the {title} sample (L1)"] = images.closest
    for attack, samples in images.final.items():
        if attack not in (images.attack, "real"):
            rows[card(attack).title] = samples
    return _rows_of_images(list(rows), list(rows.values()))


def rounds_figure(images: Reconstructions) -> Figure:
    """Returns the samples of an attack at rounds beside the shared model's accuracy."""
    labels = [
        f"round {int(number)}\naccuracy {text.percent(accuracy, 0)} %"
        for number, accuracy in zip(images.rounds, images.accuracy, strict=True)
    ]
    return _rows_of_images(labels, list(images.over_rounds))


def class_samples_figure(
    classes: Sequence[Samples], rows: tuple[str, str] = ("real", "samples")
) -> Figure:
    """Returns, for each class or run, a row of real images above one of samples.

    Args:
      classes: what is shown.
      rows: what the two rows are called.
    """
    height, width = classes[0].real.shape[1:3]
    across, most = _grid_of_classes(len(classes), width)
    columns = min(most, max(len(c.real) for c in classes))
    # 0.75 inches hold a block's labels, 0.3 its title.
    side = min(0.8, (WIDTH / across - 0.75) / columns)
    down = math.ceil(len(classes) / across)
    figure = new_figure(down * (2 * side * height / width + 0.3))
    places = figure.subplots(down, across, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    for axes, samples in zip(places, classes, strict=False):
        _class_block(axes, samples, columns, rows)
    return figure


def _grid_of_classes(classes: int, width: int) -> tuple[int, int]:
    """Returns how many classes stand side by side, and how many samples each shows."""
    if classes <= 3 or (width > _SMALL and classes <= 10):
        return 1, _SHOWN
    return 2, _SHOWN if width <= _SMALL else _SHOWN // 2


def _class_block(
    axes: Axes, samples: Samples, columns: int, rows: tuple[str, str]
) -> None:
    strips = [_strip(images, columns) for images in (samples.real, samples.samples)]
    between = np.ones((max(1, len(strips[0]) // 14), *strips[0].shape[1:]))
    axes.imshow(np.concatenate([strips[0], between, strips[1]]), aspect="equal")
    axes.set_anchor("W")
    title = literal(samples.title)
    axes.set_title(title, loc="left", fontsize=8, fontweight="bold", pad=3)
    for place, label in zip((0.75, 0.25), rows, strict=True):
        _label(axes, place, label, 7)


def _rows_of_images(labels: list[str], rows: list[np.ndarray]) -> Figure:
    columns = min(_SHOWN, max(len(row) for row in rows))
    # 1.5 inches hold the labels; pictures are at most 0.8 wide.
    side = min(0.8, (WIDTH - 1.5) / columns)
    figure = new_figure(len(rows) * (side + 0.08) + 0.1)
    for axes, label, row in zip(
        figure.subplots(len(rows), 1, squeeze=False)[:, 0], labels, rows, strict=True
    ):
        axes.imshow(_strip(row, columns), interpolation="nearest", aspect="equal")
        axes.set_axis_off()
        axes.set_anchor("W")
        _label(axes, 0.5, _folded(label), 8)
    return figure


def _label(axes: Axes, height: float, label: str, size: int) -> None:
    """Writes to the left of the axes."""
    place = {"transform": axes.transAxes, "ha": "right", "va": "center"}
    axes.text(-0.015, height, label, fontsize=size, **place)


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
    return "\n".join(textwrap.fill(line, 18) for line in literal(label).split("\n"))
