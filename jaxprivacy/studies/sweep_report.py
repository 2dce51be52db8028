"""What a sweep's report tells and shows: rows of runs, courses, samples, a tradeoff."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxprivacy.data import Dataset
from jaxprivacy.evaluation import intervals, reconstruction as evaluation
from jaxprivacy.report import contents, text, threats, verdict
from jaxprivacy.studies import (
    accounting,
    bounds,
    collaboration,
    courses,
    gan_baselines,
    judge,
    reconstruction,
    results,
    settings as settings_lib,
    sweep,
    sweep_baselines,
)

# Of a class's rows the first that is there is shown.
BEST_FIRST = ("gan_improved", "gan", sweep_baselines.WITHOUT)


class Judged(NamedTuple):
    """What was judged of all runs of one seed and class, and of their baselines."""

    rows: list[dict]  # of result.json
    courses: dict[int, contents.Course]  # by the number of the run
    images: reconstruction.Images


class Swept(NamedTuple):
    """Everything that a sweep trained and judged."""

    dataset: Dataset
    grid: dict[str, tuple]
    points: list[sweep.Point]
    attacked: Sequence[collaboration.Attacked]  # the points' runs
    judges: Mapping[int, judge.Judge]  # by seed
    bounds: Mapping[sweep_baselines.Key, bounds.Bound]
    judged: dict[sweep_baselines.Key, Judged]


def told(settings: settings_lib.GanSettings, swept: Swept) -> dict[str, Any]:
    """What result.json tells of a sweep, behind how it came about."""
    dataset, grid, points, attacked = swept[:4]
    first = points[0].row
    ended = [
        results.accuracies(run.info)
        for point, run in zip(points, attacked, strict=True)
        if point.row == first
    ]
    privacy = _privacy(settings, swept)
    runs = zip(points, attacked, _courses(swept), strict=True)
    return {
        "target": {name: np.mean([e[name] for e in ended]) for name in ended[0]},
        "membership": [],
        "reconstruction": _rows(swept),
        "judge_accuracy": {str(seed): j.accuracy for seed, j in swept.judges.items()},
        "privacy": privacy and privacy._asdict(),
        "dcgan": [
            {"seed": seed, "target_class": target} | gan_baselines.bound_row(bound)
            for (seed, target), bound in swept.bounds.items()
        ],
        "grid": grid,
        "runs": [_run_row(dataset, *run, list(grid)) for run in runs],
        "courses": [courses.course_row(course) for course in _averaged(swept)],
    }


def report(
    settings: settings_lib.GanSettings, swept: Swept, result: dict[str, Any]
) -> contents.Report:
    """The report, with the verdict on the result."""
    result["verdict"] = verdict.verdict(result)
    used = results.used_settings(settings, swept.dataset)
    grid = "; ".join(f"{n} = {list(v)}" for n, v in swept.grid.items())
    return contents.Report(
        result=result,
        settings=[*used, ("grid", grid)],
        split_counts=[],
        notes=_notes(swept.points, swept.attacked, swept.judges),
        courses=_averaged(swept),
        class_samples=_class_samples(swept.judged),
        tradeoff=_tradeoff(settings, swept),
    )


def _rows(swept):
    """The rows of all reconstructions."""
    return [row for judged in swept.judged.values() for row in judged.rows]


def _courses(swept):
    """The courses of the runs, in the runs' order."""
    found = {}
    for judged in swept.judged.values():
        found |= judged.courses
    return [found[i] for i in range(len(swept.points))]


def _privacy(settings, swept):
    """What the uploads spent; None of a grid over budgets: its runs have theirs."""
    several = {"epsilon_per_parameter", "upload_fraction"} & set(swept.grid)
    return None if several else accounting.account(settings, swept.dataset)


def _averaged(swept):
    """The mean courses, where runs differ in nothing but seeds and classes."""
    if set(swept.grid) - {"seed", "target_class"}:
        return []
    return courses.averaged(_courses(swept), [p.settings.seed for p in swept.points])


def _run_row(dataset, point, run, course, names):
    """One run in result.json."""
    spent = accounting.account(point.settings, dataset)
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
    return ", ".join([threats.card(_row_of(label)).title, *swept, f"seed {seed}"])


def _tradeoff(settings, swept):
    """Accuracy and leakage over the privacy budget, if it was swept.

    None where the share uploaded was too: a budget has no one total then.
    """
    points = swept.points
    budgets = sorted({p.settings.epsilon_per_parameter or math.inf for p in points})
    if len(budgets) < 2 or len({p.settings.upload_fraction for p in points}) > 1:
        return None
    row = points[0].row
    totals = [
        accounting.account(settings, swept.dataset, budget).epsilon_total
        for budget in budgets
    ]
    return contents.Tradeoff(
        epsilon_per_parameter=np.array(budgets),
        epsilon_total=np.array(totals),
        clip_first=settings.clip_first,
        **_accuracy_and_uploads(swept, row, budgets),
        **_leakage(_rows(swept), row, budgets),
    )


def _accuracy_and_uploads(swept, row, budgets):
    """What a row's runs logged, budget by budget."""
    runs = [
        (point.settings.epsilon_per_parameter, run)
        for point, run in zip(swept.points, swept.attacked, strict=True)
        if point.row == row
    ]
    by_budget = [[run for e, run in runs if e == budget] for budget in budgets]
    logged = [[courses.uploads(run) for run in some] for some in by_budget]
    ends = [[run.info["test_accuracy"][-1] for run in some] for some in by_budget]
    return {"accuracy": np.array(ends)} | {
        name: np.stack([courses.mean([u[name] for u in some]) for some in logged])
        for name in ("clipped", "cosine")
    }


def _leakage(rows, row, budgets):
    """How near a row's images come, budget by budget."""
    judged = [r for r in rows if r["attack"] == row and "swept" in r]
    by_budget = [
        [r for r in judged if r["swept"]["epsilon_per_parameter"] == budget]
        for budget in budgets
    ]

    def averaged(some):
        ends = intervals.Interval._fields
        rates = [[r["hit_rate"][end] for end in ends] for r in some]
        return evaluation.over_runs(rates, [r["seed"] for r in some])

    hit_rates = [averaged(some) for some in by_budget]
    frechet = [
        [np.nan if r["frechet"] is None else r["frechet"] for r in some]
        for some in by_budget
    ]
    return {
        "hit_rate": np.stack([rate for rate, _ in hit_rates]),
        "frechet": np.array(frechet),
        "over": hit_rates[0][1],
    }


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
