"""What a sweep is compared with: trained once for each seed, or seed and class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from jaxprivacy import types
from jaxprivacy.data import Dataset
from jaxprivacy.programs import checkpoint
from jaxprivacy.studies import (
    bounds,
    collaboration,
    gan_baselines,
    judge,
    seats as seats_lib,
    settings as settings_lib,
    sweep,
)

WITHOUT = "gan_no_influence"  # whose models are inverted: nobody disturbed them
Key = tuple[int, int]  # seed, target class
Points = Mapping[Key, sweep.Point]  # one of each
Advance = Callable[[float], None]


def judges(
    dataset: Dataset, points: Sequence[sweep.Point], advance: Advance
) -> dict[int, judge.Judge]:
    """One judge a seed, which has seen no image of any class's row `real`."""
    by_seed: dict[int, list] = {}
    for point in points:
        by_seed.setdefault(point.settings.seed, []).append(point.seats)
    found = {}
    for seed, seats in by_seed.items():
        found[seed] = judge.train_judge(
            dataset,
            learned(seats),
            seats_lib.held(seats[0]),
            collaboration.keys(seed)[1],
            lambda share: advance(share / len(by_seed)),
        )
    return found


def learned(seats: Sequence) -> np.ndarray:
    """The records that a seed's judge learns from: of nobody, and of no row `real`."""
    records = seats[0].unheld
    for who in seats:
        records = np.setdiff1d(records, who.real)
    return records


def mlps(
    settings: settings_lib.GanSettings,
    dataset: Dataset,
    one: Points,
    memory: float,
    advance: Advance,
    kept: checkpoint.Checkpoints,
) -> dict[Key, tuple[types.Model, types.Params]]:
    """The mlps that model inversion works on, trained without influence."""
    undisturbed = gan_baselines.mlp_settings(settings)
    trained = sweep.run_points(
        undisturbed,
        dataset,
        [point._replace(row=WITHOUT) for point in one.values()],
        ["seed", "target_class"],
        logged_samples=2,
        memory=memory,
        advance=advance,
        kept=lambda name: kept(f"mlp_{name}"),
    )
    model = collaboration.model(undisturbed, dataset)
    return {key: (model, run.params) for key, run in zip(one, trained, strict=True)}


def dcgans(
    settings: settings_lib.GanSettings,
    dataset: Dataset,
    one: Points,
    judges: Mapping[int, judge.Judge],
    advance: Advance,
) -> dict[Key, bounds.Bound]:
    """A DCGAN on the victim's images of each class and seed."""
    found = gan_baselines.dcgans(
        settings,
        [dataset.x[point.seats.private] for point in one.values()],
        [collaboration.keys(point.settings.seed)[2] for point in one.values()],
        [judges[seed] for seed, _ in one],
        advance,
    )
    return dict(zip(one, found, strict=True))
