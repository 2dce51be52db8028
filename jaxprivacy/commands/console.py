"""`jaxprivacy`, which an installed wheel puts on the path: one program, its commands.

jaxprivacy COMMAND --name=value ...
"""

from __future__ import annotations

import difflib
import importlib
import sys

import jaxprivacy
from jaxprivacy.commands import COMMANDS, common

HELP, VERSION = ("--help", "-help", "-h", "help"), ("--version", "-version")
USAGE = "jaxprivacy COMMAND --name=value ..."
ENDING = """jaxprivacy COMMAND --help lists the flags of a command.
jaxprivacy --version tells the version."""


def main() -> int | None:
    """Runs the command that the first argument names; returns the exit status."""
    first, *_ = sys.argv[1:] or [""]
    if first in COMMANDS:
        module = importlib.import_module(f"{__package__}.{first.replace('-', '_')}")
        return common.run(module.main, sys.argv[1:])
    if first in HELP:
        print(page())
    elif first in VERSION:
        print(f"jaxprivacy {jaxprivacy.__version__}")
    elif not first:
        print(page(), file=sys.stderr)
        return 2
    else:
        common.complain(f"{first}: {_accepted(first)}")
        return 2
    return 0


def page() -> str:
    """What the commands do, a line each, in 80 columns."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {told}" for name, told in COMMANDS.items()]
    about = (jaxprivacy.__doc__ or "").strip()
    return "\n\n".join([about, USAGE, "\n".join(lines), ENDING])


def _accepted(word: str) -> str:
    """What is accepted in the place of a command, and which is nearest."""
    near = difflib.get_close_matches(word, [*COMMANDS, HELP[0], VERSION[0]], 1)
    hint = "".join(f"did you mean {name}? " for name in near)
    return f"{hint}accepted first is a command: {', '.join(COMMANDS)}; or {HELP[0]}"
