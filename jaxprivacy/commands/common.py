"""What the commands share: flags and errors."""

from __future__ import annotations

import dataclasses
import inspect
import os
import pathlib
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TypeVar

from absl import app, flags, logging

import jaxprivacy
from jaxprivacy import errors
from jaxprivacy.commands import COMMANDS, help_page, stopping

T = TypeVar("T")

PROGRAM = "jaxprivacy"
MOST_DIGITS = 18  # of an integer; Python refuses to read thousands of them.

CHECKPOINT = (
    "Folder that keeps the state of the runs: after an interruption, the same command "
    "goes on from there. Removed when the report is written. Absent: --out with "
    ".checkpoint added; empty: nowhere."
)


def checkpoint_folder(asked: str | None) -> str:
    """The folder that is asked for, or else the one beside `--out`."""
    if asked is not None:
        return asked
    out = flags.FLAGS.out
    # Where it ends in `..`, or in nothing, the name of the folder must be found out.
    ends = os.path.basename(out) in ("", ".", "..")
    return f"{os.path.realpath(out) if ends else out}.checkpoint"


def define_settings(kind_of_settings: type) -> None:
    """Defines a flag for each field of settings, as flags of the calling module."""
    for field in dataclasses.fields(kind_of_settings):
        kind = str(field.type).removesuffix(" | None")
        with errors.calling(_flag):
            text = errors.called(field.metadata["help"])
        if field.metadata["repeated"]:
            flags.DEFINE_multi_string(field.name, list(field.default), text)
        elif kind.startswith("tuple"):
            flags.DEFINE_list(field.name, [str(item) for item in field.default], text)
        elif kind == "bool":
            flags.DEFINE_bool(field.name, field.default, text)
        elif kind == "int":
            flags.DEFINE_integer(field.name, field.default, text)
        elif kind == "float":
            flags.DEFINE_float(field.name, field.default, text)
        else:
            flags.DEFINE_string(field.name, field.default, text)
    flags.DEFINE_string(
        "compilation_cache",
        "~/.cache/jaxprivacy",
        "Folder where compiled programs are kept; empty: nowhere.",
    )


def define_target(told: str) -> None:
    """Defines --target and --params, as flags of the calling module.

    Args:
      told: what goes with them, for the help.
    """
    flags.DEFINE_string(
        "target",
        None,
        "A trained model of your own: FILE.py:NAME or package.module:NAME, a "
        "jaxprivacy.Target or a function of no arguments that returns one. The file is "
        f"imported, and runs. {told}",
    )
    flags.DEFINE_string(
        "params",
        None,
        "Parameters of --target: an Orbax folder, a .safetensors or an .npz file, "
        "whose names are paths. Absent: the target's own.",
    )


def check_target(
    kind_of_settings: type, accepted: Sequence[str], others: Sequence[str]
) -> None:
    """Checks what goes with a model that is not trained here.

    Args:
      kind_of_settings: the dataclass of the settings.
      accepted: its fields that count beside --target.
      others: further flags that do not.

    Raises:
      InputError: naming the flag.
    """
    if flags.FLAGS.target is None:
        if flags.FLAGS.params is not None:
            raise errors.InputError(
                "params", flags.FLAGS.params, "is a path beside `target`"
            )
        return
    names = [field.name for field in dataclasses.fields(kind_of_settings)]
    refuse(
        [name for name in (*names, *others) if name not in accepted],
        f"beside it are {', '.join(f'`{name}`' for name in accepted)}",
        "the model of `target` is not trained here",
    )


def refuse(names: Sequence[str], accepted: str, found: str = "") -> None:
    """Refuses settings of what does not take place.

    Raises:
      InputError: naming the flag.
    """
    for name in names:
        flag = flags.FLAGS[name]
        if flag.present:
            raise errors.InputError(name, flag.value, accepted, found=found)


def settings(kind_of_settings: type[T]) -> T:
    """Reads the flags back as settings, not yet checked."""
    values = {}
    for field in dataclasses.fields(kind_of_settings):
        value = flags.FLAGS[field.name].value
        if isinstance(value, list):
            # Of numbers that are there by default, none is not a choice.
            words = value or [""] * (field.default != () and "str" not in field.type)
            value = tuple(_item(field, word, value) for word in words)
        values[field.name] = value
    return kind_of_settings(**values)


def _item(field: dataclasses.Field, word: str, words: list[str]) -> str | int | float:
    """Reads one value of a list, as the field's type says."""
    given = ",".join(words)
    if "int" in str(field.type):
        if not word.isdecimal() or len(word) > MOST_DIGITS:
            raise errors.InputError(
                field.name, given, "are integers of at least 1, separated by commas"
            )
        return int(word)
    if "float" in str(field.type):
        try:
            return float(word)
        except ValueError as error:
            raise errors.InputError(
                field.name, given, "are numbers, separated by commas"
            ) from error
    return word


def define_report(name: str) -> None:
    """Defines where the report goes, as flags of the calling module."""
    flags.DEFINE_string("out", f"reports/{name}", "Folder that the report goes to.")
    flags.DEFINE_bool("overwrite", False, "Whether the report in --out is replaced.")


def command() -> str:
    """The command line as a shell would take it."""
    program, *given = sys.argv
    if _installed():
        return shlex.join([PROGRAM, *given])
    return "python -m " + shlex.join([f"launch.{pathlib.Path(program).stem}", *given])


def as_called(text: str) -> str:
    """Names commands as they are called here: `jaxprivacy NAME`, or by Python."""
    if _installed():
        return text
    return re.sub(
        # The longest first, since one name begins another.
        rf"\b{PROGRAM} ({'|'.join(sorted(COMMANDS, key=len, reverse=True))})\b",
        lambda found: "python -m launch." + found[1].replace("-", "_"),
        text,
    )


def _installed() -> bool:
    """Whether the program is that of the wheel, and not a module of a checkout."""
    return pathlib.Path(sys.argv[0]).stem == PROGRAM


def run(main: Callable[..., int | None], argv: list[str] | None = None) -> None:
    """Runs a command; what the user got wrong ends in one line and status 2.

    So does Ctrl-C, with status 130, and SIGTERM, with 143; and a report that no disk
    takes, with 1.

    Args:
      main: of the command's module, whose docstring and flags `--help` tells; its
        parameters are the words that it takes beside flags.
      argv: the command's name, then its flags; None: those of the process.
    """

    def parse(argv: list[str]) -> list[str]:
        if {"--help", "-help", "-h"} & set(argv[1:]):
            module = sys.modules[main.__module__]
            own = flags.FLAGS.get_key_flags_for_module(module)
            print(as_called(help_page.page(module.__doc__ or "", own)), end="")
            sys.exit(0)
        if {"--version", "-version"} & set(argv[1:]):
            print(f"jaxprivacy {jaxprivacy.__version__}")
            sys.exit(0)
        for argument in argv[1:]:
            if not _is_text(argument):
                _refuse(f"{argument!a}: accepted are arguments in UTF-8")
        try:
            rest = flags.FLAGS(argv)
        # A value for --noname, which takes none, is a plain ValueError.
        except (flags.Error, ValueError) as error:
            _refuse(_with_accepted(error))
        taken = [name.upper() for name in inspect.signature(main).parameters]
        for word in rest[1 + len(taken) :]:
            _refuse(f"{word}: accepted are flags, --name=value; --help lists them")
        for name in taken[len(rest) - 1 :]:
            _refuse(f"{name}: is missing; --help tells what it is")
        return rest

    def checked(argv: list[str]) -> int | None:
        logging.set_verbosity(logging.WARNING)  # JAX tells which backends it tried.
        with errors.calling(_flag):
            return finished(argv)

    def finished(argv: list[str]) -> int | None:
        try:
            with stopping.signals():
                return main(*argv[1:])
        except stopping.Stopped as stopped:
            (number,) = stopped.args
            print(stopping.told(number, _folders()), file=sys.stderr)
            stopping.leave(128 + number)
        except errors.UserCodeFailed as error:
            traceback.print_exception(error.__cause__)
            sys.exit(2)
        except errors.InputError as error:
            return _refuse(error)
        except errors.NotWritten as error:
            return _refuse(error, 1)

    app.run(checked, argv=argv, flags_parser=parse)


def _flag(name: str) -> str:
    """How a command calls an argument; what is in backticks is surely one."""
    bare = name.strip("`")
    return f"--{bare}" if bare != name or bare in flags.FLAGS else name


def _folders() -> dict[str, str]:
    """The folders for what a run keeps of itself, by the flags that name them."""
    names = [name for name in stopping.STEPS if name in flags.FLAGS]
    folders = {name: flags.FLAGS[name].value for name in names}
    if "checkpoint" in folders:
        folders["checkpoint"] = checkpoint_folder(folders["checkpoint"])
    return folders


def _is_text(argument: str) -> bool:
    """Whether it can be written into a report: bytes that are no text cannot."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _with_accepted(error: Exception) -> str:
    """Adds to absl's message what is accepted."""
    named = re.match(r"flag --(\w+)=", str(error))
    if not named:
        return f"{error}; accepted are the flags that --help lists"
    flag = flags.FLAGS[named[1]]
    kind = "true or false" if flag.boolean else flag.parser.syntactic_help
    return f"{error}; accepted is {kind}"


def _refuse(problem: object, status: int = 2) -> None:
    complain(problem)
    sys.exit(status)


def complain(problem: object) -> None:
    """Says in one line on standard error what went wrong."""
    print("error: " + as_called(" ".join(str(problem).split())), file=sys.stderr)


def use_every_core(devices: int | None = None) -> None:
    """Makes each core a device, or so many, for trainings that go side by side."""
    import jax

    devices = devices or len(os.sched_getaffinity(0))
    jax.config.update("jax_num_cpu_devices", devices)
