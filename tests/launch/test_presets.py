"""Every preset names flags that exist, and settings that are accepted."""

import pathlib

import pytest
from absl import flags
from absl.testing import flagsaver

from jaxprivacy.experiments import sweep
from jaxprivacy.experiments.settings import GanSettings, check_gan
from launch import common
from tests.launch import launched

ROOT = pathlib.Path(__file__).parents[2]
PRESETS = sorted((ROOT / "launch" / "presets").glob("*.flags"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_preset(path, monkeypatch):
    launcher = launched.script("sweep")  # Its flags are all that presets may name.
    monkeypatch.chdir(ROOT)
    with flagsaver.flagsaver():
        flags.FLAGS(["launch", f"--flagfile={path}"])
        settings = common.settings(GanSettings)
        grid = sweep.parse_grid(launcher._GRID.value)
    for cell in sweep.expand(settings, grid):
        check_gan(cell)
    assert settings.data.startswith("npz:../shared/data/")


def test_there_are_presets():
    assert len(PRESETS) >= 9
