"""Audits a federated training run: trains it, attacks it, writes a report.

python -m launch.audit --data=npz:FILE --out=FOLDER
"""

from __future__ import annotations

import time

from absl import flags
from rich import console

from jaxprivacy.experiments.settings import Settings
from launch import common, flag_help

common.define_settings(Settings, flag_help.HELP)
flags.adopt_module_key_flags(common)
_OUT = flags.DEFINE_string("out", "reports/audit", "Folder that the report goes to.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace the report in --out.")


def main() -> None:
    """Runs the audit that the flags describe."""
    from jaxprivacy.experiments import audit
    from jaxprivacy.report import progress, store, tables

    start = time.perf_counter()
    settings = common.settings(Settings)
    store.reserve(_OUT.value, _OVERWRITE.value)
    compiled = common.use_compilation_cache()
    prepared = audit.prepare(settings)
    with progress.progress(audit.weight(prepared)) as stages:
        report = audit.run(settings, prepared, stages, common.command())
    store.write(report, _OUT.value)
    terminal = console.Console()
    tables.print_summary(report, terminal, _OUT.value)
    seconds = time.perf_counter() - start
    terminal.print(f"{seconds:.0f} s in all; {compiled()}", markup=False)


if __name__ == "__main__":
    common.run(main)
