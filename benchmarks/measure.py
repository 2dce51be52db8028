"""Timing of two sides in turn, and of the memory each needs."""

from __future__ import annotations

import json
import math
import os
import pathlib
import statistics
import subprocess  # noqa: S404 - only this package's own module is run
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

Run = Callable[[], Any]
SHORTEST_SAMPLE = 0.1  # seconds; faster runs are repeated within one sample


class Pair(NamedTuple):
    """The two sides of a row; preparing a side compiles it and returns its run."""

    ours: Callable[[], Run]
    peer: Callable[[], Run]
    peer_version: str
    peer_note: str = ""
    peer_scale: float = (
        1.0  # where the peer does a part of the work: what it stands for
    )
    # Work of one run in GFLOP: with these, the row compares GFLOP/s and not seconds.
    ours_gflop: float | None = None
    peer_gflop: float | None = None


class Row(NamedTuple):
    """One line of the comparison."""

    name: str
    target: float | None  # the least ratio peer / ours
    build: Callable[[], Pair]
    limit: str = ""  # why the target is missed, printed where it is


def cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def compiled(function: Callable, *args) -> Run:
    """Compiles `function(*args)`; the run waits for its results."""
    args = jax.device_put(args)
    program = jax.jit(function).lower(*args).compile()
    return lambda: jax.block_until_ready(program(*args))


def seconds(run: Run, number: int = 1) -> float:
    """Returns the time of one call, the mean of `number`."""
    start = time.perf_counter()
    for _ in range(number):
        run()
    return (time.perf_counter() - start) / number


def alternate(runs: list[Run], repeats: int) -> list[float]:
    """Returns each run's median seconds over `repeats` turns, after a warm-up."""
    for run in runs:
        run()
    numbers = [math.ceil(SHORTEST_SAMPLE / seconds(run)) for run in runs]
    samples = [
        [seconds(run, n) for run, n in zip(runs, numbers, strict=True)]
        for _ in range(repeats)
    ]
    return [statistics.median(column) for column in zip(*samples, strict=True)]


def line(row: Row, repeats: int, memory: bool) -> dict:
    """Measures one row."""
    pair = row.build()
    start = time.perf_counter()
    ours = pair.ours()
    ours_compile = time.perf_counter() - start
    ours_seconds, peer_seconds = alternate([ours, pair.peer()], repeats)
    peer_seconds *= pair.peer_scale
    unit, left, right = "s", ours_seconds, peer_seconds
    ratio = peer_seconds / ours_seconds
    if pair.ours_gflop is not None:
        unit = "GFLOP/s"
        left, right = pair.ours_gflop / ours_seconds, pair.peer_gflop / peer_seconds
        ratio = left / right
    result = {
        "name": row.name,
        "unit": unit,
        "ours": _rounded(left),
        "peer": _rounded(right),
        "ratio": _rounded(ratio),
        "target": row.target,
        "repeats": repeats,
        "ours_compile": _rounded(ours_compile),
        "peer_version": pair.peer_version,
        "jax": jax.__version__,
        "cores": cores(),
    }
    for side in ("ours", "peer") if memory and unit == "s" else ():
        peak = peak_of(row, side)
        if peak is not None:
            result[f"{side}_peak_mib"] = peak
    if pair.peer_note:
        result["peer_note"] = pair.peer_note
    if row.target is not None and ratio < row.target and row.limit:
        result["limit"] = row.limit
    return result


def peak_of(row: Row, side: str) -> int | None:
    """Returns the MiB that a side adds to the peak of a process that runs only it."""
    command = [sys.executable, "-m", "benchmarks.run"]
    arguments = [f"--rows={row.name}", f"--side={side}"]
    done = subprocess.run(  # noqa: S603 - arguments are names from this package
        command + arguments, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)["peak_mib"]


def own_peak(row: Row, side: str) -> int | None:
    """Prepares and runs one side, and returns the growth of this process's peak in MiB.

    The libraries and the data are loaded before; the compilation counts.
    """
    pair = row.build()
    before = _memory("VmRSS")
    getattr(pair, side)()()
    peak = _memory("VmHWM")
    return None if before is None else round((peak - before) / 1024)


def _memory(name: str) -> int | None:
    """Reads KiB from Linux; `ru_maxrss` would start from the parent process's peak."""
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return None
    fields = dict(row.split(":", 1) for row in status.read_text().splitlines())
    return int(fields[name].split()[0])


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
