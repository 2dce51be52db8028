"""What users get wrong, told in one line: the argument, what it is, what it may be.

Texts name another argument in backticks, as in "1 to `rounds`=40". Python prints it
plainly, and a command as its flag.
"""

from __future__ import annotations

import contextlib
import contextvars
import re
from collections.abc import Callable, Iterator

_NAMED = re.compile(r"`(\w+)`")


def _plain(name: str) -> str:
    return name.strip("`")


_CALLED: contextvars.ContextVar = contextvars.ContextVar("called", default=_plain)


class InputError(ValueError):
    """A user's argument or file is not what it must be.

    Its text is one line that names the argument or file, the value and what is
    accepted; commands print it and exit with status 2.

    Args:
      argument: its name, as a parameter of Python has it, or the file's; several where
        they do not fit together.
      value: what was given, as many as arguments; absent where `found` says it.
      accepted: goes on after the word accepted, with `are`, `is` or a condition.
      found: what is wrong with it, in words, where the value alone does not tell.

    Attributes:
      argument: as given.
      value: as given, or else `found`.
      accepted: what is accepted, without `are` and `is`.
    """

    def __init__(
        self,
        argument: str | tuple[str, ...],
        value: object = ...,
        accepted: str = "",
        found: str = "",
    ):
        super().__init__(argument, value, accepted, found)
        self.argument = argument
        self.value = found if value is ... else value
        self.accepted = re.sub(r"^(are|is) ", "", _NAMED.sub(r"\1", accepted))

    def __str__(self) -> str:
        argument, value, accepted, found = self.args
        several = isinstance(argument, tuple)
        heads = [
            _CALLED.get()(str(name)) for name in (argument if several else (argument,))
        ]
        if value is not ...:
            values = value if several else (value,)
            heads = [f"{head}={v}" for head, v in zip(heads, values, strict=True)]
        said = [called(found)] if found else []
        said += [f"accepted {called(accepted)}"] if accepted else []
        return ": ".join(filter(None, (", ".join(heads), "; ".join(said))))


class UserCodeFailed(InputError):
    """A file of the user's own raised an error, which is the cause of this one.

    Commands print that error with its traceback, as Python would.
    """


class NotWritten(OSError):
    """A finished result found no place on any disk; its message is one line."""


def of_part(name: str, found: str, accepted: str) -> InputError:
    """An error in a part of an argument.

    Args:
      name: of both, such as "members: x".
      found: what is wrong, as it is said of the part.
      accepted: as of `InputError`.
    """
    argument, _, part = name.partition(": ")
    return InputError(argument, found=f"{part} {found}".strip(), accepted=accepted)


def called(text: str) -> str:
    """A text in which every argument in backticks is called as it is called here."""
    return _NAMED.sub(lambda found: _CALLED.get()(f"`{found[1]}`"), text)


@contextlib.contextmanager
def calling(name: Callable[[str], str]) -> Iterator[None]:
    """Calls arguments in all texts otherwise than Python does.

    Args:
      name: how an argument is called, as a flag, say; what stands in backticks
        is surely an argument, what does not may be a file's name too.
    """
    token = _CALLED.set(name)
    try:
        yield
    finally:
        _CALLED.reset(token)
