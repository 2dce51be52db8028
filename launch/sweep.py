"""Runs the GAN attack over a grid as one compiled program and writes a report.

python -m launch.sweep --data=npz:FILE --grid=seed=0,1,2 --grid=target_class=0,1,2
"""

from __future__ import annotations

import os
import time

from absl import flags
from rich import console

from jaxprivacy import checks
from jaxprivacy.experiments.settings import GanSettings
from launch import common, flag_help

common.define_settings(GanSettings, flag_help.HELP)
flags.adopt_module_key_flags(common)
_GRID = flags.DEFINE_multi_string(
    "grid",
    ["seed=0,1,2"],
    "NAME=VALUE,VALUE,...: a dimension of the grid; may be given several times.",
)
_DEVICES = flags.DEFINE_integer(
    "devices", None, "CPU devices to spread the runs over. Absent: one a core."
)
_MEMORY = flags.DEFINE_float("memory", 4.0, "GiB that the runs may take at once.")
_OUT = flags.DEFINE_string("out", "reports/sweep", "Folder that the report goes to.")
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, common.CHECKPOINT)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace the report in --out.")


def main() -> None:
    """Runs the grid that the flags describe."""
    import jax

    from jaxprivacy.experiments import sweep, sweep_study
    from jaxprivacy.report import progress, store, tables

    start = time.perf_counter()
    settings, grid = common.settings(GanSettings), sweep.parse_grid(_GRID.value)
    checks.positive("--memory", _MEMORY.value)
    devices = _DEVICES.value
    if devices is not None:
        checks.positive_integer("--devices", devices)
    jax.config.update("jax_num_cpu_devices", devices or len(os.sched_getaffinity(0)))
    store.reserve(_OUT.value, _OVERWRITE.value)
    compiled = common.use_compilation_cache()
    prepared = sweep_study.prepare(settings, grid)
    folder = common.checkpoint_folder(_CHECKPOINT.value, _OUT.value)
    memory = _MEMORY.value * 2**30
    with sweep_study.checkpoints(settings, grid, prepared, folder, memory) as kept:
        with progress.progress(sweep_study.weight(settings, prepared)) as stages:
            report = sweep_study.run(
                settings,
                grid,
                prepared,
                stages,
                common.command(),
                memory=memory,
                kept=kept,
            )
        store.write(report, _OUT.value)
    terminal = console.Console()
    tables.print_summary(report, terminal, _OUT.value)
    seconds = time.perf_counter() - start
    terminal.print(f"{seconds:.0f} s in all; {compiled()}", markup=False)


if __name__ == "__main__":
    common.run(main)
