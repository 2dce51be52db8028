"""Timing of two sides in turn, in lines that say what was measured."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax

from benchmarks import memory as memory_lib

Run = memory_lib.Run
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


BENCH = "pip install -e '.[bench]'"
PEERS = {"torch": BENCH, "opacus": BENCH}


class Row(NamedTuple):
    """One line of the comparison."""

    name: str
    target: float | None  # the least ratio peer / ours
    build: Callable[[], Pair]
    limit: str = ""  # why the target is missed, printed where it is
    # Packages that the peer needs, and how they are had.
    needs: Mapping[str, str] = PEERS


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
        "ours": rounded(left),
        "peer": rounded(right),
        "ratio": rounded(ratio),
        "target": row.target,
        "repeats": repeats,
        "ours_compile": rounded(ours_compile),
        "peer_version": pair.peer_version,
        "jax": jax.__version__,
        "cores": cores(),
    }
    for side in ("ours", "peer") if memory and unit == "s" else ():
        peak = memory_lib.peak_of(row.name, side)
        if peak is not None:
            result[f"{side}_peak_mib"] = peak
    if pair.peer_note:
        result["peer_note"] = pair.peer_note
    if row.target is not None and ratio < row.target and row.limit:
        result["limit"] = row.limit
    return result


def rounded(value: float) -> float:
    """Returns four digits of a number."""
    return float(f"{value:.4g}")
