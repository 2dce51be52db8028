"""Bounds a training's epsilon from below, and holds that against its claim.

jaxprivacy audit-privacy --data=npz:FILE --noise_multiplier=1 --out=FOLDER

Canaries, records with a wrong label, are put into the training or left out,
each by a fair coin. How many of these coins the model and its gradients give
away bounds epsilon from below; DP-SGD's accountant bounds it from above.
"""

from __future__ import annotations

from absl import flags

from jaxprivacy.commands import common, publishing
from jaxprivacy.studies.privacy_settings import PrivacySettings

common.define_settings(PrivacySettings)
common.define_report("audit_privacy")
flags.adopt_module_key_flags(common)


def main() -> int:
    """Runs the audit that the flags describe."""
    from jaxprivacy.report import progress
    from jaxprivacy.studies import privacy_audit

    settings = common.settings(PrivacySettings)
    with publishing.publisher() as publish:
        prepared = privacy_audit.prepare(settings)
        with progress.progress(privacy_audit.weight(settings)) as stages:
            report = privacy_audit.run(settings, prepared, stages, common.command())
        return publish(report)
