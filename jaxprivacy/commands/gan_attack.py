"""Plays paper A's GAN attack in collaborative training and writes a report.

jaxprivacy gan-attack --data=npz:FILE --target_class=3 --out=FOLDER
"""

from __future__ import annotations

from absl import flags

from jaxprivacy.commands import common, publishing
from jaxprivacy.studies.settings import GanSettings

common.define_settings(GanSettings)
common.define_report("gan_attack")
flags.adopt_module_key_flags(common)
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, common.CHECKPOINT)


def main() -> int:
    """Runs the attack that the flags describe."""
    from jaxprivacy.report import progress
    from jaxprivacy.studies import gan_attack

    settings = common.settings(GanSettings)
    with publishing.publisher() as publish:
        prepared = gan_attack.prepare(settings)
        folder = common.checkpoint_folder(_CHECKPOINT.value)
        with gan_attack.checkpoints(settings, prepared, folder) as kept:
            with progress.progress(gan_attack.weight(settings)) as stages:
                report = gan_attack.run(
                    settings, prepared, stages, common.command(), kept
                )
            return publish(report)
