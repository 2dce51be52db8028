"""Ctrl-C, and what the system sends to end a process: one line, no traceback."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
# Where the steps of runs lie, below the folder that a flag names.
STEPS = {"checkpoint": "runs/*/*", "targets": "*/*"}


class Stopped(BaseException):
    """A signal has asked the process to end; the argument is its number."""


@contextlib.contextmanager
def signals() -> Iterator[None]:
    """Has `Stopped` raised at the first signal; a second one ends the process at once.

    A signal that is ignored, as in a background job of a shell, stays so.
    """

    def stop(number, frame):
        del frame
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        raise Stopped(number)

    before = {
        number: signal.signal(number, stop)
        for number in NAMES
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def told(number: int, folders: dict[str, str]) -> str:
    """What ended the run, what is kept of it and how to go on.

    Args:
      number: of the signal.
      folders: the flags of this script that name a folder for what is kept, as in
        `STEPS`, and what they name; empty: nothing is kept.
    """
    ended = f"stopped by {NAMES[number]}"
    for flag, folder in folders.items():
        steps = pathlib.Path(folder).glob(STEPS[flag]) if folder else ()
        if any(step.name.isdecimal() for step in steps):
            return (
                f"{ended}; what is trained is kept in {folder}: the same command goes "
                "on from there"
            )
    hint = "".join(
        f" (--{f}=FOLDER keeps it)" for f, given in folders.items() if not given
    )
    return f"{ended}; nothing is kept{hint}: the same command starts anew"


def leave(status: int) -> NoReturn:
    """Ends the process without Python's own end.

    A compiled program may still run in a thread of XLA, which crashes where Python is
    taken down under it.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # Nobody reads it any more.
            stream.flush()
    os._exit(status)
