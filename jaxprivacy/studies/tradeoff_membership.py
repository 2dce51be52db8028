"""Membership inference under defenses: stand-alone models, with reference models.

The same stand-alone audit, trained under one defense after the other. The attacker
knows the defense: references are trained like the target.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxprivacy.cards import defenses as cards
from jaxprivacy.data import Dataset, copies
from jaxprivacy.evaluation import intervals, membership_rows, seeds as seeds_lib
from jaxprivacy.programs import checkpoint
from jaxprivacy.report import progress
from jaxprivacy.studies import (
    defended_training,
    mimicry,
    provenance,
    reference_audit,
    references,
    results,
    tradeoff_canaries,
    tradeoff_found as found,
    tradeoff_settings,
    training,
)

TRAINED_BY = (
    *reference_audit.TRAINED_BY,
    "cards/defenses.py",
    "defenses/accounting.py",
    "defenses/dp_sgd.py",
    "defenses/regularisers.py",
    "models/dropout.py",
    "studies/defended_training.py",
    "targets",
)
FPRS = (0.01, 0.001)
STAGES = 4  # of a point: models, attacks on them and from within, canaries


class Prepared(NamedTuple):
    """What is settled before anything is trained, of each seed."""

    seeds: tuple[reference_audit.Prepared, ...]
    validation: tuple[np.ndarray, ...]  # indices, of each seed
    chosen: tuple[cards.Chosen, ...]
    # Of each defense and, in each, of each seed; None where it is not DP-SGD.
    noise: tuple[tuple[defended_training.Noise | None, ...], ...]
    # Of each defense: of each seed a training with canaries, or none.
    audits: tuple[tuple[tradeoff_canaries.Audit, ...], ...]


def prepare(settings: tradeoff_settings.TradeoffSettings) -> Prepared:
    """Loads the data and deals it anew for each seed.

    Raises:
      InputError: what the settings ask for cannot be had; no noise guarantees an
        epsilon that is asked for.
    """
    seeds, validation = [], []
    for number in range(settings.seeds):
        one = reference_audit.prepare(settings.audit(settings.seed + number))
        held_back, population = defended_training.validation_share(one.dealt.population)
        seeds.append(one._replace(dealt=one.dealt._replace(population=population)))
        validation.append(held_back)
    chosen = tuple(settings.chosen())
    counts = [_most(one.dealt) for one in seeds]
    noise = tuple(_noise(settings, defense, counts) for defense in chosen)
    audits = _audits(settings, chosen, seeds[0].dataset)
    return Prepared(tuple(seeds), tuple(validation), chosen, noise, audits)


def _audits(settings, chosen, dataset):
    """Of each defense the trainings with canaries, where something is promised."""
    if not settings.canaries:
        return ((),) * len(chosen)
    model = training.model_name(settings, dataset)
    audits = tradeoff_canaries.prepare(settings, model)
    return tuple(
        tradeoff_canaries.promising(audits, defense.strength)
        if tradeoff_settings.promises(defense)
        else ()
        for defense in chosen
    )


def _most(dealt):
    """How many records a model is trained on, padding among them."""
    return int(dealt.held.sum(axis=1).max())


def _noise(settings, defense, counts):
    """DP-SGD's noise for each seed, worked out once for each number of records."""
    if defense.card.name != "dp_sgd":
        return (None,) * len(counts)
    recipe = settings.recipe(settings.rounds)
    found = {
        count: defended_training.noise(defense.strength, recipe, count)
        for count in dict.fromkeys(counts)
    }
    return tuple(found[count] for count in counts)


def weight(settings: tradeoff_settings.TradeoffSettings) -> float:
    """The sum of the weights of the stages: one a defense."""
    return float(len(settings.named()))


def identity(
    settings: tradeoff_settings.TradeoffSettings, prepared: Prepared
) -> dict[str, Any]:
    """What kept models depend on; each is kept by the name of its defense and seed."""
    trained_by = {
        name: getattr(settings, name)
        for name in (
            "data records model mlp_widths references rounds local_epochs batch_size "
            "learning_rate momentum private_learning_rate max_norm delta seed"
        ).split()
    }
    return results.identity(trained_by, prepared.seeds[0].dataset, TRAINED_BY)


def kept_as(chosen: cards.Chosen, seed: int, dataset: Dataset) -> str:
    """What one seed's models under one defense are kept as.

    Each seed draws records of its own, which the identity of the folder does not tell.
    """
    return f"{chosen.key()}_{seed}_{provenance.fingerprint(dataset)[:16]}"


class Point(NamedTuple):
    """A defense at a strength, with one seed."""

    accuracy: dict[str, float]  # mean over the targets, on members and on others
    rows: list[dict]  # of `membership_rows`, one a target and attack
    noise_multiplier: float | None
    epsilon: float | None  # that is guaranteed
    seconds: float
    audited: dict | None = None  # `privacy_audit` of a training with canaries


def run(
    settings: tradeoff_settings.TradeoffSettings,
    prepared: Prepared,
    stages: progress.Stages,
    kept: checkpoint.Checkpoints,
) -> found.Found:
    """Trains under each defense and attacks.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      kept: where trained models are kept.
    """
    rows, first = rows_of(
        settings,
        prepared.chosen,
        stages,
        lambda which, number: point(
            settings, prepared, which, number, stages.advance, kept
        ),
    )
    dataset, _, dealt = prepared.seeds[0]
    return found.Found(
        dataset,
        first,
        rows,
        {"models": len(dealt.held), "defenses": settings.named()},
        copies.told(dealt.left_out, dealt.kept),
        _counts(prepared),
        copies.notes(dealt.left_out, dealt.kept),
    )


def rows_of(
    settings: tradeoff_settings.TradeoffSettings,
    chosen: Sequence[cards.Chosen],
    stages: progress.Stages,
    play: Callable[[int, int], Point],
) -> tuple[list[dict], dict[str, float]]:
    """The rows of all defenses, a stage each, and the first seed's first accuracies.

    Args:
      settings: checked settings.
      chosen: the defenses.
      stages: where progress is shown.
      play: number of the defense and of the seed -> what came of them.
    """
    rows, first = [], None
    for which, text in enumerate(settings.named()):
        stages.stage(f"under {text}", 1.0)
        points = [play(which, number) for number in range(settings.seeds)]
        rows += summary(chosen[which], points)
        first = first or points[0].accuracy
    return rows, first


def point(
    settings: tradeoff_settings.TradeoffSettings,
    prepared: Prepared,
    which: int,
    number: int,
    advance,
    kept: checkpoint.Checkpoints = checkpoint.nowhere,
) -> Point:
    """Trains one seed's models under one defense, and attacks them.

    Args:
      settings: checked settings.
      prepared: see `prepare`.
      which: of the defenses, from 0.
      number: of the seed, from 0.
      advance: told the share done of all seeds.
      kept: where trained models are kept.

    Raises:
      InputError: a training diverges.
    """
    chosen, noise = prepared.chosen[which], prepared.noise[which][number]
    audits = prepared.audits[which]
    begun = time.perf_counter()
    one, seed = prepared.seeds[number], settings.seed + number
    dataset, _, dealt = one

    def tell(share):
        advance(share / settings.seeds / STAGES)

    model = training.target_model(settings, dataset, dataset.num_classes)
    defended = defended_training.defended(
        chosen,
        settings.recipe(settings.rounds),
        model,
        training.batch(dataset, prepared.validation[number]),
        noise,
    )
    place = kept_as(chosen, seed, dataset)
    lots = references.lots(
        defended.train,
        training.batch(dataset, dealt.attacked),
        dealt.held,
        jax.random.key(seed),  # The same for all defenses.
        tell,
        lambda name: kept(f"{place}_{name}"),
    )
    audited = settings.audit(seed)
    trained = reference_audit.ask(audited, one, model, defended.release, lots)
    scored = reference_audit.attacked(
        audited, one, trained, progress.Stages(lambda name, weight: None, tell)
    )
    return Point(
        _accuracies(trained.said, dealt, settings.targets_in_pool),
        membership_rows.rows(scored, "standalone")[0],
        noise and noise.multiplier,
        noise and noise.claim and noise.claim.epsilon,
        time.perf_counter() - begun,
        tradeoff_canaries.bound(audits[number], tell) if audits else None,
    )


def _accuracies(said, dealt, targets):
    right = said.right[:targets, : len(dealt.attacked)]
    return mimicry.mean(mimicry.accuracies(right, dealt.held[:targets]))


def summary(chosen: cards.Chosen, points: Sequence[Point]) -> list[dict]:
    """The rows of one defense in `tradeoff` of result.json: one an attack.

    Each value is a mean over seeds, each seed's over its targets, with Student's t
    interval over seeds. The strongest attack is that of the highest mean TPR at the
    smallest false positive rate that can be told, among those that trained, and is
    marked.

    Args:
      chosen: the defense.
      points: of each seed.
    """
    # Of each seed the mean over its targets, and of these the mean over seeds.
    by_seed = [
        mean | {"seed": number}
        for number, point in enumerate(points)
        for mean in seeds_lib.summarise(point.rows)
    ]
    made = [_row(chosen, points, mean) for mean in seeds_lib.summarise(by_seed)]
    # An attack that did not train says nothing of the defense.
    able = [row for row in made if row["trained"] is not False] or made
    rates = [row["tpr_at_fpr"][0]["value"] for row in able]
    if None in rates:
        rates = [row["auc"]["value"] for row in able]
    best = able[int(np.argmax(rates))]
    return [row | {"strongest": row is best} for row in made]


def _row(chosen, points, mean):
    epsilons = [point.epsilon for point in points if point.epsilon is not None]
    return {
        "defense": chosen.card.name,
        "strength": chosen.number(),
        "attack": mean["attack"],
        "trained": mean.get("trained"),
        **{
            name: intervals.student_t([point.accuracy[name] for point in points], 1.0)
            for name in ("train_accuracy", "test_accuracy")
        },
        "tpr_at_fpr": [rate for rate in mean["tpr_at_fpr"] if rate["fpr"] in FPRS],
        "auc": mean["auc"],
        "epsilon": max(epsilons, default=None),  # what holds with every seed
        "noise_multiplier": points[0].noise_multiplier,
        "audit": tradeoff_canaries.summary(
            [point.audited for point in points if point.audited],
            tradeoff_settings.CONFIDENCE,
        ),
        "seconds": sum(point.seconds for point in points),
    }


def _counts(prepared):
    _, _, dealt = prepared.seeds[0]
    return [
        ("attacked", len(dealt.attacked), "each a member of half of the models"),
        ("population", len(dealt.population), "in no model; attacks compare with them"),
        ("validation", len(prepared.validation[0]), "what early stopping looks at"),
    ]
