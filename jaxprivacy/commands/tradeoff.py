"""Shows what defenses protect, and what they cost in accuracy.

jaxprivacy tradeoff --data=npz:FILE --defenses=none,dp_sgd:8,mixup:1

A model is trained under one defense after the other, with reference models
beside it that are trained in the same way, and attacked with them.
"""

from __future__ import annotations

from absl import flags

from jaxprivacy.commands import common, publishing
from jaxprivacy.studies.tradeoff_settings import TradeoffSettings

common.define_settings(TradeoffSettings)
common.define_report("tradeoff")
flags.adopt_module_key_flags(common)
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, common.CHECKPOINT)


def main() -> int:
    """Runs the trainings and attacks that the flags describe."""
    from jaxprivacy.report import progress
    from jaxprivacy.studies import tradeoff

    settings = common.settings(TradeoffSettings)
    with publishing.publisher() as publish:
        common.use_every_core()
        prepared = tradeoff.prepare(settings)
        folder = common.checkpoint_folder(_CHECKPOINT.value)
        with tradeoff.checkpoints(settings, prepared, folder) as kept:
            with progress.progress(tradeoff.weight(settings)) as stages:
                report = tradeoff.run(
                    settings, prepared, stages, common.command(), kept
                )
        return publish(report)
