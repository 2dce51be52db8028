import contextlib
import dataclasses
import json
import shlex
import sys

import pytest
from absl import flags
from absl.testing import flagsaver

from jaxprivacy import errors
from jaxprivacy.commands import common
from jaxprivacy.studies.settings import GanSettings, Settings
from tests.launch import launched

KINDS = {"audit": Settings, "gan_attack": GanSettings, "sweep": GanSettings}
# What is not a number or a switch: something else than the default.
GIVEN = {
    "setting": "standalone",
    "attacks": ("bavaria", "population"),
    "data": "npz:a=b.npz",
    "model": "mlp",
    "mlp_widths": (3, 4),
    "partition": "by_class",
    "preset": "other",
    "order": "random",
    "upload_rule": "random",
    "generator_optimizer": "adam",
    "compare": ("dcgan", "gan_no_influence"),
}


def names(kind):
    return [field.name for field in dataclasses.fields(kind)]


@pytest.fixture
def parse():
    """Parses flags as a launch script does, and forgets them afterwards."""
    with contextlib.ExitStack() as stack:

        def read(script, *arguments):
            launched.script(script)
            stack.enter_context(flagsaver.flagsaver())
            flags.FLAGS([script, *arguments])
            return KINDS[script]

        yield read


@pytest.mark.parametrize("script", KINDS)
def test_no_flags_are_the_default_settings(script, parse):
    kind = parse(script)
    assert common.settings(kind) == kind()


@pytest.mark.parametrize("script", KINDS)
def test_every_setting_is_read_from_its_flag(script, parse):
    given = {}
    for field in dataclasses.fields(KINDS[script]):
        if field.name in GIVEN:
            given[field.name] = GIVEN[field.name]
        elif isinstance(field.default, bool):
            given[field.name] = not field.default
        else:
            given[field.name] = 0.125 if "float" in str(field.type) else 17
    words = {
        name: ",".join(map(str, value)) if isinstance(value, tuple) else value
        for name, value in given.items()
    }
    kind = parse(script, *(f"--{name}={value}" for name, value in words.items()))
    found = dataclasses.asdict(common.settings(kind))
    assert found == given
    defaults = dataclasses.asdict(kind())
    assert all(found[name] != defaults[name] for name in found)
    assert all(type(found[name]) is type(given[name]) for name in found)


def test_what_is_absent_may_be_said_to_be_nothing(parse):
    kind = parse("gan_attack", "--compare=", "--noinfluence", "--adversary_data=false")
    found = common.settings(kind)
    assert (found.compare, found.influence, found.adversary_data) == ((), False, False)


@pytest.mark.parametrize("widths", ["", ",", "8,,8", "8,x", "-8", "1e3", "8.0"])
@pytest.mark.parametrize("script", KINDS)
def test_malformed_widths(widths, script, parse):
    kind = parse(script, f"--mlp_widths={widths}")
    with pytest.raises(errors.InputError, match="mlp_widths="):
        common.settings(kind)


@pytest.mark.parametrize("script", KINDS)
def test_command_can_be_given_to_a_shell_again(script, monkeypatch):
    arguments = ["--data=npz:it's here.npz", "--out=$HOME; ls"]
    monkeypatch.setattr(sys, "argv", [f"/some/where/launch/{script}.py", *arguments])
    command = common.command()
    assert shlex.split(command) == ["python", "-m", f"launch.{script}", *arguments]
    assert json.loads(json.dumps(command)) == command
