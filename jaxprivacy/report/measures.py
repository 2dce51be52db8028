"""Measures of rows of results, by the names that documents have for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jaxprivacy.evaluation import three_way
from jaxprivacy.report import verdict_rows, verdict_works

# Of old results: a network whose best threshold is this near to where its scores begin
# has not left its start.
START, NEAR = 0.5, 1e-4
NETWORKS = ("white_box", "black_box", "shadow")
SAME_TARGET = ("seed", "attacker", "mode", "participants", "observed_rounds", "pair")
NO_ATTACK = ("real", "other_class", "untrained")  # rows that cannot work


def trained(row: dict) -> bool:
    """Whether a row's attack was trained, or is a rule that learns nothing."""
    if row.get("trained") is not None:
        return row["trained"]
    return not (is_network(row) and abs(row["threshold"] - START) < NEAR)


def is_network(row: dict) -> bool:
    """Whether a row is of an attack that trains a network."""
    return row.get("attack") in NETWORKS and "threshold" in row


def taken(result: dict, row: dict, measure: str) -> Any:
    """A measure of one row: a number, a rate with its interval, or None.

    Args:
      result: that the row is of.
      row: of any of its lists.
      measure: see `numbers.written`.

    Raises:
      KeyError, IndexError, TypeError or ValueError: the row has no such measure.
    """
    kind, _, rest = measure.partition("_" if measure.startswith("tpr_") else ".")
    if kind == "tpr":
        value = verdict_rows.rate_at(row, float(rest))
    elif measure.startswith("gain_tpr_"):
        gained = row.get("over_outputs")
        value = gained and verdict_rows.rate_at(
            gained, float(measure.removeprefix("gain_tpr_"))
        )
    elif kind == "gain":
        value = _gain(result, row)
    elif measure == "shared_accuracy":
        run = verdict_works.shared_model(row, _with_runs(result))
        value = run and run["class_accuracy"]
    elif kind == "recall":
        value = three_way.recall(row)[int(rest)]
    else:
        value = _walk(row, measure.split("."))
    return None if isinstance(value, dict) and value["value"] is None else value


def _gain(result: dict, row: dict) -> dict | None:
    """What an attack gains over outputs; old results have it over the black box."""
    if "over_outputs" in row:
        return row["over_outputs"]["auc"]
    beside = [
        other
        for other in result["membership"]
        if other["attack"] == "black_box"
        and all(other.get(key) == row.get(key) for key in SAME_TARGET)
    ]
    return row.get("auc_over_black_box") if all(map(trained, beside)) else None


def _with_runs(result: dict) -> dict:
    """A result with `runs`; one from before it had them counts the artificial class.

    There only the accuracies of `courses` are known, where a record that is taken for
    that class counts as wrong.
    """
    if "runs" in result:
        return result
    courses = result.get("courses", [])
    runs = [
        {"row": c["attack"], "class_accuracy": plain(c["accuracy"][-1])}
        for c in courses
    ]
    return result | {"runs": runs}


def works(result: dict, rows: Sequence[dict]) -> str:
    """In how many of its runs an attack works, e.g. "4 of 5"; empty of what is none.

    Args:
      result: that the rows are of.
      rows: of one attack.
    """
    if isinstance(rows[0].get("works"), int):  # Counted over seeds already.
        return f"{rows[0]['works']} of {rows[0]['hit_rate']['rows']}"
    count = verdict_works.counted(rows, result["reconstruction"])
    if not count.pairs or rows[0]["attack"] in NO_ATTACK:
        return ""
    return f"{count.works} of {count.pairs}"


def _walk(value: Any, path: Sequence[str]) -> Any:
    """Follows a path into dicts and lists."""
    for step in path:
        if isinstance(value, dict):
            value = value[step]
        elif step in ("min", "max"):
            known = [v for v in map(plain, value) if v is not None]
            value = min(known) if step == "min" else max(known)
        elif step.startswith("mean"):
            last = [plain(v) for v in value[-int(step.removeprefix("mean")) :]]
            value = math.fsum(last) / len(last)
        else:
            value = value[int(step)]
    return value


def plain(value: Any) -> Any:
    """A rate's value without its interval."""
    return value["value"] if isinstance(value, dict) else value
