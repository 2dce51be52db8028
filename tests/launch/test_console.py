"""`jaxprivacy COMMAND`: the same as `python -m launch.COMMAND`, from a wheel."""

import importlib.metadata
import pathlib
import shlex

import pytest

import jaxprivacy
from jaxprivacy import commands
from jaxprivacy.commands import common, console
from tests.launch import launched


@pytest.fixture
def called(capsys):
    """Runs `jaxprivacy ...`; returns status, output and errors."""

    def run(*arguments):
        if arguments and arguments[0] in commands.COMMANDS:
            launched.script(arguments[0].replace("-", "_"))
        status = launched.ended(console.main, "/an/env/bin/jaxprivacy", *arguments)
        return status, *capsys.readouterr()

    return run


def test_help_has_a_line_for_each_command(called):
    status, told, error = called("--help")
    lines = [line.split()[0] for line in told.splitlines() if line.startswith("  ")]
    assert (status, error, lines) == (0, "", list(commands.COMMANDS))
    assert max(map(len, told.splitlines())) <= 80
    assert called() == (2, "", told)  # Nothing was asked for; so do ruff and uv.
    assert called("--version") == (0, f"jaxprivacy {jaxprivacy.__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["adit"], "adit: did you mean audit? accepted first is a command: audit, "),
        (["gan_attack"], "gan_attack: did you mean gan-attack? "),
        (["--verison"], "--verison: did you mean --version? "),
        (["--data=digits"], "--data=digits: accepted first is a command: audit, "),
        (["audit", "--dta=digits"], "Unknown command line flag 'dta'. Did you mean: "),
        (["sweep", "--rounds=x"], "flag --rounds=x: "),
        (["audit", "digits"], "digits: accepted are flags, --name=value"),
        (["report"], "FOLDER: is missing; --help tells what it is"),
        (["report", "no"], "no: result.json cannot be read (No such file or direc"),
        (["report", "no", "--out=x"], "Unknown command line flag"),
        (["prepare", "--dataset=mnist"], "--dataset=mnist: accepted are purchase100"),
    ],
)
def test_what_is_wrong_ends_in_one_line(words, said, called):
    status, out, error = called(*words)
    assert (status, out, error.count("\n")) == (2, "", 1)
    assert error.startswith(f"error: {said}")


def test_an_error_and_the_command_are_named_as_they_were_called(called, monkeypatch):
    words = ["audit", "--data=tfds:cifar100", "--out=$HOME; ls"]
    assert "once with: jaxprivacy prepare --dataset=cifar100" in called(*words)[2]
    monkeypatch.setattr("sys.argv", ["/an/env/bin/jaxprivacy", *words])
    assert shlex.split(common.command()) == ["jaxprivacy", *words]


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_help_of_a_command_is_that_of_its_launch_script(name, called):
    status, told, _ = called(name, "--help")
    assert status == 0 and f"\njaxprivacy {name} " in told
    assert ("\n  --seed: " in told) == (name not in ("prepare", "report"))
    script = name.replace("-", "_")
    module = importlib.import_module(f"jaxprivacy.commands.{script}")
    assert module.main is importlib.import_module(f"launch.{script}").main


def test_the_wheel_holds_the_package_alone_and_all_of_it(monkeypatch):
    pytest.importorskip("setuptools")  # Which has distutils where Python has none.
    from distutils import core

    monkeypatch.chdir(launched.ROOT)
    wheel = core.run_setup("setup.py", stop_after="init")
    folders = {path.parent for path in pathlib.Path("jaxprivacy").rglob("*.py")}
    assert set(wheel.packages) == {".".join(folder.parts) for folder in folders}
    data = {
        path
        for package, patterns in wheel.package_data.items()
        for pattern in patterns
        for path in pathlib.Path(package.replace(".", "/")).glob(pattern)
    }
    held = {path for path in pathlib.Path("jaxprivacy").rglob("*") if path.is_file()}
    assert data == {p for p in held if p.suffix not in (".py", ".pyc")} != set()
    (entry,) = wheel.entry_points["console_scripts"]
    name, value = entry.split(" = ")
    point = importlib.metadata.EntryPoint(name, value, "console_scripts")
    assert (name, point.load()) == (common.PROGRAM, console.main)
