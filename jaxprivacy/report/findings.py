"""What an audit hands back to Python."""

from __future__ import annotations

import html as escapes
import io
import pathlib
from typing import Any, NamedTuple

from jaxprivacy.evaluation.intervals import Interval
from jaxprivacy.report import contents, store, verdict


class Finding(NamedTuple):
    """One attack's result; rates have `value`, `low` and `high`, at 95 %."""

    name: str
    auc: Interval
    accuracy: Interval
    tpr_at_fpr: tuple[dict[str, Any], ...]  # fpr, value, low, high of each
    trained: bool | None  # None: a rule, which learns nothing
    row: dict[str, Any]  # as result.json has it


class AuditReport:
    """The findings of an audit, and the page that tells them.

    Attributes:
      contents: all that the report is made of; `contents.result` is result.json.
    """

    def __init__(self, of: contents.Report):
        """Holds what an audit found."""
        self.contents = of

    @property
    def result(self) -> dict[str, Any]:
        """The content of result.json."""
        return self.contents.result

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What each attack found."""
        return tuple(_finding(row) for row in self.result["membership"])

    @property
    def level(self) -> str:
        """`severe`, `clear`, `slight`, `none_found` or `cannot_tell`."""
        return self.result["verdict"]["level"]

    def save(self, folder: str, overwrite: bool = False) -> pathlib.Path:
        """Writes result.json, figures and report.html into a folder.

        Raises:
          InputError: the folder cannot be written, or holds a report already.
        """
        with store.reserve(str(folder), overwrite) as held:
            return store.write(self.contents, held)

    def __repr__(self) -> str:
        """The tables and the verdict, as the shell prints them."""
        from rich import console

        from jaxprivacy.report import tables

        written = io.StringIO()
        terminal = console.Console(file=written, width=80)
        tables.print_summary(self.contents, terminal)
        return written.getvalue()

    def _repr_html_(self) -> str:
        """The page, in a frame of its own."""
        from jaxprivacy.report import html, plots

        page = html.render(self.contents, plots.draw(self.contents))
        title = verdict.badge(self.level)
        return (
            f'<iframe title="{escapes.escape(title)}" style="width:100%;height:40em;'
            f'border:0" srcdoc="{escapes.escape(page)}"></iframe>'
        )


def _finding(row: dict[str, Any]) -> Finding:
    return Finding(
        row["attack"],
        Interval(**row["auc"]),
        Interval(**row["accuracy"]),
        tuple(row["tpr_at_fpr"]),
        row.get("trained"),
        row,
    )
