"""What all targets of the white-box study share."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxprivacy import data as data_lib, types
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.report import contents, progress
from jaxprivacy.studies import (
    evidence,
    whitebox_attacks,
    whitebox_checks,
    whitebox_kept,
    whitebox_settings,
    whitebox_splits as splits,
    whitebox_targets,
)

DIAGNOSED_ROUNDS = 10
TRAINING, ATTACKING, SHADOWS = 1.0, 2.0, 4.0  # weights on the progress bar


class Prepared(NamedTuple):
    """What is settled before anything is trained."""

    dataset: data_lib.Dataset
    splits: dict[tuple[int, int], splits.Split]  # (participants, seed) -> its split
    layers: tuple[types.Layer, ...]
    views: list
    channels: dict[str, int]  # of the layers' inputs that are images


class Study(NamedTuple):
    """What all targets of a study share."""

    settings: whitebox_settings.WhiteboxSettings
    prepared: Prepared
    attacks: whitebox_attacks.Attacks
    stages: progress.Stages
    targets: str  # folder of trained targets
    data: str  # its fingerprint, where targets are kept
    kept: dict  # identities of the targets that were kept before
    trainers: dict  # (participants, place, mode) -> what trains such targets


class Finding(NamedTuple):
    """What came of one target."""

    row: dict[str, Any]  # what distinguishes it, and what is known of the victim
    seen: whitebox_targets.Seen
    scored: list[membership_rows.Scored]
    diagnostics: contents.Diagnostics | None
    notes: tuple[str, ...] = ()
    three_way: tuple[dict, ...] = ()  # rows of fine-tuning's three kinds
    evidence: dict[str, Any] = {}  # what the records and outputs let any attack see
    outputs: np.ndarray | None = None  # (N, K) of attacked records, in the end
    controls: tuple[membership_rows.Scored, ...] = ()  # of a planted leak


def _kept_rounds(settings, total):
    """All rounds at which some attack looks, and those of the diagnostics."""
    count = min(DIAGNOSED_ROUNDS, total)
    texts = [*settings.observed_rounds, str(count)]
    return sorted({r for t in texts for r in whitebox_settings.observed(t, total)})


def trainer(study, count, place, mode, *, total, records):
    """What trains such targets, compiled once for all of them."""
    known = (count, place, mode, total, records)
    if known not in study.trainers:
        study.trainers[known] = whitebox_targets.trainer(
            study.settings,
            study.prepared.dataset,
            whitebox_targets.Attacker(place, mode),
            _kept_rounds(study.settings, total),
            total=total,
            records=records,
        )
    return study.trainers[known]


def kept(study, trained, **options):
    """Where a target is kept; None: nowhere."""
    if not study.targets:
        return None
    described = whitebox_kept.identity(
        study.settings, trained, data=study.data, **options
    )
    return whitebox_kept.kept(study.targets, described, study.kept, study.stages.say)


def key(settings, seed, name):
    """A key for one purpose; targets that differ only in their attacker share it."""
    purposes = "target attacks shadows fine-tuning untrained control".split()
    return jax.random.fold_in(jax.random.key(seed), purposes.index(name))


def control(
    study, observation, records, row, seed
) -> tuple[membership_rows.Scored, ...]:
    """The positive control on one target."""
    study.stages.stage("positive control", ATTACKING / 2)
    found = whitebox_checks.control(
        study.attacks,
        observation,
        records,
        key(study.settings, seed, "control"),
        row,
        study.stages.advance,
    )
    return tuple(found)


def with_evidence(finding, dataset, held, kinds, measured=None):
    """With what its records and outputs let any attack see, in the outputs' place."""
    evaluated = [kind.evaluation for kind in kinds]
    told = evidence.of_target(dataset, held, *evaluated, finding.outputs, measured)
    return finding._replace(evidence=told, outputs=None)


def light(finding):
    """Without the snapshots, which are the most of it and have served."""
    return finding._replace(seen=finding.seen._replace(snapshots=()))


def row_of(settings, seed, count, place, mode) -> dict[str, Any]:
    """What distinguishes a target, for the rows of the result."""
    row = {"attacker": place, "mode": mode}
    if settings.setting == "federated":
        row["participants"] = count
    return row | {"seed": seed}


def observed_at(study, snapshots, batch, ascent_rate=0.0):
    """The snapshots as attacks take them; refused where they overflow."""
    observation = study.attacks.observer.observe(snapshots, batch.x, batch.y)
    whitebox_targets.check_observed(study.settings, observation.basic, ascent_rate)
    return observation
