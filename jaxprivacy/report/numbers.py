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
from typing import Any, NamedTuple

from jaxprivacy.errors import InputError
from jaxprivacy.evaluation.reconstruction import over_runs
from jaxprivacy.report import measures

SPEC, RESULT = "numbers.toml", "result.json"
ABSENT, NOT_TRAINED, MARK = "-", "not trained", "†"
OLD_SCHEMA = 1  # from before results said whether an attack was trained
OF_ATTACK = ("accuracy", "auc", "tpr_", "gain")  # fields that need a trained attack
RATES = ("accuracy", "auc", "tpr_", "hit_rate")
NULL = "null"  # in numbers.toml, which has no such value
ROW_WORDS = ("title", "paper", "of")  # the rest of a row's entry are conditions


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
        networks = (
            r for r in self.result.get("membership", []) if measures.is_network(r)
        )
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
            path, found=f"cannot be read ({error.strerror})", accepted="is a file"
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
        raise InputError(address, accepted="are TABLE.RESULT and TABLE.RESULT.ROW")
    _named(table["results"], names[1], address)
    if len(names) == 2:
        path = place(table, names[1], rows_of(table, names[1])[0])
        result = numbers.results[path]
        return Found(result, [result])
    _named(table["rows"], names[2], address)
    if names[2] not in rows_of(table, names[1]):
        raise InputError(
            address,
            found="the table has no such row of this result",
            accepted="is a row that it has",
        )
    result = numbers.results[place(table, names[1], names[2])]
    wanted, found = _matching(numbers, table, names[1], names[2])
    runs = [(each.get("seed"), each.get("target_class")) for each in found]
    if not found or len(set(runs)) < len(runs):
        raise InputError(
            address, found=f"{len(found)} rows have {wanted}", accepted="is one a seed"
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
        raise InputError(address, found=f"no {name}", accepted=f"are {', '.join(of)}")
    return of[name]


def _held(row: dict, key: str) -> Any:
    """A condition of a row; `swept.NAME` is one of a sweep's."""
    first, _, rest = key.partition(".")
    value = row.get(first)
    return _held(value, rest) if rest and isinstance(value, dict) else value


def idle(found: Found, kind: str) -> str:
    """How many of a result's attack networks were not trained, e.g. "8 of 13".

    Args:
      found: a result.
      kind: the list whose rows are counted.
    """
    rows = [row for row in found.result[kind] if measures.is_network(row)]
    return f"{sum(not measures.trained(row) for row in rows)} of {len(rows)}"


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
        return measures.works(found.result, found.rows) or ABSENT
    form = form or _form(measure)
    if measure.startswith(OF_ATTACK):
        idle = [row for row in found.rows if not measures.trained(row)]
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
        taken = [
            (measures.taken(found.result, row, measure), row) for row in found.rows
        ]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(measure, accepted="is a field of the rows") from error
    known = [(value, row.get("seed") or 0) for value, row in taken if value is not None]
    if not known:
        return None, None, None
    if len(known) > 1:
        signed = measure.startswith("gain")
        rate = isinstance(known[0][0], dict) or measure.endswith("accuracy")
        mean, _ = over_runs(
            [(measures.plain(value), math.nan, math.nan) for value, _ in known],
            [seed for _, seed in known],
            1.0 if rate else math.inf,
            -1.0 if signed else 0.0,
        )
        return tuple(map(float, mean))
    ((value, _),) = known
    conditional = found.old and measure.startswith("tpr_")  # What it covered was less.
    if not isinstance(value, dict) or conditional:
        return measures.plain(value), None, None
    return value["value"], value["low"], value["high"]


def show(value: float, form: str) -> str:
    """A number in Python's format, but that `%` writes no sign."""
    if form.endswith("%"):
        return format(100 * value, form[:-1] + "f")
    return format(value, form)
