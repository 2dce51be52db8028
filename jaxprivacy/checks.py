"""Validators of what users pass: each names the argument and prints its value."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np


class InputError(ValueError):
    """A user's argument or file is not what it must be.

    The message is one line that names the argument or file, the value and what is
    accepted; commands print it and exit with status 2.
    """


class UserCodeFailed(InputError):
    """A file of the user's own raised an error, which is the cause of this one.

    Commands print that error with its traceback, as Python would.
    """


class NotWritten(OSError):
    """A finished result found no place on any disk; its message is one line."""


def warn(problem: object) -> None:
    """Says in one line on standard error what went wrong, and that the run goes on."""
    # The bar, where there is one, lets lines on standard error pass above it.
    print("warning: " + " ".join(str(problem).split()), file=sys.stderr)


def positive_integer(name: str, value: int, least: int = 1) -> int:
    """Returns `value` if it is an integer of at least `least`."""
    if isinstance(value, bool) or int(value) != value or value < least:
        raise InputError(f"{name}={value}: accepted are integers of at least {least}")
    return int(value)


def positive(name: str, value: float) -> float:
    """Returns `value` if it is a finite number above 0."""
    if not 0 < value < float("inf"):
        raise InputError(f"{name}={value}: accepted are finite numbers above 0")
    return float(value)


def at_least_zero(name: str, value: float) -> float:
    """Returns `value` if it is a finite number of at least 0."""
    if not 0 <= value < float("inf"):
        raise InputError(f"{name}={value}: accepted are finite numbers of at least 0")
    return float(value)


def fraction(name: str, value: float) -> float:
    """Returns `value` if it lies in (0, 1]."""
    if not 0 < value <= 1:
        raise InputError(f"{name}={value}: accepted are fractions in (0, 1]")
    return float(value)


def one_of(name: str, value: str, accepted: Sequence[str]) -> str:
    """Returns `value` if it is one of `accepted`."""
    if value not in accepted:
        raise InputError(f"{name}={value}: accepted are {', '.join(accepted)}")
    return value


def labels(name: str, y: np.ndarray, outputs: int) -> None:
    """Checks that labels are among those that a model with so many outputs tells apart.

    Args:
      name: of the argument.
      y: (N,) numbers.
      outputs: K; a single output tells the labels 0 and 1 apart.

    Raises:
      InputError: naming the first label that is not an integer 0 to K - 1.
    """
    most = max(outputs, 2) - 1
    wrong = np.flatnonzero(~np.isin(y, np.arange(most + 1)))
    if not len(wrong):
        return
    cure = ""
    if y.min() == 1 and y.max() == most + 1:
        cure = f"; labels from 1 on become such by {name} - 1"
    raise InputError(
        f"{name}: holds {y[wrong[0]]} at record {wrong[0]}: accepted are the integers "
        f"0 to {most}, as the model has {outputs} output{'s' * (outputs > 1)}{cure}"
    )
