"""Errors in one line, which name arguments as Python does, or as a command."""

import copy
import pathlib
import re

import pytest

import jaxprivacy
from jaxprivacy import errors

ROOT = pathlib.Path(jaxprivacy.__file__).parent
# A command's own texts name flags; options of git, which Python starts, are no flags.
EXEMPT = ("commands/", "studies/provenance.py")


def flag(name):
    bare = name.strip("`")
    return f"--{bare}" if bare != name or bare == "rounds" else name


CASES = (
    (
        errors.InputError("rounds", 40, "are 1 to `most`=30"),
        "rounds=40: accepted are 1 to most=30",
        "--rounds=40: accepted are 1 to --most=30",
    ),
    (
        errors.InputError("rounds", 4, found="as `most` has it", accepted="is more"),
        "rounds=4: as most has it; accepted is more",
        "--rounds=4: as --most has it; accepted is more",
    ),
    (
        errors.InputError("table.csv, line 3", found="is empty", accepted="are `rows`"),
        "table.csv, line 3: is empty; accepted are rows",
        "table.csv, line 3: is empty; accepted are --rows",
    ),
    (
        errors.InputError(("rounds", "x"), (3, "`rounds`"), "is one of them"),
        "rounds=3, x=`rounds`: accepted is one of them",
        "--rounds=3, x=`rounds`: accepted is one of them",
    ),
    (
        errors.InputError(("x", "y"), found="of two lengths", accepted="is one"),
        "x, y: of two lengths; accepted is one",
        "x, y: of two lengths; accepted is one",
    ),
    (
        errors.InputError("x", None, "with `rounds`=1 only"),
        "x=None: accepted with rounds=1 only",
        "x=None: accepted with --rounds=1 only",
    ),
)


@pytest.mark.parametrize(("error", "in_python", "in_a_command"), CASES)
def test_one_line_names_arguments_as_they_are_called(error, in_python, in_a_command):
    assert str(error) == in_python
    with errors.calling(flag):
        assert str(error) == in_a_command
    assert str(error) == in_python == str(copy.copy(error))


def test_the_parts_of_an_error_are_told_apart():
    error = jaxprivacy.InputError("rounds", 40, "are 1 to `most`=30")
    assert isinstance(error, ValueError)
    assert (error.argument, error.value) == ("rounds", 40)
    assert error.accepted == "1 to most=30"
    error = jaxprivacy.InputError("x", found="is empty", accepted="is a table")
    assert (error.argument, error.value, error.accepted) == ("x", "is empty", "a table")
    assert jaxprivacy.InputError("x", None, "are tables").value is None


def test_an_error_in_a_part_of_an_argument_names_both():
    error = errors.of_part("members: x", "of type <U1", "are numbers")
    assert str(error) == "members: x of type <U1; accepted are numbers"
    assert (error.argument, error.value) == ("members", "x of type <U1")
    error = errors.of_part("params", "is empty", "is a tree")
    assert str(error) == "params: is empty; accepted is a tree"


def test_the_name_of_an_argument_is_taken_back_when_a_command_fails():
    with pytest.raises(RuntimeError), errors.calling(flag):
        raise RuntimeError
    assert errors.called("`rounds`") == "rounds"


def test_no_line_of_the_library_names_a_flag():
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(ROOT.glob("**/*.py"))
        if not str(path.relative_to(ROOT)).startswith(EXEMPT)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search("--[a-zA-Z]", line)
    ]
    assert not found, f"{', '.join(found)}; accepted are names in backticks"
