"""Every preset names flags that exist, and settings that are accepted."""

import pathlib

import pytest
from absl import flags
from absl.testing import flagsaver

from jaxprivacy.commands import common
from jaxprivacy.studies import (
    audit_membership,
    server_attacks,
    settings,
    sweep,
    whitebox_accepted,
)
from jaxprivacy.studies.settings import GanSettings, check_gan
from jaxprivacy.studies.whitebox_settings import WhiteboxSettings
from tests.launch import launched

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "launch" / "presets"
FOLDERS = FOLDER, FOLDER / "paper_b", FOLDER / "fedmia"
PAPER_A, PAPER_B, FEDMIA = (sorted(folder.glob("*.flags")) for folder in FOLDERS)


@pytest.mark.parametrize("path", PAPER_A, ids=lambda path: path.stem)
def test_preset_of_paper_a(path, monkeypatch):
    launcher = launched.script("sweep")  # Its flags are all that presets may name.
    monkeypatch.chdir(ROOT)
    with flagsaver.flagsaver():
        flags.FLAGS(["launch", f"--flagfile={path}"])
        settings = common.settings(GanSettings)
        grid = sweep.parse_grid(launcher._GRID.value)
    for cell in sweep.expand(settings, grid):
        check_gan(cell)
    written = "npz:reports/"  # What its preset says how to write.
    assert settings.data.startswith(
        written if path.stem == "tinyimagenet_dcgan" else "npz:../shared/data/"
    )


@pytest.mark.parametrize("path", PAPER_B, ids=lambda path: path.stem)
def test_preset_of_paper_b(path, monkeypatch):
    launched.script("whitebox")
    monkeypatch.chdir(ROOT)
    with flagsaver.flagsaver():
        flags.FLAGS(["launch", f"--flagfile={path}"])
        settings = common.settings(WhiteboxSettings)
    whitebox_accepted.check(settings)
    assert settings.data.startswith("npz:")


@pytest.mark.parametrize("path", FEDMIA, ids=lambda path: path.stem)
def test_preset_of_fedmia(path, monkeypatch):
    launched.script("audit")
    monkeypatch.chdir(ROOT)
    with flagsaver.flagsaver():
        flags.FLAGS(["launch", f"--flagfile={path}"])
        asked = common.settings(settings.Settings)
    settings.check(asked)
    columns = {"loss_threshold", "gradient_norm", *server_attacks.NAMES}
    assert set(audit_membership.chosen(asked)) == columns
    assert asked.data.startswith("npz:")


TABLES = ("iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xii", "xiii")


@pytest.mark.parametrize("data", ["location", "retail", "tinyimagenet"])
def test_every_table_has_a_preset(data):
    """Location-30 has too few records for Table VI."""
    tables = [table for table in TABLES if (data, table) != ("location", "vi")]
    found = {path.stem for path in PAPER_B}
    assert {f"{data}_table_{table}" for table in tables} <= found
    assert len(PAPER_A) >= 9
