"""Plays paper B's white-box membership inference and writes a report.

jaxprivacy whitebox --data=npz:FILE --setting=federated --out=FOLDER
jaxprivacy whitebox --target=FILE.py:NAME --params=PATH --data=npz:FILE

The second attacks the model that NAME is, a jaxprivacy.Target or a function
that returns one; the data file holds x_train and y_train, which it was trained
on, and x_test and y_test, which it was not.
"""

from __future__ import annotations

from absl import flags

from jaxprivacy.commands import common, publishing
from jaxprivacy.studies.whitebox_settings import WhiteboxSettings

common.define_settings(WhiteboxSettings)
common.define_report("whitebox")
common.define_target("Its settings are those of the attacks; it is not trained here.")
flags.adopt_module_key_flags(common)
_TARGETS = flags.DEFINE_string(
    "targets",
    "",
    "Folder in which trained targets are kept: one found there is not trained again, "
    "and an interrupted training goes on. Empty: nowhere.",
)


def main() -> int:
    """Runs the attacks that the flags describe."""
    from jaxprivacy.report import progress
    from jaxprivacy.studies import whitebox, whitebox_own

    settings = common.settings(WhiteboxSettings)
    common.check_target(WhiteboxSettings, whitebox_own.SETTINGS, ("targets",))
    if flags.FLAGS.target is not None:
        return _of_target(settings)
    with publishing.publisher() as publish:
        prepared = whitebox.prepare(settings)
        with progress.progress(whitebox.weight(settings)) as stages:
            report = whitebox.run(
                settings, prepared, stages, common.command(), _TARGETS.value
            )
        return publish(report)


def _of_target(settings: WhiteboxSettings) -> int:
    """Runs the attacks on the model of --target."""
    from jaxprivacy.report import progress
    from jaxprivacy.studies import whitebox_own

    with publishing.publisher() as publish:
        own = whitebox_own.prepare(settings, flags.FLAGS.target, flags.FLAGS.params)
        with progress.progress(whitebox_own.weight(settings)) as stages:
            report = whitebox_own.run(settings, own, stages, common.command())
        return publish(report)
