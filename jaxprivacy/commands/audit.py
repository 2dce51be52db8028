"""Audits a federated or stand-alone training, or a trained model of your own.

jaxprivacy audit --data=npz:FILE --out=FOLDER
jaxprivacy audit --setting=standalone --references=16 --data=npz:FILE
jaxprivacy audit --target=FILE.py:NAME --params=PATH --data=npz:FILE
jaxprivacy audit --target=FILE.py:NAME --references=16 --data=npz:FILE

The first trains in federation, attacks and reports. The second trains one
model, and reference models like it, by which records at risk are found at low
false positive rates. The third attacks the model that NAME
is, a jaxprivacy.Target or a function that returns one; the data file holds
x_train and y_train, which it was trained on, and x_test and y_test, which it
was not. The fourth trains models like that one, if its target says how by
`train`, and finds records as the second does.
"""

from __future__ import annotations

import dataclasses

from absl import flags

from jaxprivacy.commands import common, publishing
from jaxprivacy.studies.settings import Settings

common.define_settings(Settings)
common.define_report("audit")
common.define_target(
    "Of the settings --data, --preset, --seed, --attacks and --references go with it; "
    "it is compared with reference models if their number is given and the target has "
    "a function `train`."
)
flags.adopt_module_key_flags(common)
# The settings that count beside a target.
_OF_TARGETS = ("data", "preset", "seed", "attacks", "references")
_OF_REFERENCES = ("references", "targets_in_pool", "queries", "checkpoint")
_OF_FEDERATION = (
    "participants",
    "members_per_participant",
    "partition",
    "dirichlet_alpha",
    "victim",
    "others_non_members",
    "round_decay",
    "observed_rounds",
    "ascent_rate",
    "target_class",
    "gan_rounds",
    "generator_learning_rate",
    "generator_steps",
    "generator_batch",
    "injected",
)
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, common.CHECKPOINT)


def main() -> int:
    """Runs the audit that the flags describe."""
    from jaxprivacy.report import progress
    from jaxprivacy.studies import audit, door

    settings = common.settings(Settings)
    target = flags.FLAGS.target
    common.check_target(Settings, _OF_TARGETS, ("checkpoint",))
    standalone = settings.setting == "standalone"
    if target is None and standalone:
        common.refuse(_OF_FEDERATION, "with `setting`=federated only")
    elif target is None:
        common.refuse(_OF_REFERENCES, "with `setting`=standalone only")
    with publishing.publisher() as publish:
        if target is not None:
            if not flags.FLAGS["references"].present:  # Its default is another study's.
                settings = dataclasses.replace(settings, references=0)
            if settings.references:
                common.use_every_core()
            found = door.audit_named(
                target, flags.FLAGS.params, settings, common.command()
            )
            return publish(found.contents)
        if standalone:
            return publish(_standalone(settings))
        prepared = audit.prepare(settings)
        with progress.progress(audit.weight(prepared)) as stages:
            report = audit.run(settings, prepared, stages, common.command())
        return publish(report)


def _standalone(settings: Settings):
    """The audit with reference models, one device a core."""
    from jaxprivacy.report import progress
    from jaxprivacy.studies import reference_audit

    common.use_every_core()
    prepared = reference_audit.prepare(settings)
    folder = common.checkpoint_folder(_CHECKPOINT.value)
    with reference_audit.checkpoints(settings, prepared, folder) as kept:
        with progress.progress(reference_audit.weight(settings)) as stages:
            return reference_audit.run(
                settings, prepared, stages, common.command(), kept
            )
