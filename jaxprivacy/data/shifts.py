"""The forms in which an image is shown to a model: itself, then shifted, then mirrored.

Carlini, Chien, Nasr, Song, Terzis, Tramer, "Membership Inference Attacks From First
Principles", S&P 2022, section VI-C: a model answers to each form of a record, as if it
were asked several times. They mirror and shift, as their models' training does; ours
train on images as they are, so that the further forms tell less.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

# Rows and columns by which an image is shifted, the nearest first.
SHIFTS = sorted(
    itertools.product((0, -1, 1), repeat=2), key=lambda by: abs(by[0]) + abs(by[1])
)


def most(image_shape: tuple[int, ...]) -> int:
    """How many forms there are of images (H, W, C): mirrored in colour alone.

    A digit or a letter is another one in a mirror.
    """
    return len(SHIFTS) * (2 if image_shape[-1] > 1 else 1)


def forms(x: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """The first `count` forms of images (N, H, W, C), each like x, x itself first.

    What is shifted in at an edge is what stood there.
    """
    mirrored = (False, True) if x.shape[-1] > 1 else (False,)
    every = itertools.product(SHIFTS, mirrored)
    for (down, right), mirror in itertools.islice(every, count):
        image = x[:, :, ::-1] if mirror else x
        padded = np.pad(image, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="edge")
        height, width = x.shape[1:3]
        rows = slice(1 - down, 1 - down + height)
        columns = slice(1 - right, 1 - right + width)
        yield padded[:, rows, columns]
