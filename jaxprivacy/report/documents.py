"""Documents whose numbers are written by a program, from the results beside them.

In the Markdown, a table stands between `<!-- table NAME -->` and `<!-- end -->`, the
sentences on its scenarios between `<!-- sentences NAME -->` and `<!-- end -->`, and a
number in a sentence between `<!--=ADDRESS FIELD-->` and `<!--/-->`, or the difference
of two, `<!--=ADDRESS FIELD - ADDRESS FIELD-->`. `<!--=old TABLE TABLE-->` is the
footnote on results from before a change, and nothing once they are run again;
`<!--=idle TABLE.RESULT LIST-->` says how many attack networks in a list of a result
were not trained. See `numbers`.
"""

from __future__ import annotations

import os
import pathlib
import re

from jaxprivacy.errors import InputError
from jaxprivacy.report import measures, numbers as numbers_lib

FOLDER = "docs"
TABLE = re.compile(r"<!-- (table|sentences) (\S+) -->\n(.*?)<!-- end -->", re.DOTALL)
WITHIN = re.compile(r"\{(\S+) (\S+?)\}")  # a sentence of numbers.toml
NUMBER = re.compile(r"<!--=(.*?)-->(.*?)<!--/-->", re.DOTALL)
OLD, IDLE = "old", "idle"


def paths(root: pathlib.Path) -> list[pathlib.Path]:
    """The documents of a checkout."""
    return [
        root / "README.md",
        root / "BUILD_NOTES.md",
        *sorted((root / FOLDER).glob("*.md")),
    ]


def render(root: pathlib.Path) -> dict[pathlib.Path, tuple[str, str]]:
    """Every document as it is, and as its results have it.

    Raises:
      InputError: naming a document and what in it stands for no number.
    """
    numbers = numbers_lib.load(root / FOLDER)
    made = {}
    for path in paths(root):
        text = path.read_text("utf-8")
        try:
            made[path] = text, write(text, numbers, path.parent, root / FOLDER)
        except InputError as error:
            raise InputError(path.relative_to(root), found=str(error)) from error
    return made


def write(
    text: str, numbers: numbers_lib.Numbers, beside: pathlib.Path, folder: pathlib.Path
) -> str:
    """Writes all numbers of a text anew.

    Args:
      text: Markdown with the marks that the module describes.
      numbers: of `numbers.load`.
      beside: the document's folder, for links.
      folder: that the results' folders are relative to.

    Raises:
      InputError: a mark is not closed or stands for nothing, or begins a line, where
        Markdown takes it for a block of HTML.
    """
    for mark, pattern in ((r"<!-- (?:table|sentences) ", TABLE), ("<!--=", NUMBER)):
        if len(begun := re.findall(mark, text)) != len(pattern.findall(text)):
            raise InputError(begun[0], accepted="is a mark that is closed")
    if begun := re.search(r"^\s*<!--=.*", text, re.MULTILINE):
        raise InputError(begun[0], accepted="is a mark within a line")
    links = os.path.relpath(folder, beside)

    def number(match):
        return f"<!--={match[1]}-->{value(numbers, match[1])}<!--/-->"

    def made(match):
        kind, name, _ = match.groups()
        lines = made_of[kind](numbers, name, links)
        return "\n".join([f"<!-- {kind} {name} -->", "", *lines, "", "<!-- end -->"])

    made_of = {"table": table, "sentences": sentences}

    return TABLE.sub(made, NUMBER.sub(number, text))


def value(numbers: numbers_lib.Numbers, expression: str) -> str:
    """What a mark within a sentence stands for."""
    words = expression.split()
    if words[:1] == [OLD]:
        return _footnote(numbers, words[1:])
    if words[:1] == [IDLE] and len(words) == 3:
        return numbers_lib.idle(numbers_lib.find(numbers, words[1]), words[2])
    if len(words) == 5 and words[2] == "-":
        (first, form), (second, _) = map(_parted, (words[1], words[4]))
        found = [numbers_lib.find(numbers, words[i]) for i in (0, 3)]
        if not all(measures.trained(row) for f in found for row in f.rows):
            raise InputError(
                expression,
                found="an attack was not trained",
                accepted="are rows of trained ones",
            )
        a, b = (
            numbers_lib.number(f, name.removesuffix(".value"))[0]
            for f, name in zip(found, (first, second), strict=True)
        )
        return numbers_lib.show(a - b, form or ".1%")
    if len(words) != 2:
        raise InputError(
            expression, accepted="are ADDRESS FIELD, and ADDRESS FIELD - ADDRESS FIELD"
        )
    return numbers_lib.written(numbers_lib.find(numbers, words[0]), words[1])


def _parted(field: str) -> tuple[str, str]:
    name, _, form = field.partition(":")
    return name, form


def _footnote(numbers: numbers_lib.Numbers, names: list[str]) -> str:
    """What the mark of old results says, where one of these tables has any."""
    for name in names:
        table = numbers.spec["tables"][name]
        for result in table["results"]:
            for row in numbers_lib.shown_rows(numbers, name, result):
                if numbers_lib.find(numbers, f"{name}.{result}.{row}").old:
                    kind = table.get("list", "membership")
                    return f"{numbers_lib.MARK} {numbers.spec[OLD][kind]}"
    return ""


def table(numbers: numbers_lib.Numbers, name: str, links: str) -> list[str]:
    """A table of Markdown, and below it where its numbers come from.

    Args:
      numbers: of `numbers.load`.
      name: in numbers.toml.
      links: the path from the document to the folder of the results.
    """
    spec = numbers.spec["tables"].get(name)
    if spec is None:
        raise InputError(
            f"<!-- table {name} -->",
            found=f"{numbers_lib.SPEC} has none",
            accepted="is one that it has",
        )
    several = len(spec["results"]) > 1
    has_paper = any("paper" in row for row in spec["rows"].values())
    titles = [_title(numbers, spec, column) for column in spec["columns"]]
    scenarios = spec.get("scenarios", False)
    over = "scenario" if scenarios else "data"
    first = [over] * several + [spec.get("of", "")] + ["paper"] * has_paper
    lines, sources = [[*first, *titles], ["---"] * len([*first, *titles])], {}
    for result in spec["results"]:
        for i, row in enumerate(numbers_lib.shown_rows(numbers, name, result)):
            found = numbers_lib.find(numbers, f"{name}.{result}.{row}")
            entry, data = spec["rows"][row], _data(numbers, spec, result)
            again = scenarios and i > 0  # A scenario is named once.
            mark = numbers_lib.MARK * (found.old and not again)
            named = ["" if again else data] * several + [entry["title"]]
            cells = [named[0] + mark, *named[1:]]
            cells += [entry.get("paper", "")] * has_paper
            cells += [numbers_lib.written(found, column) for column in spec["columns"]]
            lines.append(cells)
            path = numbers_lib.place(spec, result, row)
            sources.setdefault((path, data), []).append((entry["title"], found))
    made = [f"| {' | '.join(cells)} |" for cells in lines]
    if not spec.get("sources", True):
        return made
    return [*made, "", _sources(sources, links)]


def sentences(numbers: numbers_lib.Numbers, name: str, links: str) -> list[str]:
    """What the paper shows in each scenario of a table, and what is seen here.

    A sentence may hold numbers of its scenario: `{ROW FIELD}`.

    Args:
      numbers: of `numbers.load`.
      name: of the table in numbers.toml, whose results have them as `says`.
      links: as `table` takes it.
    """
    spec = numbers.spec["tables"].get(name)
    if spec is None:
        raise InputError(
            f"<!-- sentences {name} -->",
            found=f"{numbers_lib.SPEC} has none",
            accepted="is one that it has",
        )
    lines = [["scenario", "row", "the paper shows", "what we see"], ["---"] * 4]
    for result in spec["results"]:

        def number(match, result=result):
            address = f"{name}.{result}.{match[1]}"
            return numbers_lib.written(numbers_lib.find(numbers, address), match[2])

        said = numbers_lib.entry(spec, result).get("says", [])
        for i, says in enumerate(said):
            row = spec["rows"][says["row"]]["title"] if "row" in says else ""
            told = [WITHIN.sub(number, says[k]) for k in ("paper", "seen")]
            lines.append(["" if i else _data(numbers, spec, result), row, *told])
    if not any(row for _, row, *_ in lines[2:]):
        lines = [[scenario, *told] for scenario, _, *told in lines]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _title(numbers: numbers_lib.Numbers, spec: dict, column: str) -> str:
    """The heading of a column: the table's own, or that of its measure."""
    field = column.partition(":")[0].removesuffix(".value")
    own = spec.get("titles", {})
    return own.get(field) or numbers.spec["titles"].get(field, field)


def _data(numbers: numbers_lib.Numbers, spec: dict, result: str) -> str:
    own = numbers_lib.entry(spec, result).get("title")
    return own or numbers.spec["titles"].get(result, result)


def _sources(
    sources: dict[tuple[str, str], list[tuple[str, numbers_lib.Found]]], links: str
) -> str:
    """Which results a table is made from, with the numbers of records and seconds."""
    shared = [data for _, data in sources]
    told = []
    for (path, data), rows in sources.items():
        # Where each row has a result of its own, it is named after the row.
        title = data if shared.count(data) == 1 else f"{data}, {rows[0][0]}"
        found = rows[0][1]
        link = f"[{title}]({links}/{path}/{numbers_lib.RESULT})".replace("(./", "(")
        parts = [_seeds(found), *_records(found), _seconds(found.result)]
        mark = numbers_lib.MARK * found.old
        told.append(f"{link}{mark}: {', '.join(filter(None, parts))}")
    return "; ".join(told) + "."


def _seeds(found: numbers_lib.Found) -> str:
    seeds = [row.get("seed", found.result["seed"]) for row in found.rows]
    seeds = sorted(set(seeds))
    *first, last = map(str, seeds)
    return f"seeds {', '.join(first)} and {last}" if first else f"seed {last}"


def _seconds(result: dict) -> str:
    """How long it took, and on what where that was no CPU."""
    device = result.get("machine", {}).get("device", "cpu")
    return f"{result['seconds']:,.0f} s" + (device != "cpu") * f" on one {device}"


def _records(found: numbers_lib.Found) -> list[str]:
    """How many records the rows are measured on, where they are members or not."""
    row = found.rows[0]
    if "members" not in row:
        return []
    members, others = row["members"], row["non_members"]
    equal = "as many" if members == others else f"{others:,}"
    return [f"{members:,} members and {equal} non-members"]
