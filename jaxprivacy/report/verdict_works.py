"""Whether a reconstruction works, and whether the model at hand lets one judge it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# What an attack has to beat: noise of its own making, and real images that are wrong in
# nothing but the class. Results from before there were the latter lack them.
BESIDE = ("untrained", "other_class")
# An attack can show no more of a class than the shared model has learned of it.
LEAST_OF_JUDGE = 0.9
_INVERTED = ("model_inversion",)  # of the model of a run that another row names
_UNDISTURBED = "gan_no_influence"


class Compared(NamedTuple):
    """A row beside those of `BESIDE`, by each of the two measures."""

    as_often: tuple[str, ...]  # those from whose hit rate its own cannot be told
    as_near: tuple[str, ...]  # those that it is not shown to be nearer than
    beside: tuple[str, ...]  # all that it is compared with

    @property
    def recognised(self) -> bool:
        """Whether its samples are hits more often than those of all others."""
        return not self.as_often

    @property
    def nearer(self) -> bool:
        """Whether they lie nearer to the victim's images than those of all others."""
        return not self.as_near

    @property
    def works(self) -> bool:
        """Whether both measures say so: either can be fooled alone."""
        return self.recognised and self.nearer


class Count(NamedTuple):
    """On how many rows an attack works."""

    pairs: int  # rows with an untrained generator beside them
    recognised: int
    nearer: int
    works: int


class Poor(NamedTuple):
    """The accuracies of a shared model that is too poor, and of the judge."""

    model: float
    judge: float


def compared(row: dict, rows: Sequence[dict]) -> Compared | None:
    """Compares a row with an untrained generator and with images of another class.

    Args:
      row: of `reconstruction`.
      rows: all of that list; those of the same class and seed are compared.

    Returns:
      What it beats and what not; None without an untrained generator.
    """
    key = row["target_class"], row.get("seed")
    others = {
        other["attack"]: other
        for other in rows
        if other["attack"] in BESIDE
        and (other["target_class"], other.get("seed")) == key
    }
    if "untrained" not in others:
        return None
    beside = tuple(name for name in BESIDE if name in others)
    return Compared(
        tuple(n for n in beside if not _hits_more(row, others[n])),
        tuple(n for n in beside if not _is_nearer(row, others[n])),
        beside,
    )


def _hits_more(row: dict, other: dict) -> bool:
    return row["hit_rate"]["low"] > other["hit_rate"]["high"]


def _is_nearer(row: dict, other: dict) -> bool:
    distances = row["frechet"], other["frechet"]
    return None not in distances and distances[0] < distances[1]


def counted(judged: Sequence[dict], rows: Sequence[dict]) -> Count:
    """Counts on how many rows an attack works; see `Compared`.

    Args:
      judged: rows of one attack.
      rows: all of `reconstruction`.
    """
    found = [pair for row in judged if (pair := compared(row, rows))]
    return Count(
        len(found),
        sum(pair.recognised for pair in found),
        sum(pair.nearer for pair in found),
        sum(pair.works for pair in found),
    )


def shared_model(row: dict, result: dict) -> dict | None:
    """Returns the entry of `runs` with the shared model that a row's attack saw.

    Model inversion is of the run without influence, where there is one. Rows that see
    no shared model, and results from before `runs` was kept, have none.

    Args:
      row: of `reconstruction`.
      result: the content of result.json.
    """
    wanted = {k: row[k] for k in ("target_class", "seed") if k in row}
    wanted |= row.get("swept", {})
    # A setting that all runs share is not told of each.
    alike = {
        run["row"]: run
        for run in result.get("runs", [])
        if all(run.get(key, value) == value for key, value in wanted.items())
    }
    if row["attack"] in _INVERTED and alike:
        return alike.get(_UNDISTURBED, next(iter(alike.values())))
    return alike.get(row["attack"])


def too_poor(row: dict, result: dict) -> Poor | None:
    """Returns the accuracies, where the shared model is too poor to judge an attack.

    It is where, among the real classes, it is right on less than 0.9 of what the judge
    is right on.

    Args:
      row: of `reconstruction`.
      result: the content of result.json: what it lacks decides nothing.
    """
    run, judge = shared_model(row, result), result.get("judge_accuracy")
    if isinstance(judge, dict):
        judge = judge.get(str(row.get("seed")))
    model = run and run.get("class_accuracy")
    if model is None or judge is None or model >= LEAST_OF_JUDGE * judge:
        return None
    return Poor(model, judge)
