"""Validators of what users pass: each names the argument and prints its value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxprivacy import errors


def positive_integer(name: str, value: int, least: int = 1) -> int:
    """Returns `value` if it is an integer of at least `least`."""
    if isinstance(value, bool) or int(value) != value or value < least:
        raise errors.InputError(name, value, f"are integers of at least {least}")
    return int(value)


def positive(name: str, value: float) -> float:
    """Returns `value` if it is a finite number above 0."""
    if not 0 < value < float("inf"):
        raise errors.InputError(name, value, "are finite numbers above 0")
    return float(value)


def at_least_zero(name: str, value: float) -> float:
    """Returns `value` if it is a finite number of at least 0."""
    if not 0 <= value < float("inf"):
        raise errors.InputError(name, value, "are finite numbers of at least 0")
    return float(value)


def fraction(name: str, value: float) -> float:
    """Returns `value` if it lies in (0, 1]."""
    if not 0 < value <= 1:
        raise errors.InputError(name, value, "are fractions in (0, 1]")
    return float(value)


def one_of(name: str, value: str, accepted: Sequence[str]) -> str:
    """Returns `value` if it is one of `accepted`."""
    if value not in accepted:
        raise errors.InputError(name, value, f"are {', '.join(accepted)}")
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
    raise errors.InputError(
        name,
        found=f"holds {y[wrong[0]]} at record {wrong[0]}",
        accepted=(
            f"are the integers 0 to {most}, as the model has {outputs} "
            f"output{'s' * (outputs > 1)}{cure}"
        ),
    )
