"""Compares jaxprivacy with its peers, side by side in one run: a JSON line per row.

`ours` and `peer` are medians over runs that take turns, after a warm-up of each, with
compilation apart; `ratio` is peer / ours in seconds (ours / peer in GFLOP/s), so higher
is better for us. `ours_peak_mib` and `peer_peak_mib` are what a side, compilation
included, adds to the peak of a process of its own once libraries and data are loaded.

`collaboration_memory` prints a line for each number of participants: the peak that a
round adds once it is compiled, and by how many replicas each participant beyond the
first line's raises it. `feature_memory` does so for an attack by the number of attacked
records, the features streamed or kept.
"""

from __future__ import annotations

import importlib.util
import json
import sys

from absl import app, flags, logging

from benchmarks import (
    capture_rows,
    collaboration_rows,
    defense_rows,
    feature_memory_rows,
    federated_rows,
    jax_privacy_rows,
    loop_rows,
    measure,
    memory,
    memory_rows,
    private_rows,
    whitebox_rows,
)

ROWS = {
    row.name: row
    for row in (
        *capture_rows.ROWS,
        *federated_rows.ROWS,
        *loop_rows.ROWS,
        *collaboration_rows.ROWS,
        *defense_rows.ROWS,
        *private_rows.ROWS,
        *jax_privacy_rows.ROWS,
        *whitebox_rows.ROWS,
        *memory_rows.ROWS,
        *feature_memory_rows.ROWS,
    )
}

ROW_NAMES = flags.DEFINE_list(
    "rows", None, "Rows to measure. Absent: all whose peers are installed."
)
REPEATS = flags.DEFINE_integer(
    "repeats", 5, "Runs of each side, of which the median is taken.", lower_bound=5
)
MEMORY = flags.DEFINE_bool(
    "memory", True, "Measure the peak memory too, each side in a process of its own."
)
SIDE = flags.DEFINE_string(
    "side",
    None,
    "Print only this side's peak memory, of one row: ours, peer or, of "
    "collaboration_memory, the number of participants; of feature_memory streamed or "
    "kept, an underscore and the number of records.",
)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unknown argument {argv[1]}")
    unknown = [name for name in ROW_NAMES.value or () if name not in ROWS]
    if unknown:
        _stop(f"--rows={','.join(unknown)}: accepted are {', '.join(ROWS)}")
    rows = [ROWS[name] for name in ROW_NAMES.value or ROWS]
    missing = {row.name: needed for row in rows if (needed := _missing(row))}
    for name, needed in missing.items():
        print(f"{name} needs {needed}", file=sys.stderr)
    if ROW_NAMES.value and missing:
        _stop("what is asked for cannot be measured")
    rows = [row for row in rows if row.name not in missing]
    logging.set_verbosity(logging.WARNING)  # JAX reports absent accelerators as news
    if SIDE.value is not None:
        print(json.dumps({"peak_mib": _peak(rows[0], SIDE.value)}))
        return
    for row in rows:
        for line in _lines(row):
            print(json.dumps(line), flush=True)


def _missing(row):
    """What a row's peer lacks, and how it is had; empty: nothing."""
    return ", ".join(
        f"{package} ({had})"
        for package, had in row.needs.items()
        if importlib.util.find_spec(package) is None
    )


def _lines(row):
    if isinstance(row, memory_rows.Growth):
        return row.lines(row)
    return [measure.line(row, REPEATS.value, MEMORY.value)]


def _peak(row, side):
    if isinstance(row, memory_rows.Growth):
        sides = row.sides
    else:
        sides = {name: lambda: getattr(row.build(), side) for name in ("ours", "peer")}
    if side not in sides:
        _stop(f"--side={side}: accepted are {', '.join(sides)}")
    compilation = not isinstance(row, memory_rows.Growth)
    return memory.own_peak(sides[side], compilation=compilation)


def _stop(message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    app.run(main)
