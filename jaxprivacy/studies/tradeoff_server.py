"""A server's membership inference from uploads, under defenses of these.

Where it is given nothing but the sum of a round's updates, attacks that compare one
participant's with others' have nothing to compare and are not run; the others take the
mean for the victim's.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import jax

from jaxprivacy.cards import defenses as cards
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.programs import checkpoint
from jaxprivacy.report import progress
from jaxprivacy.studies import (
    audit,
    defended_federation,
    federated_run,
    membership,
    results,
    server_attacks,
    tradeoff_found as found,
    tradeoff_membership,
    tradeoff_settings,
    training,
)


class Prepared(NamedTuple):
    """What is settled before anything is trained."""

    seeds: tuple[audit.Prepared, ...]
    chosen: tuple[cards.Chosen, ...]
    defended: tuple[defended_federation.Defended, ...]


def prepare(settings: tradeoff_settings.TradeoffSettings) -> Prepared:
    """Loads the data, deals it anew for each seed, and works out the noise.

    Raises:
      InputError: what the settings ask for cannot be had; no noise guarantees an
        epsilon that is asked for.
    """
    numbers = range(settings.seed, settings.seed + settings.seeds)
    seeds = tuple(audit.prepare(settings.federated(seed)) for seed in numbers)
    first = seeds[0]
    shares = (share for one in seeds for share in one.split.participants)
    recipe = settings.rounds_of(min(map(len, shares)))
    model = training.target_model(settings, first.dataset, first.dataset.num_classes)
    chosen = tuple(settings.chosen())
    defended = [defended_federation.defended(one, recipe, model) for one in chosen]
    return Prepared(seeds, chosen, tuple(defended))


def weight(settings: tradeoff_settings.TradeoffSettings) -> float:
    """The sum of the weights of the stages: one a defense."""
    return float(len(settings.named()))


def identity(
    settings: tradeoff_settings.TradeoffSettings, prepared: Prepared
) -> dict[str, Any]:
    """What a folder of kept runs is of; these are short, and none is kept."""
    return results.identity(vars(settings), prepared.seeds[0].dataset, ("studies",))


def run(
    settings: tradeoff_settings.TradeoffSettings,
    prepared: Prepared,
    stages: progress.Stages,
    kept: checkpoint.Checkpoints,
) -> found.Found:
    """Trains under each defense and attacks one participant's members.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      kept: not used: a run takes seconds.
    """
    del kept
    rows, first = tradeoff_membership.rows_of(
        settings,
        prepared.chosen,
        stages,
        lambda which, number: _point(settings, prepared, which, number, stages.advance),
    )
    one = prepared.seeds[0]
    held = sum(map(len, one.split.participants))
    each = f"held by {settings.participants} participants; one of them is attacked"
    attacked = len(one.split.evaluation.members)
    return found.Found(
        one.dataset,
        first,
        rows,
        {"defenses": settings.named()},
        {},
        [
            ("members", held, each),
            ("attacked", attacked, "of the victim, and as many that nobody holds"),
        ],
    )


def _point(settings, prepared, which, number, advance) -> tradeoff_membership.Point:
    """One seed's training under one defense, attacked by the server."""
    one, defended = prepared.seeds[number], prepared.defended[which]
    begun, seed = time.perf_counter(), settings.seed + number
    given = settings.federated(seed)
    records = membership.attacked_records(one.dataset, one.split)
    trained = federated_run.play(
        given,
        one.dataset,
        one.split,
        records,
        jax.random.key(seed),
        lambda share: advance(share / settings.seeds),
        ascent=False,
        all_uploads=True,
        inside=False,
        defended=defended,
    )
    model = training.target_model(settings, one.dataset, one.dataset.num_classes)
    batch = records.batch
    seen = server_attacks.signals(model.apply, trained, batch.x, batch.y)
    summed = seen.log_odds.shape[1] == 1
    names = [
        name
        for name in settings.attacks
        if not (summed and name in server_attacks.COMPARE)
    ]
    victim = 0 if summed else one.split.victim
    scored = server_attacks.attack(seen, records, victim, names)
    return tradeoff_membership.Point(
        results.accuracies(trained.info),
        membership_rows.rows(scored, "federated")[0],
        defended.noise_multiplier,
        defended.claim and defended.claim.epsilon,
        time.perf_counter() - begun,
    )
