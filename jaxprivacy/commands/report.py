"""Prints a report again, and makes its page anew.

jaxprivacy report FOLDER

FOLDER is one that --out named. The tables and the verdict are printed from its
result.json; report.html is made anew from that and the figures, which stay.
"""

from __future__ import annotations

from jaxprivacy import checks
from jaxprivacy.commands import common, publishing


def main(folder: str) -> int:
    """Prints and writes what a folder keeps of a report."""
    from jaxprivacy.report import again, store

    kept = again.read(folder)
    unsaid = publishing.say(lambda terminal: again.print_summary(kept, terminal))
    if unsaid:
        common.complain(f"{folder}: its summary cannot be printed ({unsaid})")
        return 1
    if kept.facts is None:
        checks.warn(
            f"{store.PAGE} is left as it is: {store.RESULT}, of another version, does "
            "not hold all that it says"
        )
        return 0
    page = again.write(kept, folder)
    print(f"\nReport: {page}, with {len(kept.figures)} figures")
    return 0
