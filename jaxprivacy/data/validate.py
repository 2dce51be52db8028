"""Checks of the arrays that a file or a data set brings, and their scaling.

Every error is an `InputError` of one line that starts with the source, names the
array and prints the value that is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxprivacy import errors

_IMAGES = "images of dtype uint8 and shape (N, H, W) or (N, H, W, C)"
_TABLES = "tables of finite numbers of shape (N, F)"
_LABELS = "integers 0 to K - 1 of shape (N,), K at least 2, each present"


_MOST = 2**62  # of a label: what int64 holds, in any type


class Part(NamedTuple):
    """Records and labels as they were found, with the names to use in errors."""

    x_name: str
    x: np.ndarray
    y_name: str
    y: np.ndarray


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, or its type without one."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def pool(source: str, parts: Sequence[Part]) -> tuple[np.ndarray, np.ndarray]:
    """Checks the parts and joins them into one pool of scaled records.

    Args:
      source: what the arrays come from, the value of `data` in every error.
      parts: at least one; in order.

    Returns:
      Records, (N, H, W, C) float32 in [-1, 1] or (N, F) float32, and labels, (N,)
      int32.

    Raises:
      InputError: if an array is not what `load` documents.
    """
    parts = [
        part._replace(
            x=_records(source, part.x_name, part.x),
            y=_labels(source, part.y_name, part.y),
        )
        for part in parts
    ]
    for part in parts:
        if len(part.x) != len(part.y):
            raise errors.InputError(
                "data",
                source,
                found=(
                    f"{part.x_name} has {len(part.x)} records and {part.y_name} "
                    f"{len(part.y)}"
                ),
                accepted="are arrays of one length",
            )
        if part.x.shape[1:] != parts[0].x.shape[1:]:
            raise errors.InputError(
                "data",
                source,
                found=(
                    f"a record of {parts[0].x_name} has shape {parts[0].x.shape[1:]} "
                    f"and one of {part.x_name} {part.x.shape[1:]}"
                ),
                accepted="are records of one shape",
            )
    names = " and ".join(part.y_name for part in parts)
    y = np.concatenate([part.y for part in parts])
    _check_classes(source, names, y)
    x = np.concatenate([part.x for part in parts])
    return (_scale_table if x.ndim == 2 else _scale_images)(x), y.astype(np.int32)


def _records(source: str, name: str, x: np.ndarray) -> np.ndarray:
    """Returns the records as images of uint8 or a table of numbers, if they are such.

    What says the same in another type is taken: whole numbers 0 to 255 are pixels.
    """
    found = f"{name} has shape {x.shape} and dtype {x.dtype}"
    if x.ndim not in (2, 3, 4):
        raise errors.InputError(
            "data", source, found=found, accepted=f"are {_IMAGES}, and {_TABLES}"
        )
    if x.size == 0:
        raise errors.InputError(
            "data", source, found=found, accepted="are arrays that are not empty"
        )
    if x.ndim == 2:
        _check_table(source, name, x)
        return x
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] > 4:
        raise errors.InputError(
            "data",
            source,
            found=f"{found}, its channels seem to stand first",
            accepted=f"are {_IMAGES}, as numpy.moveaxis({name}, 1, -1) gives them",
        )
    if x.dtype != np.uint8 and not _are_pixels(x):
        problem, cure = _no_pixels(name, x)
        raise errors.InputError(
            "data", source, found=f"{found}{problem}", accepted=f"are {_IMAGES}{cure}"
        )
    return x.astype(np.uint8, copy=False)


def _are_pixels(x: np.ndarray) -> bool:
    """Whether uint8 holds the same numbers; 0 and 1 alone may be black and white."""
    if x.dtype.kind not in "iuf" or not (x.min() >= 0 and 1 < x.max() <= 255):
        return False
    return x.dtype.kind != "f" or bool(np.array_equal(x, np.rint(x)))


def _no_pixels(name: str, x: np.ndarray) -> tuple[str, str]:
    """What is wrong with images that are not uint8, and what makes them so."""
    if x.dtype.kind not in "biuf":
        return "", ""
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        return f" and holds {'NaN' if np.isnan(x).any() else 'infinity'}", ""
    low, high = (int(v) if x.dtype.kind == "b" else v for v in (x.min(), x.max()))
    values = f" and values from {low:g} to {high:g}"
    if 0 <= low and high <= 1:
        return values, f", as ({name} * 255).round().astype('uint8') gives them"
    if -1 <= low and high <= 1:
        made = f"(({name} + 1) * 127.5).round().astype('uint8')"
        return values, f", as {made} gives them"
    if 0 <= low and high <= 255:
        return values, f", as {name}.round().astype('uint8') gives them"
    return values, ", so scale them to 0 to 255 first"


def _check_table(source: str, name: str, x: np.ndarray) -> None:
    if x.dtype.kind not in "buif":
        raise errors.InputError(
            "data",
            source,
            found=f"{name} has dtype {x.dtype}",
            accepted=f"are {_TABLES}",
        )
    if x.dtype.kind != "f":
        return  # All are finite, and below float32's largest.
    # A value above float32's range turns into infinity and is reported as well.
    with np.errstate(over="ignore"):
        bad = np.argwhere(~np.isfinite(x.astype(np.float32)))
    if len(bad):
        row, column = bad[0]
        raise errors.InputError(
            "data",
            source,
            found=f"{name} holds {x[row, column]} at record {row}, column {column}",
            accepted=(
                f"are {_TABLES}, none beyond float32's 3.4e38; leave such records "
                "out, or fill them in"
            ),
        )


def _labels(source: str, name: str, y: np.ndarray) -> np.ndarray:
    """Returns the labels as (N,) int64, if they are whole numbers in any type."""
    numbered = f"; numpy.unique({name}, return_inverse=True)[1] numbers the classes so"
    if y.dtype.kind not in "buif":
        raise errors.InputError(
            "data",
            source,
            found=f"{name} has dtype {y.dtype}",
            accepted=f"are {_LABELS}{numbered * (y.dtype.kind in 'US')}",
        )
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if y.ndim != 1 or y.size == 0:
        one_hot = y.ndim == 2 and y.size and (y.sum(axis=1) == 1).all()
        cure = f"; {name}.argmax(axis=1) makes them of one-hot rows" * bool(one_hot)
        raise errors.InputError(
            "data",
            source,
            found=f"{name} has shape {y.shape}",
            accepted=f"are {_LABELS}{cure}",
        )
    whole = np.isfinite(y) & (y == np.rint(y)) & (y < _MOST)
    if not whole.all():
        first = whole.argmin()
        raise errors.InputError(
            "data",
            source,
            found=f"{name} has dtype {y.dtype} and holds {y[first]} at record {first}",
            accepted=f"are {_LABELS}{numbered * bool(np.isfinite(y).all())}",
        )
    if y.min() < 0:
        raise errors.InputError(
            "data",
            source,
            found=f"{name} holds {y.min():g} at record {y.argmin()}",
            accepted=f"are {_LABELS}{numbered}",
        )
    return y.astype(np.int64)


def _check_classes(source: str, name: str, y: np.ndarray) -> None:
    present = np.unique(y)
    if len(present) == 1:
        raise errors.InputError(
            "data",
            source,
            found=f"{name} holds one class only, {present[0]}",
            accepted=f"are {_LABELS}",
        )
    missing = np.flatnonzero(present != np.arange(len(present)))
    if not len(missing):
        return
    cure = "numpy.unique(labels, return_inverse=True)[1] numbers the classes so"
    if present[0] == 1 and len(present) == present[-1]:
        cure = "subtract 1 from each"
    raise errors.InputError(
        "data",
        source,
        found=f"{name} holds labels up to {present[-1]} and no {missing[0]}",
        accepted=f"are {_LABELS}; {cure}",
    )


def _scale_images(x: np.ndarray) -> np.ndarray:
    """Returns uint8 images as (N, H, W, C) float32, 0 as -1 and 255 as 1."""
    x = x.reshape(*x.shape[:3], -1).astype(np.float32)
    x /= 127.5
    x -= 1
    return x


def _scale_table(x: np.ndarray) -> np.ndarray:
    """Returns a table as float32, standardised unless all of it lies in [0, 1]."""
    x = x.astype(np.float32)
    if x.min() >= 0 and x.max() <= 1:
        return x
    # The spread is tested by its range: rounding gives a constant column a standard
    # deviation slightly above 0.
    constant = x.max(axis=0) == x.min(axis=0)
    deviation = np.where(constant, 1, x.std(axis=0, dtype=np.float64))
    standardised = (x - x.mean(axis=0, dtype=np.float64)) / deviation
    return np.where(constant, 0, standardised).astype(np.float32)
