import dataclasses
import json
import shlex
import sys

import pytest
from absl import flags
from absl.testing import flagsaver

from jaxprivacy import checks
from jaxprivacy.experiments.settings import Settings
from launch import audit, common

NAMES = [field.name for field in dataclasses.fields(Settings)]


@pytest.fixture
def parse():
    """Parses flags as `launch.audit` does, and forgets them afterwards."""
    assert audit  # Importing it defines the flags.
    with flagsaver.flagsaver():
        yield lambda *arguments: flags.FLAGS(["audit", *arguments])


def test_every_setting_has_its_help():
    assert list(common.HELP) == NAMES


def test_no_flags_are_the_default_settings(parse):
    parse()
    assert common.settings() == Settings()


def test_every_setting_is_read_from_its_flag(parse):
    given = {
        "data": "npz:a=b.npz",
        "model": "mlp",
        "mlp_widths": (3, 4),
        "partition": "by_class",
        "preset": "other",
    }
    for name in NAMES:
        default = getattr(Settings(), name)
        number = 0.125 if isinstance(default, float) else 17
        given.setdefault(name, number)
    words = {**given, "mlp_widths": "3,4"}
    parse(*(f"--{name}={value}" for name, value in words.items()))
    assert dataclasses.asdict(common.settings()) == given


@pytest.mark.parametrize("widths", ["", ",", "8,,8", "8,x", "-8", "1e3", "8.0"])
def test_malformed_widths(widths, parse):
    parse(f"--mlp_widths={widths}")
    with pytest.raises(checks.InputError, match="--mlp_widths="):
        common.settings()


def test_command_can_be_given_to_a_shell_again(monkeypatch):
    arguments = ["--data=npz:it's here.npz", "--out=$HOME; ls"]
    monkeypatch.setattr(sys, "argv", ["/some/where/launch/audit.py", *arguments])
    command = common.command()
    assert shlex.split(command) == ["python", "-m", "launch.audit", *arguments]
    assert json.loads(json.dumps(command)) == command
