"""Audits a federated training run: trains it, attacks it, writes a report.

python -m launch.audit --data=npz:FILE --out=FOLDER
"""

from __future__ import annotations

from absl import flags

from jaxprivacy.experiments.settings import Settings
from launch import common, flag_help, publishing

common.define_settings(Settings, flag_help.HELP)
common.define_report("audit")
flags.adopt_module_key_flags(common)


def main() -> int:
    """Runs the audit that the flags describe."""
    from jaxprivacy.experiments import audit
    from jaxprivacy.report import progress

    settings = common.settings(Settings)
    with publishing.publisher() as publish:
        prepared = audit.prepare(settings)
        with progress.progress(audit.weight(prepared)) as stages:
            report = audit.run(settings, prepared, stages, common.command())
        return publish(report)


if __name__ == "__main__":
    common.run(main)
