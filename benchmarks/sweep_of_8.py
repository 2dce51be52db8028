"""A sweep of 8 settings against 8 single runs: one JSON line.

The sweep is one program, spread over the cores (`jaxprivacy.studies.sweep`). The
single runs are the same settings one after the other, each compiled as a command of its
own would be, without the cache of compiled programs. A process of its own, because the
number of CPU devices is settled when JAX starts:

    python -m benchmarks.sweep_of_8
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import jax
import numpy as np
from absl import app, flags, logging

from benchmarks import measure, work
from jaxprivacy.data import Dataset
from jaxprivacy.studies import collaboration, gan_attack, sweep
from jaxprivacy.studies.settings import GanSettings

REPEATS = flags.DEFINE_integer(
    "repeats", 5, "Sweeps, of which the median is taken.", lower_bound=5
)
RECORDS, HELD = 1400, 1000
SETTINGS = GanSettings(
    data="made up",
    rounds=2,
    batch_size=1,
    learning_rate=1e-3,
    held_fraction=HELD / RECORDS,
    generator_steps=5,
    upload_fraction=0.1,
)
GRID = {"download_fraction": (0.1, 1.0), "upload_fraction": (0.05, 0.1, 0.5, 1.0)}
LOGGED = 8


def nothing(share: float) -> None:
    """No progress to show."""


def points(dataset: Dataset) -> list[sweep.Point]:
    seats = gan_attack.prepare_seats(SETTINGS, dataset).seats
    return [sweep.Point(c, "gan", seats) for c in sweep.expand(SETTINGS, GRID)]


def sweep_seconds(dataset: Dataset, runs: list[sweep.Point]) -> list[float]:
    """Seconds of the sweep with its compilation, and once more without."""
    compiled = sweep.program(SETTINGS, dataset, LOGGED)

    def run():
        return sweep.run_points(
            SETTINGS,
            dataset,
            runs,
            list(GRID),
            logged_samples=LOGGED,
            memory=2**31,
            advance=nothing,
            compiled=compiled,
        )

    return [timed(run), timed(run)]


def single_seconds(dataset: Dataset, point: sweep.Point) -> list[float]:
    """The same of one run, as `launch.gan_attack` does it."""
    once = collaboration.collaborative_run(point.settings, dataset, LOGGED)
    swept = collaboration.swept(point.settings, point.row)
    key = collaboration.keys(point.settings.seed)[0]

    def run():
        return once(point.seats, swept, key, nothing)

    return [timed(run), timed(run)]


def timed(function: Callable) -> float:
    """Returns the seconds of a call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main(argv: list[str]) -> None:
    del argv
    logging.set_verbosity(logging.WARNING)
    jax.config.update("jax_num_cpu_devices", measure.cores())
    draw = np.random.default_rng(0)
    x = draw.uniform(-1, 1, (RECORDS, *work.IMAGE)).astype(np.float32)
    dataset = Dataset("made up", x, (np.arange(RECORDS) % 10).astype(np.int32), 10)
    runs = points(dataset)
    sweeps, singles = [], []
    for i in range(max(REPEATS.value, len(runs))):  # The sides take turns.
        jax.clear_caches()
        if i < REPEATS.value:
            sweeps.append(sweep_seconds(dataset, runs))
        jax.clear_caches()
        if i < len(runs):
            singles.append(single_seconds(dataset, runs[i]))
    ours, ours_run = np.median(sweeps, axis=0)
    peer, peer_run = np.sum(singles, axis=0)
    line = {
        "name": "sweep_of_8",
        "unit": "s",
        "ours": round(float(ours), 2),
        "peer": round(float(peer), 2),
        "ratio": round(float(peer / ours), 2),
        "target": 1,
        "repeats": REPEATS.value,
        "ours_without_compilation": round(float(ours_run), 2),
        "peer_without_compilation": round(float(peer_run), 2),
        "ratio_without_compilation": round(float(peer_run / ours_run), 2),
        "peer_note": "8 single runs, each compiled and timed once: their sum",
        "jax": jax.__version__,
        "devices": jax.device_count(),
        "cores": measure.cores(),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    app.run(main)
