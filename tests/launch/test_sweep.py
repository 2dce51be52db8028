"""A sweep from its flags to its report, in a process of its own.

It tells JAX how many devices there are, which must be done before JAX is used.
"""

import subprocess
import sys

import numpy as np
import pytest

from jaxprivacy.report import plots
from tests.launch import contract, launched

# `python -m launch.sweep` with small judges, compiled without optimizations.
SMALL = """
import jax
from jaxprivacy.studies import judge, reconstruction
from jaxprivacy.commands import common, sweep

jax.config.update("jax_disable_most_optimizations", True)
judge.STEPS, reconstruction.SAMPLES, reconstruction.SHOWN = 20, 12, 3
common.run(sweep.main)
"""
BUDGETS, CLASSES, SEEDS = (0.5, np.inf), (1, 3), (0, 1)
ROWS = ("gan", "gan_no_influence")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a sweep over two classes and budgets was written."""
    out = tmp_path_factory.mktemp("sweep")
    x = np.random.default_rng(5).integers(0, 256, (120, 4, 4), np.uint8)
    np.savez(out / "images.npz", x=x, y=np.arange(120) % 4)
    arguments = [
        f"--data=npz:{out / 'images.npz'}",
        f"--out={out / 'report'}",
        "--compilation_cache=",
        "--model=mlp",
        "--mlp_widths=8",
        "--rounds=2",
        "--batch_size=8",
        "--upload_fraction=0.5",
        "--generator_steps=1",
        "--generator_batch=4",
        "--injected=4",
        "--compare=gan_no_influence,model_inversion",
        "--epsilon_per_parameter=3",  # No run has it.
        "--grid=epsilon_per_parameter=0.5,inf",
        "--grid=target_class=1,3",
        "--grid=seed=0,1",
        "--devices=2",
    ]
    command = [sys.executable, "-c", SMALL, *arguments]
    done = subprocess.run(  # noqa: S603
        command, cwd=launched.ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {"images.npz", "report"}
    return out / "report"


@pytest.fixture(scope="module")
def result(folder):
    return contract.check((folder / "result.json").read_text())


def cell(row):
    return row["attack"], row["target_class"], row["seed"]


def test_each_cell_of_the_grid_was_run(result):
    runs = [
        (r["row"], r["epsilon_per_parameter"], r["target_class"], r["seed"])
        for r in result["runs"]
    ]
    budgets = [0.5, None]  # No number of JSON is infinite.
    want = {
        (row, budget, target, seed)
        for row in ROWS
        for budget in budgets
        for target in CLASSES
        for seed in SEEDS
    }
    assert len(runs) == len(want) and set(runs) == want
    for run in result["runs"]:
        assert len(run["accuracy"]) == len(run["hit_rates"]) == 2
        assert run["test_accuracy"] == run["accuracy"][-1]
        assert run["hit_rate"] == run["hit_rates"][-1]
        assert len(run["clipped"]) == len(run["cosine"]) == 2
        # 16 x 8 + 8 and 8 x 5 + 5 numbers, half uploaded, in two rounds.
        total = run["epsilon_per_parameter"] and 0.5 * 90 * 2
        assert run["epsilon_total"] == total
    assert result["privacy"] is None  # There is no one budget.


def test_each_attack_has_its_rows(result):
    rows = result["reconstruction"]
    for target in CLASSES:
        for seed in SEEDS:
            for name in (*ROWS, "model_inversion"):
                of_cell = [r for r in rows if cell(r) == (name, target, seed)]
                swept = [r["swept"]["epsilon_per_parameter"] for r in of_cell]
                assert swept == [0.5, None]
            for name in ("real", "other_class", "untrained"):
                (row,) = [r for r in rows if cell(r) == (name, target, seed)]
                assert "swept" not in row
    assert len(rows) == len(CLASSES) * len(SEEDS) * (3 * len(BUDGETS) + 3)
    assert set(result["judge_accuracy"]) == {"0", "1"}


def test_its_page_shows_the_trade_off_and_the_classes(folder):
    launched.check_page(folder, {plots.LEAKAGE, plots.CLASSES})
    page = (folder / "report.html").read_text()
    assert "differentially private with the total epsilon" in page


@pytest.mark.parametrize(
    ("argument", "accepted"),
    [
        ("--grid=rounds=1,2", "NAME=VALUE,VALUE"),
        ("--grid=seed=1.5", "numbers, separated by commas"),
        ("--grid=seed=1,1", "each value once"),
        ("--memory=0.0", "finite numbers above 0"),
        ("--memory=nan", "finite numbers above 0"),
        ("--devices=0", "integers of at least 1"),
    ],
)
def test_bad_argument(argument, accepted, refused):
    line = refused(argument, script="sweep")
    assert argument in line and accepted in line
