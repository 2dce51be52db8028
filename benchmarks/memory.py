"""Peak memory, each measured in a process of its own."""

from __future__ import annotations

import ctypes
import json
import pathlib
import subprocess  # noqa: S404 - only this package's own module is run
import sys
from collections.abc import Callable
from typing import Any

Run = Callable[[], Any]
Prepare = Callable[[], Run]  # compiles

PROCESS = pathlib.Path("/proc/self")


def peak_of(row: str, side: str) -> int | None:
    """Returns the MiB that a side adds to the peak of a process that runs only it."""
    command = [sys.executable, "-m", "benchmarks.run"]
    arguments = [f"--rows={row}", f"--side={side}"]
    done = subprocess.run(  # noqa: S603 - arguments are names from this package
        command + arguments, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)["peak_mib"]


def own_peak(load: Callable[[], Prepare], *, compilation: bool = True) -> int | None:
    """Prepares and runs one side, and returns the growth of this process's peak in MiB.

    Args:
      load: loads libraries and data, which do not count.
      compilation: whether the compilation counts. It takes more memory than a small
        program does, and never twice the same.
    """
    prepare = load()
    if not (PROCESS / "status").exists():
        return None
    before = _read("VmRSS")
    run = prepare()
    if not compilation:
        _forget_peak()
        before = _read("VmRSS")
    run()
    return round((_read("VmHWM") - before) / 1024)


def _forget_peak() -> None:
    """Returns free memory to the system, and lets the peak start from what is left."""
    ctypes.CDLL(None).malloc_trim(0)
    (PROCESS / "clear_refs").write_text("5")


def _read(name: str) -> int:
    """Reads KiB from Linux; `ru_maxrss` would start from the parent process's peak."""
    status = (PROCESS / "status").read_text()
    fields = dict(row.split(":", 1) for row in status.splitlines())
    return int(fields[name].split()[0])
