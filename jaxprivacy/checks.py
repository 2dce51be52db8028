"""Validators of what users pass: each names the argument and prints its value."""

from __future__ import annotations

from collections.abc import Sequence


class InputError(ValueError):
    """A user's argument or file is not what it must be.

    The message is one line that names the argument or file, the value and what is
    accepted; launch scripts print it and exit with status 2.
    """


class NotWritten(OSError):
    """A finished result found no place on any disk; its message is one line."""


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
