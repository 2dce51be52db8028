"""How reconstruction went round by round: the course of a run, and means of several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxprivacy.evaluation import intervals, reconstruction as evaluation
from jaxprivacy.report import contents
from jaxprivacy.studies import collaboration, judge


def course(
    attack: str,
    run: collaboration.Attacked,
    target_class: int,
    judged_by: judge.Judge,
    private: np.ndarray,
) -> contents.Course:
    """Judges the samples of every round."""
    rounds, count = run.samples.shape[:2]
    seen = judged_by.look(run.samples.reshape(-1, *run.samples.shape[2:]))
    hits = judge.hits(judged_by, seen, target_class).reshape(rounds, count)
    features = seen.features.reshape(rounds, count, -1)
    of_private = judged_by.look(private).features
    begun = np.flatnonzero(run.info["started"])
    enough = min(count, len(private)) > 1
    return contents.Course(
        attack=attack,
        rounds=np.arange(rounds) + 1,
        accuracy=run.info["test_accuracy"],
        hit_rate=np.array(
            [intervals.clopper_pearson(int(h), count) for h in hits.sum(axis=1)]
        ),
        frechet=np.array(
            [
                evaluation.frechet_distance(of_round, of_private) if enough else np.nan
                for of_round in features
            ]
        ),
        start_round=int(begun[0]) + 1 if len(begun) else rounds,
        **uploads(run),
    )


def uploads(run: collaboration.Attacked) -> dict[str, np.ndarray | None]:
    """What was logged of uploads, (R,): the means over the participants, or None."""
    logged = {name: run.info.get(name) for name in ("clipped", "cosine")}
    return {n: None if v is None else v.mean(axis=1) for n, v in logged.items()}


def course_row(course: contents.Course) -> dict:
    """A course as result.json has it."""
    names = ("value", "low", "high")
    hit_rate = [dict(zip(names, row, strict=True)) for row in course.hit_rate]
    return course._asdict() | {"hit_rate": hit_rate}


def averaged(
    courses: Sequence[contents.Course], seeds: Sequence[int]
) -> list[contents.Course]:
    """The mean course of each attack over seeds and classes, with its interval.

    Args:
      courses: of runs of as many rounds.
      seeds: theirs.
    """
    found = []
    for attack in dict.fromkeys(course.attack for course in courses):
        which = [i for i, course in enumerate(courses) if course.attack == attack]
        some = [courses[i] for i in which]
        by_round = np.stack([c.hit_rate for c in some], axis=1)  # (R, N, 3)
        rates = [
            evaluation.over_runs(of_round, [seeds[i] for i in which])
            for of_round in by_round
        ]
        found.append(
            contents.Course(
                attack=attack,
                rounds=some[0].rounds,
                accuracy=np.mean([c.accuracy for c in some], axis=0),
                hit_rate=np.stack([rate for rate, _ in rates]),
                frechet=np.mean([c.frechet for c in some], axis=0),
                start_round=min(c.start_round for c in some),
                over=rates[0][1],
                clipped=mean([c.clipped for c in some]),
                cosine=mean([c.cosine for c in some]),
            )
        )
    return found


def mean(values: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """The mean over runs of what each has, or None where none has it."""
    return None if values[0] is None else np.mean(values, axis=0)
