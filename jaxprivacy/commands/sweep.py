"""Runs the GAN attack over a grid as one compiled program and writes a report.

jaxprivacy sweep --data=npz:FILE --grid=seed=0,1 --grid=target_class=0,1,2
"""

from __future__ import annotations

from absl import flags

from jaxprivacy import checks
from jaxprivacy.commands import common, publishing
from jaxprivacy.studies.settings import GanSettings

common.define_settings(GanSettings)
common.define_report("sweep")
flags.adopt_module_key_flags(common)
_GRID = flags.DEFINE_multi_string(
    "grid",
    ["seed=0,1,2"],
    "A dimension of the grid, as NAME=VALUE,VALUE,...; may be given several times.",
)
_DEVICES = flags.DEFINE_integer(
    "devices", None, "CPU devices to spread the runs over. Absent: one a core."
)
_MEMORY = flags.DEFINE_float("memory", 4.0, "GiB that the runs may take at once.")
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, common.CHECKPOINT)


def main() -> int:
    """Runs the grid that the flags describe."""
    from jaxprivacy.report import progress
    from jaxprivacy.studies import sweep, sweep_study

    settings, grid = common.settings(GanSettings), sweep.parse_grid(_GRID.value)
    checks.positive("memory", _MEMORY.value)
    devices = _DEVICES.value
    if devices is not None:
        checks.positive_integer("devices", devices)
    common.use_every_core(devices)
    with publishing.publisher() as publish:
        prepared = sweep_study.prepare(settings, grid)
        folder = common.checkpoint_folder(_CHECKPOINT.value)
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
            return publish(report)
