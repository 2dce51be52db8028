"""Colour images in CIFAR-100's binary form."""

from __future__ import annotations

import numpy as np

from jaxprivacy import errors
from jaxprivacy.data.builders import archives, tables

_RECORDS_AT_ONCE = 1000


def read_images(
    source: archives.Source,
    side: int,
    classes: int,
    superclasses: int,
) -> tables.Records:
    """Reads records of a coarse label, a fine label and pixels, channels first.

    Args:
      source: the file.
      side: height and width of an image, in pixels.
      classes: K; fine labels are 0 to K - 1, and they are the labels returned.
      superclasses: coarse labels are 0 to this - 1; checked and left out.

    Returns:
      N images (N, side, side, 3) and their labels, in the file's order.

    Raises:
      InputError: naming the byte, for a label out of range or a record that is cut
        off; or if the file is empty or lacks a class.
    """
    size, start, blocks = 2 + 3 * side**2, 0, []
    while block := source.stream.read(size * _RECORDS_AT_ONCE):
        if len(block) % size:
            at = start + len(block) // size * size
            raise errors.InputError(
                f"{source.name}, byte {at}",
                found=f"a record ends after {len(block) % size} bytes",
                accepted=f"are records of {size} bytes",
            )
        rows = np.frombuffer(block, np.uint8).reshape(-1, size)
        _check_labels(source.name, rows[:, 0], "coarse", superclasses, start, size)
        _check_labels(source.name, rows[:, 1], "fine", classes, start + 1, size)
        blocks.append(rows)
        start += len(block)
    if not blocks:
        raise errors.InputError(
            source.name, found="is empty", accepted=f"are records of {size} bytes"
        )
    y = np.concatenate([rows[:, 1] for rows in blocks]).astype(np.uint16)
    tables.check_classes(source.name, y, first=0, classes=classes)
    pixels = np.concatenate([rows[:, 2:] for rows in blocks])
    return tables.Records(pixels.reshape(-1, 3, side, side).transpose(0, 2, 3, 1), y)


def _check_labels(
    name: str, labels: np.ndarray, kind: str, count: int, start: int, size: int
) -> None:
    bad = np.flatnonzero(labels >= count)
    if len(bad):
        raise errors.InputError(
            f"{name}, byte {start + bad[0] * size}",
            found=f"the {kind} label is {labels[bad[0]]}",
            accepted=f"are 0 to {count - 1}",
        )
