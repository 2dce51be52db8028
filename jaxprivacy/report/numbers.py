"""Numbers of results, found by address and written as documents have them.

`docs/numbers.toml` names tables; a table names results, rows and columns. The address
`TABLE.RESULT.ROW FIELD` is one number: FIELD of the row of `result.json` that the
table's row describes, or of several that differ in their seed the mean; where they
differ in their class too, each seed is the mean of its classes.
"""

from __future__ import annotations

import json
import math
import pathlib
import tomllib
from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxprivacy.checks import InputError
from jaxprivacy.evaluation import three_way
from jaxprivacy.evaluation.reconstruction import over_runs
from jaxprivacy.report.verdict_works import counted, shared_model

SPEC, RESULT = "numbers.toml", "result.json"
ABSENT, NOT_TRAINED, MARK = "-", "not trained", "†"
OLD_SCHEMA = 1  # from before results said whether an attack was trained
# Of old results: a network whose best threshold is this near to where its scores begin
# has not left its start.
START, NEAR = 0.5, 1e-4
NETWORKS = ("white_box", "black_box", "shadow")
OF_ATTACK = ("accuracy", "auc", "tpr_", "gain")  # fields that need a trained attack
RATES = ("accuracy", "auc", "tpr_", "hit_rate")
SAME_TARGET = ("seed", "attacker", "mode", "participants", "observed_rounds", "pair")
NULL = "null"  # in numbers.toml, which has no such value
ROW_WORDS = ("title", "paper", "of")  # the rest of a row's entry are conditions
NO_ATTACK = ("real", "other_class", "untrained")  # rows that cannot work


class Numbers(NamedTuple):
    """What documents' numbers are taken from."""

    spec: dict[str, Any]  # of numbers.toml
    results: dict[str, dict]  # of each folder named there


class Found(NamedTuple):
    """The rows of one result that an address describes."""

    result: dict
    rows: list[dict]

    @property
    def old(self) -> bool:
        """Whether the result is from before it said which attacks were trained."""
        networks = (r for r in self.result.get("membership", []) if _is_network(r))
        unsaid = any(row.get("trained") is None for row in networks)
        return self.result["schema"] <= OLD_SCHEMA or unsaid


def load(folder: pathlib.Path) -> Numbers:
    """Reads numbers.toml and all results that it names.

    Args:
      folder: that holds it; the results' folders are relative to it.

    Raises:
      InputError: naming what cannot be read.
    """
    spec = tomllib.loads(_read(folder / SPEC))
    results = {}
    for table in spec["tables"].values():
        for name in table["results"]:
            for row in rows_of(table, name):
                path = place(table, name, row)
                if path not in results:
                    results[path] = json.loads(_read(folder / path / RESULT))
    return Numbers(spec, results)


def _read(path: pathlib.Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); accepted is a file"
        ) from error


def entry(table: dict, name: str) -> dict:
    """A result of a table, as written out: `path`, and `title`, `rows`, `where`."""
    given = table["results"][name]
    return {"path": given} if isinstance(given, str) else given


def rows_of(table: dict, name: str) -> list[str]:
    """The rows that a table has of one of its results."""
    wanted = entry(table, name).get("rows", list(table["rows"]))
    return [row for row in wanted if name in table["rows"][row].get("of", [name])]


def shown_rows(numbers: Numbers, table: str, name: str) -> list[str]:
    """The rows that a document shows of a table's result.

    Of a scenario that names no rows, those that its result holds.
    """
    spec = numbers.spec["tables"][table]
    rows = rows_of(spec, name)
    if not spec.get("scenarios") or "rows" in entry(spec, name):
        return rows
    return [row for row in rows if _matching(numbers, spec, name, row)[1]]


def place(table: dict, name: str, row: str) -> str:
    """The folder of a result; some tables have another for each row."""
    return entry(table, name)["path"].format(row=row)


def find(numbers: Numbers, address: str) -> Found:
    """The rows at `TABLE.RESULT.ROW`, or the result at `TABLE.RESULT`.

    Raises:
      InputError: there is no such table, result or row, or two rows of one seed.
    """
    names = address.split(".", 2)
    table = _named(numbers.spec["tables"], names[0], address)
    if len(names) == 1:
        raise InputError(f"{address}: accepted are TABLE.RESULT and TABLE.RESULT.ROW")
    _named(table["results"], names[1], address)
    if len(names) == 2:
        path = place(table, names[1], rows_of(table, names[1])[0])
        result = numbers.results[path]
        return Found(result, [result])
    _named(table["rows"], names[2], address)
    if names[2] not in rows_of(table, names[1]):
        raise InputError(f"{address}: the table has no such row of this result")
    result = numbers.results[place(table, names[1], names[2])]
    wanted, found = _matching(numbers, table, names[1], names[2])
    runs = [(each.get("seed"), each.get("target_class")) for each in found]
    if not found or len(set(runs)) < len(runs):
        raise InputError(
            f"{address}: {len(found)} rows have {wanted}; accepted is one a seed"
        )
    return Found(result, found)


def _matching(
    numbers: Numbers, table: dict, name: str, row: str
) -> tuple[dict, list[dict]]:
    """What a row of a table asks for, and what its result has of it."""
    result = numbers.results[place(table, name, row)]
    wanted = {**table.get("where", {}), **entry(table, name).get("where", {})}
    wanted |= {k: v for k, v in table["rows"][row].items() if k not in ROW_WORDS}
    return wanted, [
        each
        for each in result.get(table.get("list", "membership"), [])
        if all(_held(each, k) == (None if v == NULL else v) for k, v in wanted.items())
    ]


def _named(of: dict, name: str, address: str) -> Any:
    if name not in of:
        raise InputError(f"{address}: no {name}; accepted are {', '.join(of)}")
    return of[name]


def _held(row: dict, key: str) -> Any:
    """A condition of a row; `swept.NAME` is one of a sweep's."""
    first, _, rest = key.partition(".")
    value = row.get(first)
    return _held(value, rest) if rest and isinstance(value, dict) else value


def trained(row: dict) -> bool:
    """Whether a row's attack was trained, or is a rule that learns nothing."""
    if row.get("trained") is not None:
        return row["trained"]
    return not (_is_network(row) and abs(row["threshold"] - START) < NEAR)


def _is_network(row: dict) -> bool:
    return row.get("attack") in NETWORKS and "threshold" in row


def idle(found: Found, kind: str) -> str:
    """How many of a result's attack networks were not trained, e.g. "8 of 13".

    Args:
      found: a result.
      kind: the list whose rows are counted.
    """
    rows = [row for row in found.result[kind] if _is_network(row)]
    return f"{sum(not trained(row) for row in rows)} of {len(rows)}"


def written(found: Found, field: str) -> str:
    """A field of what was found, as documents write it.

    Args:
      found: of `find`.
      field: `NAME`, `NAME.value` without an interval, and after a colon a format, where
        `%` multiplies by 100 and writes no sign. NAME is a measure of the rows, such as
        `auc`, `tpr_0.01`, `gain` and `gain_tpr_0.01` (over the outputs) or `recall.0`,
        or a path in them, in lists a number, `min`, `max` or `mean50`, the mean of the
        last 50. Of reconstructions also `shared_accuracy`, that of the shared model
        which the attack saw, among the real classes, and `works`, in how many runs the
        attack does by the verdict's rule.
    """
    name, _, form = field.partition(":")
    measure = name.removesuffix(".value")
    if measure == "works":
        return _works(found)
    form = form or _form(measure)
    if measure.startswith(OF_ATTACK):
        idle = [row for row in found.rows if not trained(row)]
        if idle and len(found.rows) > 1:
            return f"{NOT_TRAINED} ({len(idle)} of {len(found.rows)} seeds)"
        if idle:
            return NOT_TRAINED
    value, low, high = number(found, measure)
    if value is None:
        return ABSENT
    # Seeds that are equal give an interval without width, which is no certainty.
    if low is None or math.isclose(low, high) or name != measure:
        return show(value, form)
    return f"{show(value, form)} [{show(low, form)}, {show(high, form)}]"


def _form(measure: str) -> str:
    if measure.startswith(("gain", "recall")):
        return "+.1%" if measure.startswith("gain") else ".0%"
    rate = measure.startswith(RATES) or measure.endswith("accuracy")
    return ".1%" if rate else ".3g"


def number(
    found: Found, measure: str
) -> tuple[float | None, float | None, float | None]:
    """A measure with its interval, over records of one row, over seeds of several."""
    try:
        taken = [(_taken(found, row, measure), row) for row in found.rows]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{measure}: accepted is a field of the rows") from error
    known = [(value, row.get("seed") or 0) for value, row in taken if value is not None]
    if not known:
        return None, None, None
    if len(known) > 1:
        signed = measure.startswith("gain")
        rate = isinstance(known[0][0], dict) or measure.endswith("accuracy")
        mean, _ = over_runs(
            [(_plain(value), math.nan, math.nan) for value, _ in known],
            [seed for _, seed in known],
            1.0 if rate else math.inf,
            -1.0 if signed else 0.0,
        )
        return tuple(map(float, mean))
    ((value, _),) = known
    conditional = found.old and measure.startswith("tpr_")  # What it covered was less.
    if not isinstance(value, dict) or conditional:
        return _plain(value), None, None
    return value["value"], value["low"], value["high"]


def _taken(found: Found, row: dict, measure: str) -> Any:
    """A measure of one row: a number, a rate with its interval, or None."""
    kind, _, rest = measure.partition("_" if measure.startswith("tpr_") else ".")
    if kind == "tpr":
        value = _at_fpr(row, rest)
    elif measure.startswith("gain_tpr_"):
        gained = row.get("over_outputs")
        value = gained and _at_fpr(gained, measure.removeprefix("gain_tpr_"))
    elif kind == "gain":
        value = _gain(found.result, row)
    elif measure == "shared_accuracy":
        run = shared_model(row, _with_runs(found.result))
        value = run and run["class_accuracy"]
    elif kind == "recall":
        value = three_way.recall(row)[int(rest)]
    else:
        value = _walk(row, measure.split("."))
    return None if isinstance(value, dict) and value["value"] is None else value


def _at_fpr(rates: dict, fpr: str) -> dict:
    (value,) = (e for e in rates["tpr_at_fpr"] if e["fpr"] == float(fpr))
    return value


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
        {"row": c["attack"], "class_accuracy": _plain(c["accuracy"][-1])}
        for c in courses
    ]
    return result | {"runs": runs}


def _works(found: Found) -> str:
    """In how many of its runs an attack works, e.g. "4 of 5"."""
    count = counted(found.rows, found.result["reconstruction"])
    if not count.pairs or found.rows[0]["attack"] in NO_ATTACK:
        return ABSENT
    return f"{count.works} of {count.pairs}"


def _walk(value: Any, path: Sequence[str]) -> Any:
    """Follows a path into dicts and lists."""
    for step in path:
        if isinstance(value, dict):
            value = value[step]
        elif step in ("min", "max"):
            known = [v for v in map(_plain, value) if v is not None]
            value = min(known) if step == "min" else max(known)
        elif step.startswith("mean"):
            last = [_plain(v) for v in value[-int(step.removeprefix("mean")) :]]
            value = math.fsum(last) / len(last)
        else:
            value = value[int(step)]
    return value


def _plain(value: Any) -> Any:
    """A rate's value without its interval."""
    return value["value"] if isinstance(value, dict) else value


def show(value: float, form: str) -> str:
    """A number in Python's format, but that `%` writes no sign."""
    if form.endswith("%"):
        return format(100 * value, form[:-1] + "f")
    return format(value, form)
