"""The GAN attack under defenses: rounds of collaborative training, judged by class.

Paper A leaves open whether privacy at the level of a participant, or secure
aggregation, stops its attack (section 8); here it is asked of every defense.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxprivacy.cards import defenses as cards
from jaxprivacy.data import Dataset, load
from jaxprivacy.evaluation import intervals
from jaxprivacy.programs import checkpoint
from jaxprivacy.report import contents, progress, verdict_works
from jaxprivacy.studies import (
    collaboration,
    defended_federation,
    gan_attack,
    judge as judges,
    reconstruction,
    results,
    sweep,
    sweep_baselines,
    tradeoff_found as found,
    tradeoff_settings,
)

LOGGED = 32  # samples kept of each round and run
JUDGES = 0.3  # weight on the progress bar, of a defense's runs
MEMORY = 4 * 2**30  # bytes that the seeds' runs take at once


class Prepared(NamedTuple):
    """What is settled before anything is trained."""

    dataset: Dataset
    points: list[sweep.Point]  # a run a seed
    chosen: tuple[cards.Chosen, ...]
    defended: tuple[defended_federation.Defended, ...]


def prepare(settings: tradeoff_settings.TradeoffSettings) -> Prepared:
    """Loads the data, deals the seats anew for each seed, and works out the noise.

    Raises:
      InputError: what the settings ask for cannot be had; no noise guarantees an
        epsilon that is asked for.
    """
    first = settings.gan(settings.seed)
    dataset = load(first.data, records=first.records, seed=first.seed)
    points = []
    for number in range(settings.seeds):
        one = settings.gan(settings.seed + number)
        seats = gan_attack.prepare_seats(one, dataset).seats
        points.append(sweep.Point(one, "gan", seats))
    # The probability of DP-SGD's batches is the same for all: that of the fewest.
    fewest = min(len(share) for point in points for share in point.seats.honest)
    recipe = settings.rounds_of(fewest)
    model = collaboration.model(first, dataset)
    chosen = tuple(settings.chosen())
    defended = [defended_federation.defended(one, recipe, model) for one in chosen]
    return Prepared(dataset, points, chosen, tuple(defended))


def weight(settings: tradeoff_settings.TradeoffSettings) -> float:
    """The sum of the weights of the stages."""
    return JUDGES + len(settings.named())


def identity(
    settings: tradeoff_settings.TradeoffSettings, prepared: Prepared
) -> dict[str, Any]:
    """What kept runs depend on; each is kept by the name of its defense."""
    of_runs = vars(settings.gan(settings.seed))
    of_defenses = {
        name: getattr(settings, name)
        for name in "private_learning_rate max_norm update_norm delta seeds".split()
    }
    modules = (*collaboration.TRAINED_BY, "studies/tradeoff_gan.py")
    devices = {"devices": jax.device_count()}  # by which runs go together
    trained_by = of_runs | of_defenses | devices
    return results.identity(trained_by, prepared.dataset, modules)


def run(
    settings: tradeoff_settings.TradeoffSettings,
    prepared: Prepared,
    stages: progress.Stages,
    kept: checkpoint.Checkpoints,
) -> found.Found:
    """Trains under each defense, attacks, and judges what the generator draws.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      kept: where runs are kept.
    """
    dataset, points = prepared.dataset, prepared.points
    stages.stage("training the judges", JUDGES)
    judged_by = sweep_baselines.judges(dataset, points, stages.advance)
    attacked, seconds = {}, []
    for text, chosen, defended in zip(
        settings.named(), prepared.chosen, prepared.defended, strict=True
    ):
        begun = time.perf_counter()
        stages.stage(f"under {text}", 1.0)
        attacked[text] = _played(settings, prepared, chosen, defended, stages, kept)
        seconds.append(time.perf_counter() - begun)
    images = _images(dataset, points, attacked)
    told = {
        "reconstruction": _judged(attacked, points, images, judged_by),
        "runs": _runs(attacked, points),
        "judge_accuracy": {str(n): one.accuracy for n, one in judged_by.items()},
    }
    who, every = points[0].seats, list(judged_by.values())
    first = next(iter(attacked.values()))
    return found.Found(
        dataset,
        results.accuracies(first[0].info),
        [
            _row(prepared, which, text, attacked[text], seconds[which], told)
            for which, text in enumerate(attacked)
        ],
        {"defenses": settings.named()},
        {},
        gan_attack.counts(dataset, who),
        [judges.told(every, len(sweep_baselines.learned([who])))],
        told,
        [_picture(text, images[0]) for text in attacked],
    )


def _played(settings, prepared, chosen, defended, stages, kept):
    """The seeds' runs under one defense."""
    return sweep.run_points(
        settings.gan(settings.seed),
        prepared.dataset,
        prepared.points,
        ["seed"],
        logged_samples=LOGGED,
        memory=MEMORY,
        advance=stages.advance,
        kept=lambda name: kept(f"{chosen.key()}_{name}"),
        defended=defended,
    )


def _images(dataset, points, attacked):
    """What is judged of each seed: the generators' samples, by the defenses' texts."""
    return [
        reconstruction.reconstruct(
            dataset,
            point.seats,
            {},
            {text: runs[number].generator_params for text, runs in attacked.items()},
            collaboration.keys(point.settings.seed)[3],
        )
        for number, point in enumerate(points)
    ]


def _judged(
    attacked: Mapping[str, Sequence[collaboration.Attacked]],
    points: Sequence[sweep.Point],
    images: Sequence[reconstruction.Images],
    judged_by: Mapping[int, judges.Judge],
) -> list[dict]:
    """The rows of `reconstruction` in result.json."""
    made = []
    for point, one in zip(points, images, strict=True):
        seed = point.settings.seed
        for row in reconstruction.rows(point.seats.target_class, one, judged_by[seed]):
            text = row["attack"]
            of = {"attack": "gan", "swept": {"defense": text}}
            made.append(row | {"seed": seed} | (of if text in attacked else {}))
    return made


def _runs(attacked, points):
    """The entries of `runs` in result.json."""
    return [
        entry | {"seed": point.settings.seed, "defense": text}
        for text, runs in attacked.items()
        for point, run in zip(points, runs, strict=True)
        for entry in results.runs({"gan": run}, point.seats.target_class)
    ]


def _row(prepared, which, text, attacked, seconds, told):
    """The row of one defense in `tradeoff` of result.json."""
    chosen, defended = prepared.chosen[which], prepared.defended[which]
    own = [r for r in told["reconstruction"] if r.get("swept") == {"defense": text}]
    compared = [verdict_works.compared(row, told["reconstruction"]) for row in own]
    distances = [row["frechet"] for row in own if row["frechet"] is not None]
    return {
        "defense": chosen.card.name,
        "strength": chosen.number(),
        "attack": "gan",
        **{
            name: intervals.student_t([run.info[name][-1] for run in attacked], 1.0)
            for name in ("train_accuracy", "test_accuracy", "class_accuracy")
        },
        "hit_rate": intervals.student_t([r["hit_rate"]["value"] for r in own], 1.0),
        "frechet": intervals.student_t(distances, np.inf),
        "works": sum(one is not None and one.works for one in compared),
        "too_poor": sum(verdict_works.too_poor(r, told) is not None for r in own),
        "epsilon": defended.claim and defended.claim.epsilon,
        "noise_multiplier": defended.noise_multiplier,
        "seconds": seconds,
        "strongest": True,
    }


def _picture(text, images):
    """The first seed's samples beside the victim's images."""
    count = reconstruction.SHOWN
    samples = images.attacks[text][:count]
    return contents.Samples(f"under {text}", images.private[:count], samples)
