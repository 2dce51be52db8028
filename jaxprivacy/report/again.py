"""A report made again from its folder: from result.json and the figures there."""

from __future__ import annotations

import json
import pathlib
from typing import Any, NamedTuple

from rich.console import Console

from jaxprivacy import errors, lock
from jaxprivacy.report import facts, html, plots, store, tables

_ACCEPTED = f"is a folder with the {store.RESULT} of a report"


class Kept(NamedTuple):
    """What a folder keeps of a report."""

    result: dict[str, Any]
    facts: facts.Facts | None  # None: of a version that kept others, or none
    figures: dict[str, bytes]  # PNG by file name


def read(folder: str) -> Kept:
    """Reads what a folder keeps of a report.

    Raises:
      InputError: naming the folder: it holds no result, or one that cannot be read.
    """
    place = pathlib.Path(folder)
    try:
        result = json.loads((place / store.RESULT).read_text("utf-8"))
        figures = {
            name: (place / name).read_bytes()
            for name in plots.ALL_NAMES
            if (place / name).exists()
        }
    except (OSError, ValueError) as error:
        raise errors.InputError(
            folder,
            found=f"{store.RESULT} cannot be read ({store.reason(error)})",
            accepted=_ACCEPTED,
        ) from error
    needed = {"membership", "reconstruction", "target", "versions", "command", "seed"}
    if not isinstance(result, dict) or not needed <= set(result):
        raise errors.InputError(
            folder, found=f"{store.RESULT} is no result", accepted=_ACCEPTED
        )
    return Kept(result, facts.kept(result), figures)


def print_summary(kept: Kept, console: Console) -> None:
    """Prints the tables and the verdict, as the command did that made the report."""
    tables.print_result(kept.result, kept.facts or facts.EMPTY, console)


def write(kept: Kept, folder: str) -> pathlib.Path:
    """Writes the page anew into the folder that it was read from; returns its path.

    Raises:
      InputError: another run writes there.
      NotWritten: the folder cannot be written.
    """
    place = pathlib.Path(folder)
    page = html.page(kept.result, kept.facts, kept.figures)
    try:
        with lock.locked(place.resolve(), folder):
            store.replace(place, store.PAGE, page.encode())
    except OSError as error:
        why = store.reason(error)
        raise errors.NotWritten(
            f"{place / store.PAGE}: cannot be written ({why})"
        ) from error
    return place / store.PAGE
