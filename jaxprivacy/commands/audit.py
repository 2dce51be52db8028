"""Audits a federated training run, or a trained model of your own.

jaxprivacy audit --data=npz:FILE --out=FOLDER
jaxprivacy audit --target=FILE.py:NAME --params=PATH --data=npz:FILE

The first trains, attacks and reports. The second attacks the model that NAME
is, a jaxprivacy.Target or a function that returns one; the data file holds
x_train and y_train, which it was trained on, and x_test and y_test, which it
was not.
"""

from __future__ import annotations

import dataclasses

from absl import flags

from jaxprivacy import checks
from jaxprivacy.commands import common, flag_help, publishing
from jaxprivacy.experiments.settings import Settings

common.define_settings(Settings, flag_help.HELP)
common.define_report("audit")
flags.adopt_module_key_flags(common)
_OF_TARGETS = ("data", "preset", "seed")  # The settings that count beside a target.
_TARGET = flags.DEFINE_string(
    "target",
    None,
    "A trained model of your own to audit: FILE.py:NAME or package.module:NAME, a "
    "jaxprivacy.Target or a function of no arguments that returns one. The file is "
    "imported, and runs. Of the settings --data, --preset and --seed go with it.",
)
_PARAMS = flags.DEFINE_string(
    "params",
    None,
    "Parameters of --target: an Orbax folder, a .safetensors or an .npz file, whose "
    "names are paths. Absent: the target's own.",
)


def main() -> int:
    """Runs the audit that the flags describe."""
    from jaxprivacy.experiments import audit, door
    from jaxprivacy.report import progress

    settings = common.settings(Settings)
    if _TARGET.value is None and _PARAMS.value is not None:
        raise checks.InputError(
            f"--params={_PARAMS.value}: accepted is a path beside --target"
        )
    if _TARGET.value is not None:
        _refuse_others()
    with publishing.publisher() as publish:
        if _TARGET.value is not None:
            found = door.audit_named(
                _TARGET.value, _PARAMS.value, settings, common.command()
            )
            return publish(found.contents)
        prepared = audit.prepare(settings)
        with progress.progress(audit.weight(prepared)) as stages:
            report = audit.run(settings, prepared, stages, common.command())
        return publish(report)


def _refuse_others() -> None:
    """Refuses settings of a training that does not take place."""
    for field in dataclasses.fields(Settings):
        flag = flags.FLAGS[field.name]
        if flag.present and field.name not in _OF_TARGETS:
            accepted = ", ".join(f"--{name}" for name in _OF_TARGETS)
            raise checks.InputError(
                f"--{field.name}={flag.value}: the model of --target is not trained "
                f"here; accepted beside it are {accepted}"
            )
