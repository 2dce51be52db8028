"""Plays paper B's white-box membership inference and writes a report.

python -m launch.whitebox --data=npz:FILE --setting=federated --out=FOLDER
python -m launch.whitebox --flagfile=launch/presets/paper_b/location_table_viii.flags
"""

from __future__ import annotations

import time

from absl import flags
from rich import console

from jaxprivacy.experiments.whitebox_settings import WhiteboxSettings
from launch import common, flag_help

common.define_settings(WhiteboxSettings, flag_help.WHITEBOX)
flags.adopt_module_key_flags(common)
_OUT = flags.DEFINE_string("out", "reports/whitebox", "Folder that the report goes to.")
_TARGETS = flags.DEFINE_string(
    "targets",
    "",
    "Folder in which trained targets are kept: one found there is not trained again, "
    "and an interrupted training goes on. Empty: nowhere.",
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace the report in --out.")


def main() -> None:
    """Runs the attacks that the flags describe."""
    from jaxprivacy.experiments import whitebox
    from jaxprivacy.report import progress, store, tables

    start = time.perf_counter()
    settings = common.settings(WhiteboxSettings)
    store.reserve(_OUT.value, _OVERWRITE.value)
    compiled = common.use_compilation_cache()
    prepared = whitebox.prepare(settings)
    with progress.progress(whitebox.weight(settings)) as stages:
        report = whitebox.run(
            settings, prepared, stages, common.command(), _TARGETS.value
        )
    store.write(report, _OUT.value)
    terminal = console.Console()
    tables.print_summary(report, terminal, _OUT.value)
    seconds = time.perf_counter() - start
    terminal.print(f"{seconds:.0f} s in all; {compiled()}", markup=False)


if __name__ == "__main__":
    common.run(main)
