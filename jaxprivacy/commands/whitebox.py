"""Plays paper B's white-box membership inference and writes a report.

jaxprivacy whitebox --data=npz:FILE --setting=federated --out=FOLDER
"""

from __future__ import annotations

from absl import flags

from jaxprivacy.commands import common, publishing
from jaxprivacy.experiments.whitebox_settings import WhiteboxSettings

common.define_settings(WhiteboxSettings)
common.define_report("whitebox")
flags.adopt_module_key_flags(common)
_TARGETS = flags.DEFINE_string(
    "targets",
    "",
    "Folder in which trained targets are kept: one found there is not trained again, "
    "and an interrupted training goes on. Empty: nowhere.",
)


def main() -> int:
    """Runs the attacks that the flags describe."""
    from jaxprivacy.experiments import whitebox
    from jaxprivacy.report import progress

    settings = common.settings(WhiteboxSettings)
    with publishing.publisher() as publish:
        prepared = whitebox.prepare(settings)
        with progress.progress(whitebox.weight(settings)) as stages:
            report = whitebox.run(
                settings, prepared, stages, common.command(), _TARGETS.value
            )
        return publish(report)
