"""The study over a grid: every class, several seeds, budgets and fractions."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple

import jax

from jaxprivacy.data import Dataset, load
from jaxprivacy.programs import checkpoint
from jaxprivacy.report import contents, progress
from jaxprivacy.studies import (
    collaboration,
    courses,
    gan_attack,
    reconstruction,
    results,
    settings as settings_lib,
    sweep,
    sweep_baselines,
    sweep_report,
)

LOGGED = 32  # samples kept of each round and run


class Prepared(NamedTuple):
    """What is settled before anything is trained."""

    dataset: Dataset
    cells: list[settings_lib.GanSettings]
    points: list[sweep.Point]


def prepare(settings: settings_lib.GanSettings, grid: dict[str, tuple]) -> Prepared:
    """Checks every cell of the grid, loads the data and deals the seats.

    Raises:
      InputError: what some cell asks for cannot be had.
    """
    cells = sweep.expand(settings, grid)
    for cell in cells:
        settings_lib.check_gan(cell)
    dataset = load(settings.data, records=settings.records, seed=settings.seed)
    rows = [
        name for name in gan_attack.stages_of(settings) if name in collaboration.RUNS
    ]
    points = [
        sweep.Point(cell, row, gan_attack.prepare_seats(cell, dataset).seats)
        for cell in cells
        for row in rows
    ]
    return Prepared(dataset, cells, points)


def checkpoints(
    settings: settings_lib.GanSettings,
    grid: dict[str, tuple],
    prepared: Prepared,
    folder: str,
    memory: float,
) -> AbstractContextManager[checkpoint.Checkpoints]:
    """Opens the folder that keeps the runs of this study; see `checkpoint.study`."""
    trained_by = {
        **vars(settings),
        "grid": {name: [str(v) for v in values] for name, values in grid.items()},
        # These decide which runs go together.
        "devices": jax.device_count(),
        "memory": memory,
    }
    modules = collaboration.TRAINED_BY
    identity = results.identity(trained_by, prepared.dataset, modules)
    return checkpoint.study(folder, identity)


def weight(settings: settings_lib.GanSettings, prepared: Prepared) -> float:
    """The sum of the weights of the stages that will be run."""
    return sum(_weights(settings, prepared).values())


def _weights(settings, prepared):
    """Of each stage, relative to one collaborative run."""
    classes = len(_by_seats(prepared.points))
    seeds = len({p.settings.seed for p in prepared.points})
    weights = {"runs": len(prepared.points), "judge": 0.3 * seeds}
    if "model_inversion_mlp" in settings.compare:
        weights["model_inversion_mlp"] = 0.3 * classes
    if "dcgan" in settings.compare:
        weights["dcgan"] = 0.6 * classes
    return weights | {"reconstruct": 0.1 * len(prepared.points)}


def _by_seats(points):
    """The points by seed and target class."""
    groups: dict[tuple[int, int], list[int]] = {}
    for i, point in enumerate(points):
        key = point.settings.seed, point.seats.target_class
        groups.setdefault(key, []).append(i)
    return groups


def run(
    settings: settings_lib.GanSettings,
    grid: dict[str, tuple],
    prepared: Prepared,
    stages: progress.Stages,
    command: str,
    memory: float,
    kept: checkpoint.Checkpoints = checkpoint.nowhere,
) -> contents.Report:
    """Runs the grid and everything it is compared with.

    Args:
      settings: what all cells have in common.
      grid: what differs, as `sweep.parse_grid` returns it.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      command: how the run was started, for the report.
      memory: bytes that the runs may take at once.
      kept: where the runs are kept, to go on after an interruption.
    """
    begun = results.begin()
    dataset, _, points = prepared
    weights = _weights(settings, prepared)

    def stage(name, text):
        stages.stage(text, weights[name])

    stage("runs", f"{len(points)} collaborative runs")
    attacked = sweep.run_points(
        settings,
        dataset,
        points,
        list(grid),
        logged_samples=LOGGED,
        memory=memory,
        advance=stages.advance,
        kept=kept,
    )
    groups = _by_seats(points)
    stage("judge", "training the judges")
    judges = sweep_baselines.judges(dataset, points, stages.advance)
    one = {key: points[members[0]] for key, members in groups.items()}
    extra, bounds = _baselines(
        settings, dataset, one, judges, memory, stage, stages, kept
    )
    stage("reconstruct", "judging the reconstructions")
    names = [name for name in grid if name not in ("seed", "target_class")]
    judged = {}
    for key, members in groups.items():
        runs = {i: (points[i], attacked[i]) for i in members}
        judged[key] = _judged(
            settings, dataset, runs, extra[key], judges[key[0]], names
        )
        stages.advance(1 / len(groups))
    swept = sweep_report.Swept(dataset, grid, points, attacked, judges, bounds, judged)
    told = sweep_report.told(settings, swept)
    result = {**results.head(command, settings, dataset, begun), **told}
    return sweep_report.report(settings, swept, result)


def _judged(settings, dataset, runs, extra, judged_by, names):
    """Judges all runs of one seed and class, and their baselines."""
    first = next(iter(runs.values()))[0]
    labels = {i: _label(point, names) for i, (point, _) in runs.items()}
    trained = {labels[i]: run.generator_params for i, (_, run) in runs.items()}
    inverted = {}
    if "model_inversion" in settings.compare:
        shared = collaboration.model(settings, dataset)
        inverted = {
            ("model_inversion", labels[i][1]): (shared, run.params)
            for i, (point, run) in runs.items()
            if point.row == sweep_baselines.WITHOUT
        }
    inverted |= {(n, ()): v for n, v in extra.items() if n == "model_inversion_mlp"}
    trained |= {(n, ()): v for n, v in extra.items() if n == "dcgan"}
    key = collaboration.keys(first.settings.seed)[3]
    who = first.seats
    images = reconstruction.reconstruct(dataset, who, inverted, trained, key)
    of_runs = {
        i: courses.course(point.row, run, who.target_class, judged_by, images.private)
        for i, (point, run) in runs.items()
    }
    rows = reconstruction.rows(who.target_class, images, judged_by)
    named = [_named(row) | {"seed": first.settings.seed} for row in rows]
    return sweep_report.Judged(named, of_runs, images)


def _label(point, names):
    """A row's name and the swept settings that tell it from others of its name."""
    return point.row, tuple((name, getattr(point.settings, name)) for name in names)


def _named(row):
    """A row whose label is that of `_label`, or a name."""
    label = row["attack"]
    name, values = label if isinstance(label, tuple) else (label, ())
    return row | {"attack": name} | ({"swept": dict(values)} if values else {})


def _baselines(settings, dataset, one, judges, memory, stage, stages, kept):
    """What is trained once for each seed and class, and how its DCGANs came about."""
    extra: dict[tuple[int, int], dict] = {key: {} for key in one}
    bounds = {}
    if "model_inversion_mlp" in settings.compare:
        stage("model_inversion_mlp", "the same with an mlp and without attacker")
        trained = sweep_baselines.mlps(
            settings, dataset, one, memory, stages.advance, kept
        )
        for key, found in trained.items():
            extra[key]["model_inversion_mlp"] = found
    if "dcgan" in settings.compare:
        stage("dcgan", "a DCGAN on the victim's images of each class")
        bounds = sweep_baselines.dcgans(settings, dataset, one, judges, stages.advance)
        for key, bound in bounds.items():
            extra[key]["dcgan"] = bound.generator
    return extra, bounds
