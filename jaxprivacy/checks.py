"""Validators of what users pass: each names the argument and prints its value.

Those that begin with a condition return a validator, for a setting to carry.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxprivacy import errors

Check = Callable[[str, Any], Any]  # of a name and a value; raises InputError


def warn(problem: object) -> None:
    """Says in one line on standard error what went wrong, and that the run goes on."""
    # The bar, where there is one, lets lines on standard error pass above it.
    print("warning: " + " ".join(errors.called(str(problem)).split()), file=sys.stderr)


def positive_integer(
    name: str, value: int, least: int = 1, most: int | None = None
) -> int:
    """Returns `value` if it is an integer of at least `least` and at most `most`."""
    if isinstance(value, bool) or int(value) != value or value < least:
        raise errors.InputError(name, value, f"are integers of at least {least}")
    if most is not None and value > most:
        raise errors.InputError(name, value, f"are at most {most}")
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


def seed(name: str, value: int) -> int:
    """Returns `value` if it is a seed: JAX's keys take its lower 32 bits only."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not 0 <= value < 2**32:
        raise errors.InputError(name, value, f"are 0 to {2**32 - 1}")
    return int(value)


def integers(least: int = 1, most: int | None = None) -> Check:
    """A check that a value is an integer in this range."""
    return functools.partial(positive_integer, least=least, most=most)


def choices(accepted: Sequence[str]) -> Check:
    """A check that a value is one of `accepted`."""
    return functools.partial(one_of, accepted=accepted)


def several_of(accepted: Sequence[str]) -> Check:
    """A check that values are one or several of `accepted`, none of them twice."""

    def check(name, values):
        if not values or len(set(values)) < len(values):
            told = f"are one or several different of {', '.join(accepted)}"
            raise errors.InputError(name, ",".join(values), told)
        each(choices(accepted))(name, values)

    return check


def each(check: Check, least: int = 0) -> Check:
    """A check of every one of several values, of which there are at least `least`."""

    def check_all(name, values):
        if len(values) < least:
            raise errors.InputError(name, "", "is at least one value")
        for value in values:
            check(name, value)

    return check_all


def all_of(*several: Check) -> Check:
    """A check by several, one after the other."""

    def check(name, value):
        for one in several:
            one(name, value)

    return check


def that(holds: Callable[[Any], bool], accepted: str) -> Check:
    """A check that something holds of a value; `accepted` says what, as in an error."""

    def check(name, value):
        if not holds(value):
            raise errors.InputError(name, value, accepted)

    return check


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
