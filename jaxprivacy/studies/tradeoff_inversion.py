"""Gradient inversion under defenses of uploads, beside the accuracy that they leave.

A participant's first update of a model as it was drawn is inverted as the server sees
it, by an attacker who knows the defense; how well a model can be trained under the same
defense is told by rounds of federated training of that model.
"""

from __future__ import annotations

import functools
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import flatten_util

from jaxprivacy import types
from jaxprivacy.attacks import compressed_inversion
from jaxprivacy.cards import defenses as cards
from jaxprivacy.evaluation import images, intervals
from jaxprivacy.federated import simulate
from jaxprivacy.programs import checkpoint, chunks
from jaxprivacy.report import contents, progress
from jaxprivacy.studies import (
    defended_federation,
    gradient_inversion as study,
    inversion_attacks,
    inversion_settings,
    inversion_target,
    results,
    tradeoff_found as found,
    tradeoff_settings,
    training,
)

TRAINING = 0.5  # weight on the progress bar, of the updates' inversion


class Prepared(NamedTuple):
    """What is settled before anything is computed."""

    seeds: tuple[study.Prepared, ...]
    chosen: tuple[cards.Chosen, ...]
    defended: tuple[defended_federation.Defended, ...]


def prepare(settings: tradeoff_settings.TradeoffSettings) -> Prepared:
    """Loads the data, divides it anew for each seed, and works out the noise.

    Raises:
      InputError: what the settings ask for cannot be had; no noise guarantees an
        epsilon that is asked for.
    """
    numbers = range(settings.seed, settings.seed + settings.seeds)
    seeds = tuple(_divided(settings, seed) for seed in numbers)
    first = settings.inversion(settings.seed)
    model = inversion_target.model(first, seeds[0].dataset)
    recipe = settings.rounds_of(len(seeds[0].training) // settings.participants)
    chosen = tuple(settings.chosen())
    defended = [defended_federation.defended(one, recipe, model) for one in chosen]
    return Prepared(seeds, chosen, tuple(defended))


def _divided(settings, seed):
    """One seed's records; no more than were asked for train a model."""
    one = study.prepare(settings.inversion(seed))
    return one._replace(training=one.training[: settings.records])


def weight(settings: tradeoff_settings.TradeoffSettings) -> float:
    """The sum of the weights of the stages that will be run."""
    return (1 + TRAINING) * len(settings.named())


def identity(
    settings: tradeoff_settings.TradeoffSettings, prepared: Prepared
) -> dict[str, Any]:
    """What kept trainings depend on; each is kept by its defense and seed."""
    names = (
        "data records model mlp_widths rounds local_epochs batch_size learning_rate "
        "momentum participants private_learning_rate max_norm update_norm delta "
        "updates update_size"
    ).split()
    modules = (
        "defenses",
        "federated",
        "models",
        "studies/defended_federation.py",
        "studies/defended_training.py",
        "studies/inversion_target.py",
        "studies/tradeoff_inversion.py",
        "targets",
        "training",
    )
    trained_by = {name: getattr(settings, name) for name in names}
    return results.identity(trained_by, prepared.seeds[0].dataset, modules)


def run(
    settings: tradeoff_settings.TradeoffSettings,
    prepared: Prepared,
    stages: progress.Stages,
    kept: checkpoint.Checkpoints,
) -> found.Found:
    """Trains and attacks under each defense.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      kept: where trainings are kept.
    """
    rows, pictures, first = [], [], None
    seeds = [_seed(settings, prepared, n) for n in range(settings.seeds)]
    for which, text in enumerate(settings.named()):
        begun = time.perf_counter()
        stages.stage(f"training under {text}", TRAINING)
        trained = [
            _trained(settings, prepared, which, seed, stages, kept) for seed in seeds
        ]
        stages.stage(f"inverting updates under {text}", 1.0)
        inverted = [
            _inverted(settings, prepared, which, seed, stages) for seed in seeds
        ]
        first = first or trained[0]
        seconds = time.perf_counter() - begun
        rows.append(_row(prepared, which, trained, inverted, seconds))
        if prepared.seeds[0].dataset.is_image:
            pictures.append(_picture(text, inverted[0]))
    one = prepared.seeds[0]
    return found.Found(
        one.dataset,
        first,
        rows,
        {
            "defenses": settings.named(),
            "model": inversion_settings.model_name(
                settings.inversion(settings.seed), one.dataset
            ),
        },
        {},
        [
            ("participant", len(one.attacked), "to be reconstructed"),
            ("others", len(one.training), "on whom federated training is tried"),
            ("public", len(one.public), "of nobody: for baselines, and accuracy"),
        ],
        inversions=pictures,
    )


class Seed(NamedTuple):
    """What all defenses of one seed have in common."""

    settings: inversion_settings.InversionSettings
    prepared: study.Prepared
    target: inversion_target.Target  # as it was drawn
    known: inversion_attacks.Known


def _seed(settings, prepared, number):
    given, one = settings.inversion(settings.seed + number), prepared.seeds[number]
    target = inversion_target.target(given, one.dataset, one.training)
    return Seed(given, one, target, study.knowledge(one, target))


def _trained(settings, prepared, which, of: Seed, stages, kept):
    """The accuracies of a model trained by all participants under one defense."""
    one, target, defended = of.prepared, of.target, prepared.defended[which]
    seed = of.settings.seed
    honest = training.participant(settings.federated(seed), target.model)
    each = len(one.training) // settings.participants
    shares = one.training[: each * settings.participants].reshape(-1, each)

    def simulation(swept):
        (data,) = swept
        key = training.named_key(seed, "defense")
        seats = defended.defend(key, honest, honest)
        # Nobody is an adversary: all are as the defense has honest participants.
        group = simulate.Group(seats.honest, data)
        return simulate.simulate(seats.server, [group], order="parallel")

    state, _ = chunks.run_rounds(
        chunks.runner(simulation),
        (training.stack(one.dataset, shares),),
        tuple(jax.random.split(training.named_key(seed, "training"))),
        target.params,
        settings.rounds,
        lambda share: stages.advance(share / settings.seeds),
        kept(f"{prepared.chosen[which].key()}_{seed}"),
    )
    params = defended.shared(state.server)
    training.check_finite(params, learning_rate=settings.learning_rate)
    trained = target._replace(params=params)
    return inversion_target.accuracies(trained, one.dataset, one.training, one.public)


def _inverted(settings, prepared, which, of: Seed, stages) -> study.Row:
    """Inverts the updates of one seed as the server sees them under one defense."""
    chosen = prepared.chosen[which]
    size = settings.update_size
    if chosen.card.name == "secure_aggregation":
        size *= settings.participants  # The sum of all of them is what is seen.
    (attack,) = of.settings.attack
    return study.row(
        of.settings,
        of.prepared,
        of.known,
        inversion_settings.Case(attack, size, 1),
        lambda share: stages.advance(share / settings.seeds),
        _release(settings, chosen, prepared.defended[which], of.target, size),
    )


def _release(
    settings, chosen, defended, target: inversion_target.Target, size: int
) -> inversion_attacks.Release | None:
    """What of a participant's mean gradient the server sees, and makes of it."""
    name = chosen.card.name
    if name in defended_federation.COMPRESSIONS:
        compress = defended_federation.compressor(chosen)

        def compressed(key, x, y, seen):
            del x, y
            flat, unravel = flatten_util.ravel_pytree(seen)
            return unravel(compress(key, flat))

        return inversion_attacks.Release(compressed, compared(chosen))
    if name != "dp_sgd":
        return None
    private = defended_federation.private_gradient(
        target.model, settings.recipe(1), defended, size
    )

    def noised(key, x, y, seen):
        del seen
        return private(key, target.params, types.Batch(x, y, jnp.ones(len(y))))[0]

    return inversion_attacks.Release(noised)


def compared(chosen: cards.Chosen):
    """What an attacker who knows a compression compares gradients by; None: as is."""
    if chosen.card.name == "top_k":
        as_sparse = compressed_inversion.as_sparse
        return functools.partial(as_sparse, fraction=chosen.strength)
    return compressed_inversion.as_signs if chosen.card.name == "sign" else None


def _row(prepared, which, trained, inverted, seconds):
    """The row of one defense in `tradeoff` of result.json."""
    chosen, defended = prepared.chosen[which], prepared.defended[which]
    made = [one.result for one in inverted]

    def over_seeds(name, most, least):
        known = [one[name]["value"] for one in made if one[name] is not None]
        return intervals.student_t(known, most, least) if known else None

    gains = [one["psnr"]["value"] - one["gain"]["value"] for one in made]
    return {
        "defense": chosen.card.name,
        "strength": chosen.number(),
        "attack": made[0]["attack"],
        **{
            name: intervals.student_t([one[name] for one in trained], 1.0)
            for name in ("train_accuracy", "test_accuracy")
        },
        "update_records": made[0]["batch_size"],
        "psnr": over_seeds("psnr", images.MOST_PSNR, -np.inf),
        "ssim": over_seeds("ssim", 1.0, -1.0),
        "right_bits": over_seeds("right_bits", 1.0, 0.0),
        "found": over_seeds("found", 1.0, 0.0),
        "guessed_psnr": intervals.student_t(gains, images.MOST_PSNR, -np.inf),
        "epsilon": defended.claim and defended.claim.epsilon,
        "noise_multiplier": defended.noise_multiplier,
        "seconds": seconds,
        "strongest": True,
    }


def _picture(text, row):
    """The first seed's records, and what was found of them."""
    return contents.Samples(
        f"under {text}", row.records[: study.SHOWN], row.found[: study.SHOWN]
    )
