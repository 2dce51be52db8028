"""What protects, and what it costs: the same attack under one defense after the other.

What the attack is of decides what is trained: stand-alone models for membership
inference, rounds of federated training for the attacks of a participant or a server.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from jaxprivacy.programs import checkpoint
from jaxprivacy.report import contents, progress, verdict
from jaxprivacy.studies import (
    results,
    tradeoff_gan,
    tradeoff_inversion,
    tradeoff_membership,
    tradeoff_server,
    tradeoff_settings,
)

# By `tradeoff_settings.kind`: prepare, weight, identity and run of what is trained.
KINDS = {
    "membership": tradeoff_membership,
    "gan": tradeoff_gan,
    "inversion": tradeoff_inversion,
    "server": tradeoff_server,
}


def prepare(settings: tradeoff_settings.TradeoffSettings) -> Any:
    """Checks the settings, loads the data and deals it anew for each seed.

    Raises:
      InputError: what the settings ask for cannot be had; no noise guarantees an
        epsilon that is asked for.
    """
    tradeoff_settings.check(settings)
    return _kind(settings).prepare(settings)


def _kind(settings):
    return KINDS[tradeoff_settings.kind(settings)]


def weight(settings: tradeoff_settings.TradeoffSettings) -> float:
    """The sum of the weights of the stages that will be run."""
    return _kind(settings).weight(settings)


def checkpoints(
    settings: tradeoff_settings.TradeoffSettings, prepared: Any, folder: str
) -> AbstractContextManager[checkpoint.Checkpoints]:
    """Opens the folder that keeps what was trained; see `checkpoint.study`.

    More defenses and seeds use what others left; each is kept by its own name.
    """
    return checkpoint.study(folder, _kind(settings).identity(settings, prepared))


def run(
    settings: tradeoff_settings.TradeoffSettings,
    prepared: Any,
    stages: progress.Stages,
    command: str,
    kept: checkpoint.Checkpoints = checkpoint.nowhere,
) -> contents.Report:
    """Trains under each defense, attacks, and gathers what each costs and prevents.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      command: how the run was started, for the report.
      kept: where what was trained is kept.
    """
    begun = results.begin()
    found = _kind(settings).run(settings, prepared, stages, kept)
    result = {
        **results.head(command, settings, found.dataset, begun, **found.in_effect),
        "target": found.target,
        "tradeoff": found.rows,
        "membership": [],
        "null_checks": [],
        "reconstruction": [],
        **found.told,
    }
    result["data"] |= found.told_of_data
    result["verdict"] = verdict.verdict(result)
    return contents.Report(
        result=result,
        settings=results.used_settings(settings, found.dataset),
        split_counts=found.counts,
        notes=found.notes,
        class_samples=found.class_samples,
        inversions=found.inversions,
    )
