"""Plays paper A's GAN attack in collaborative training and writes a report.

python -m launch.gan_attack --data=npz:FILE --target_class=3 --out=FOLDER
python -m launch.gan_attack --flagfile=launch/presets/mnist_two_participants.flags
"""

from __future__ import annotations

import time

from absl import flags
from rich import console

from jaxprivacy.experiments.settings import GanSettings
from launch import common, flag_help

common.define_settings(GanSettings, flag_help.HELP)
flags.adopt_module_key_flags(common)
_OUT = flags.DEFINE_string(
    "out", "reports/gan_attack", "Folder that the report goes to."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace the report in --out.")
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, common.CHECKPOINT)


def main() -> None:
    """Runs the attack that the flags describe."""
    from jaxprivacy.experiments import gan_attack
    from jaxprivacy.report import progress, store, tables

    start = time.perf_counter()
    settings = common.settings(GanSettings)
    store.reserve(_OUT.value, _OVERWRITE.value)
    compiled = common.use_compilation_cache()
    prepared = gan_attack.prepare(settings)
    folder = common.checkpoint_folder(_CHECKPOINT.value, _OUT.value)
    with gan_attack.checkpoints(settings, prepared, folder) as kept:
        with progress.progress(gan_attack.weight(settings)) as stages:
            report = gan_attack.run(settings, prepared, stages, common.command(), kept)
        store.write(report, _OUT.value)
    terminal = console.Console()
    tables.print_summary(report, terminal, _OUT.value)
    seconds = time.perf_counter() - start
    terminal.print(f"{seconds:.0f} s in all; {compiled()}", markup=False)


if __name__ == "__main__":
    common.run(main)
