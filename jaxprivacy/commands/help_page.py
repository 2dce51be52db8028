"""The page that `--help` prints: every flag of a command, in groups."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from absl import flags

from jaxprivacy.commands import flag_help

WIDTH = 80
OTHERS = "others"  # flags that stand in no group
ALWAYS = (
    "Every command takes --flagfile=FILE, which reads flags from a file, one a line, "
    "--version and --help."
)


def page(command: str, of_command: Sequence[flags.Flag]) -> str:
    """Tells what a command does and what its flags mean.

    Args:
      command: its docstring.
      of_command: its flags.

    Returns:
      Lines of at most 80 columns.
    """
    by_name = {flag.name: flag for flag in of_command}
    parts = [command.strip()]
    for group, names in _groups(by_name).items():
        told = [_flag(by_name[name]) for name in names]
        parts.append("\n".join([f"{group.capitalize()}:", *told]))
    return "\n\n".join([*parts, wrapped(ALWAYS)]) + "\n"


def _groups(by_name: dict[str, flags.Flag]) -> dict[str, list[str]]:
    """The names of the flags there are, group by group."""
    named = flag_help.groups(list(by_name))
    grouped = {name for names in named.values() for name in names}
    named[OTHERS] = sorted(set(by_name) - grouped)
    return {group: names for group, names in named.items() if names}


def _flag(flag: flags.Flag) -> str:
    """What a flag means, and what it is if it is not given."""
    name = f"[no]{flag.name}" if flag.boolean else flag.name
    # Absl adds to flags that may be given several times that they may be.
    text, default = flag.help.partition(";\n    repeat")[0], flag.default
    if default not in (None, "", []):
        shown = flag.default_as_str[1:-1]
        if isinstance(flag, flags.MultiFlag):
            shown = " ".join(default)
        text += f" Default: {shown}."
    return wrapped(f"--{name}: {text}", "  ", 4 * " ")


def wrapped(text: str, first: str = "", others: str = "") -> str:
    """Lines of at most 80 columns, the first and the others indented."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
