"""Reconstructs records from the update they gave, and writes a report.

jaxprivacy gradient-inversion --attack=invert_gradients,dlg --batch_size=1,4
"""

from __future__ import annotations

from absl import flags

from jaxprivacy.commands import common, publishing
from jaxprivacy.studies.inversion_settings import InversionSettings

common.define_settings(InversionSettings)
common.define_report("gradient_inversion")
flags.adopt_module_key_flags(common)


def main() -> int:
    """Runs the attacks that the flags describe."""
    from jaxprivacy.report import progress
    from jaxprivacy.studies import gradient_inversion

    settings = common.settings(InversionSettings)
    with publishing.publisher() as publish:
        prepared = gradient_inversion.prepare(settings)
        with progress.progress(gradient_inversion.weight(settings)) as stages:
            report = gradient_inversion.run(
                settings, prepared, stages, common.command()
            )
        return publish(report)
