"""The study over a grid: every class, several seeds, budgets and fractions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import jax
import numpy as np

from jaxprivacy.data import Dataset, load
from jaxprivacy.evaluation.intervals import Interval
from jaxprivacy.evaluation.reconstruction import over_runs
from jaxprivacy.experiments import (
    checkpoint,
    collaboration,
    gan_attack,
    judge,
    provenance,
    reconstruction,
    results,
    sweep,
    sweep_baselines,
    training,
)
from jaxprivacy.experiments.settings import GanSettings, check_gan
from jaxprivacy.report import contents, text, verdict
from jaxprivacy.report.progress import Stages
from jaxprivacy.report.threats import threat

# Of a class's rows the first that is there is shown.
BEST_FIRST = ("gan_improved", "gan", sweep_baselines.WITHOUT)
LOGGED = 32  # samples kept of each round and run


class Prepared(NamedTuple):
    """What is settled before anything is trained."""

    dataset: Dataset
    cells: list[GanSettings]
    points: list[sweep.Point]


def prepare(settings: GanSettings, grid: dict[str, tuple]) -> Prepared:
    """Checks every cell of the grid, loads the data and deals the seats.

    Raises:
      InputError: what some cell asks for cannot be had.
    """
    cells = sweep.expand(settings, grid)
    for cell in cells:
        check_gan(cell)
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
    settings: GanSettings,
    grid: dict[str, tuple],
    prepared: Prepared,
    folder: str,
    memory: float,
) -> AbstractContextManager[checkpoint.Checkpoints]:
    """Opens the folder that keeps the runs of this study; see `checkpoint.study`."""
    code = {"code": provenance.code(collaboration.TRAINED_BY)}
    identity = {
        "content_of_data": checkpoint.fingerprint(prepared.dataset),
        "grid": {name: [str(v) for v in values] for name, values in grid.items()},
        # These decide which runs go together.
        "devices": jax.device_count(),
        "memory": memory,
    }
    return checkpoint.study(
        folder, vars(settings) | identity | training.versions() | code
    )


def weight(settings: GanSettings, prepared: Prepared) -> float:
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
    settings: GanSettings,
    grid: dict[str, tuple],
    prepared: Prepared,
    stages: Stages,
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
    rows, courses, shown = [], {}, {}
    for (seed, target), members in groups.items():
        found = _judged(
            dataset,
            {i: (points[i], attacked[i]) for i in members},
            extra.get((seed, target), {}),
            collaboration.model(settings, dataset),
            judges[seed],
            [name for name in grid if name not in ("seed", "target_class")],
            "model_inversion" in settings.compare,
        )
        rows += [row | {"seed": seed} for row in found.rows]
        shown[seed, target] = found
        for i, course in zip(members, found.courses, strict=True):
            courses[i] = course
        stages.advance(1 / len(groups))
    first = points[0].row
    ended = [
        results.accuracies(run.info)
        for point, run in zip(points, attacked, strict=True)
        if point.row == first
    ]
    accuracy = {name: np.mean([e[name] for e in ended]) for name in ended[0]}
    plain = all(name in ("seed", "target_class") for name in grid)
    averaged = _averaged(points, courses) if plain else []
    # Of a grid over either there is no one budget: its runs have theirs.
    several = {"epsilon_per_parameter", "upload_fraction"} & set(grid)
    privacy = None if several else gan_attack.account(settings, dataset)
    result = {
        **results.head(command, settings, dataset, begun),
        "target": accuracy,
        "membership": [],
        "reconstruction": rows,
        "judge_accuracy": {str(seed): j.accuracy for seed, j in judges.items()},
        "privacy": privacy and privacy._asdict(),
        "dcgan": [
            {"seed": seed, "target_class": target} | gan_attack.bound_row(bound)
            for (seed, target), bound in bounds.items()
        ],
        "grid": grid,
        "runs": [
            _run_row(dataset, point, run, courses[i], list(grid))
            for i, (point, run) in enumerate(zip(points, attacked, strict=True))
        ],
        "courses": [gan_attack.course_row(c) for c in averaged],
    }
    result["verdict"] = verdict.verdict(result)
    return contents.Report(
        result=result,
        settings=[
            *results.used_settings(settings, dataset),
            ("grid", "; ".join(f"{n} = {list(v)}" for n, v in grid.items())),
        ],
        split_counts=[],
        roc_curves=[],
        gradient_norms=None,
        training=None,
        reconstructions=None,
        notes=_notes(points, attacked, judges),
        courses=averaged,
        class_samples=_class_samples(shown),
        tradeoff=_tradeoff(settings, dataset, points, attacked, rows, first),
    )


class _Judged(NamedTuple):
    rows: list[dict]
    courses: list[contents.Course]
    images: reconstruction.Images


def _judged(dataset, runs, extra, shared, judged_by, names, invert):
    """Judges all runs of one seed and class, and their baselines."""
    points = {i: point for i, (point, _) in runs.items()}
    who = next(iter(points.values())).seats
    key = collaboration.keys(next(iter(points.values())).settings.seed)[3]
    labels = {i: _label(point, names) for i, point in points.items()}
    trained = {labels[i]: run.generator_params for i, (_, run) in runs.items()}
    inverted = {}
    for i, (point, run) in runs.items():
        if invert and point.row == sweep_baselines.WITHOUT:
            label = ("model_inversion", labels[i][1])
            inverted[label] = shared, run.params
    inverted |= {(n, ()): v for n, v in extra.items() if n == "model_inversion_mlp"}
    trained |= {(n, ()): v for n, v in extra.items() if n == "dcgan"}
    images = reconstruction.reconstruct(dataset, who, inverted, trained, key)
    rows = []
    for row in reconstruction.rows(who.target_class, images, judged_by):
        label = row["attack"]
        name, values = label if isinstance(label, tuple) else (label, ())
        rows.append(
            row | {"attack": name} | ({"swept": dict(values)} if values else {})
        )
    courses = [
        gan_attack.course(point.row, run, who.target_class, judged_by, images.private)
        for point, run in runs.values()
    ]
    return _Judged(rows, courses, images)


def _label(point, names):
    """A row's name and the swept settings that tell it from others of its name."""
    return point.row, tuple((name, getattr(point.settings, name)) for name in names)


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


def _run_row(dataset, point, run, course, names):
    """One run in result.json."""
    spent = gan_attack.account(point.settings, dataset)
    return {
        "row": point.row,
        "target_class": point.seats.target_class,
        **{name: getattr(point.settings, name) for name in names},
        "train_accuracy": run.info["train_accuracy"][-1],
        "test_accuracy": run.info["test_accuracy"][-1],
        "class_accuracy": run.info["class_accuracy"][-1],
        "hit_rate": course.hit_rate[-1, 0],
        "frechet": course.frechet[-1],
        "accuracy": run.info["test_accuracy"],
        "hit_rates": course.hit_rate[:, 0],
        "frechets": course.frechet,
        "clipped": course.clipped,
        "cosine": course.cosine,
        # Without clipping first no sum of epsilons bounds anything.
        "epsilon_total": spent.epsilon_total if spent and spent.clip_first else None,
    }


def _averaged(points, courses):
    """The mean course of each row over seeds and classes, with its interval."""
    averaged = []
    for row in dict.fromkeys(point.row for point in points):
        which = [i for i, point in enumerate(points) if point.row == row]
        some = [courses[i] for i in which]
        seeds = [points[i].settings.seed for i in which]
        by_round = np.stack([c.hit_rate for c in some], axis=1)  # (R, N, 3)
        found = [over_runs(rates, seeds) for rates in by_round]
        averaged.append(
            contents.Course(
                attack=row,
                rounds=some[0].rounds,
                accuracy=np.mean([c.accuracy for c in some], axis=0),
                hit_rate=np.stack([rate for rate, _ in found]),
                frechet=np.mean([c.frechet for c in some], axis=0),
                start_round=min(c.start_round for c in some),
                over=found[0][1],
                clipped=_mean([c.clipped for c in some]),
                cosine=_mean([c.cosine for c in some]),
            )
        )
    return averaged


def _mean(values):
    """The mean over runs of what each has, or None."""
    return None if values[0] is None else np.mean(values, axis=0)


def _class_samples(shown):
    """The samples that a report shows: of every class, or of one class's every run.

    Of several classes, the best attack's of the first seed.
    """
    classes = {target for _, target in shown}
    if len(classes) == 1:
        return [
            _block(_titled(label, seed), judged, label)
            for (seed, _), judged in shown.items()
            for label in judged.images.attacks
            if label not in ("real", "untrained")
        ]
    found = []
    for target in sorted(classes):
        judged = next(found for (_, t), found in shown.items() if t == target)
        rows = {_row_of(label): label for label in reversed(judged.images.attacks)}
        best = next(n for n in BEST_FIRST if n in rows)
        found.append(_block(f"class {target}", judged, rows[best]))
    return found


def _block(title, judged, label):
    count = reconstruction.SHOWN
    images = judged.images
    return contents.Samples(
        title, images.private[:count], images.attacks[label][:count]
    )


def _row_of(label):
    return label[0] if isinstance(label, tuple) else label


def _titled(label, seed):
    """E.g. 'GAN, epsilon_per_parameter 1, seed 0'."""
    values = label[1] if isinstance(label, tuple) else ()
    swept = [f"{name} {value:g}" for name, value in values if value is not None]
    return ", ".join([threat(_row_of(label)).title, *swept, f"seed {seed}"])


def _tradeoff(settings, dataset, points, attacked, rows, row):
    """Accuracy and leakage over the privacy budget, if it was swept.

    None where the share uploaded was too: a budget has no one total then.
    """
    budgets = sorted({p.settings.epsilon_per_parameter or math.inf for p in points})
    if len(budgets) < 2 or len({p.settings.upload_fraction for p in points}) > 1:
        return None
    runs = [
        (point.settings.epsilon_per_parameter, run)
        for point, run in zip(points, attacked, strict=True)
        if point.row == row
    ]
    own = [(epsilon, run.info["test_accuracy"][-1]) for epsilon, run in runs]
    logged = [(epsilon, gan_attack.uploads(run)) for epsilon, run in runs]
    judged = [
        (r["swept"]["epsilon_per_parameter"], r)
        for r in rows
        if r["attack"] == row and "swept" in r
    ]

    def of(pairs: Sequence[tuple], budget: float) -> list:
        return [value for epsilon, value in pairs if epsilon == budget]

    def averaged(budget):
        some = of(judged, budget)
        rates = [[r["hit_rate"][end] for end in Interval._fields] for r in some]
        return over_runs(rates, [r["seed"] for r in some])

    hit_rates = [averaged(budget) for budget in budgets]
    totals = [gan_attack.account(settings, dataset, b).epsilon_total for b in budgets]
    frechet = [
        [np.nan if r["frechet"] is None else r["frechet"] for r in of(judged, b)]
        for b in budgets
    ]
    return contents.Tradeoff(
        epsilon_per_parameter=np.array(budgets),
        epsilon_total=np.array(totals),
        accuracy=np.array([of(own, b) for b in budgets]),
        hit_rate=np.stack([rate for rate, _ in hit_rates]),
        frechet=np.array(frechet),
        over=hit_rates[0][1],
        clip_first=settings.clip_first,
        **{
            name: np.stack([_mean([u[name] for u in of(logged, b)]) for b in budgets])
            for name in ("clipped", "cosine")
        },
    )


def _notes(points, attacked, judges):
    first = [p.seats for p in points if p.settings.seed == points[0].settings.seed]
    learned = len(sweep_baselines.learned(first))
    ends = {
        name: [run.info[name][-1] for run in attacked]
        for name in ("test_accuracy", "class_accuracy")
    }
    spans = {
        name: f"{text.percent(min(v))} % to {text.percent(max(v))} %"
        for name, v in ends.items()
    }
    return [
        f"{len(points)} runs; the shared models end at a test accuracy of "
        f"{spans['test_accuracy']}, where what is taken for the artificial class "
        f"counts as wrong, and of {spans['class_accuracy']} among the real classes.",
        judge.told(list(judges.values()), learned),
    ]
