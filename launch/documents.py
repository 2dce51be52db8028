"""Writes the numbers in README, BUILD_NOTES and docs from the results in docs.

python -m launch.documents
python -m launch.documents --check
"""

from __future__ import annotations

import difflib
import pathlib
import sys

from absl import flags

from jaxprivacy.commands import common

_CHECK = flags.DEFINE_bool(
    "check", False, "Change nothing; exit status 1 if a number differs from its result."
)
_ROOT = flags.DEFINE_string("root", ".", "The checkout whose documents are written.")


def main() -> None:
    """Writes, or checks, the documents, and prints the lines that change."""
    from jaxprivacy.report import documents

    root = pathlib.Path(_ROOT.value)
    changed = {
        path: (old, new)
        for path, (old, new) in documents.render(root).items()
        if old != new
    }
    for path, (old, new) in changed.items():
        name = str(path.relative_to(root))
        lines = old.splitlines(), new.splitlines()
        for line in difflib.unified_diff(*lines, name, name, n=0, lineterm=""):
            print(line)
        if not _CHECK.value:
            path.write_text(new, "utf-8")
    if changed and _CHECK.value:
        sys.exit(1)


if __name__ == "__main__":
    common.run(main)
