"""The audit from its flags to its report, on settings that take seconds."""

import dataclasses
import re

import numpy as np
import pytest

from jaxprivacy.evaluation.membership import null_holds
from jaxprivacy.report import plots
from jaxprivacy.studies import server_attacks
from jaxprivacy.studies.settings import Settings
from tests.launch import contract, launched

FIGURES = (*plots.NAMES, plots.ROWS)
RULES = ("loss_threshold", "confidence", "gradient_norm")
MEMBERSHIP = [
    ("white_box", "passive"),
    ("black_box", "passive"),
    *((rule, "passive") for rule in RULES),
    ("white_box", "gradient_ascent"),
    *((rule, "gradient_ascent") for rule in RULES),
]
RECONSTRUCTION = {
    "real",
    "other_class",
    "untrained",
    "model_inversion",
    "gan",
    "gan_no_influence",
}
TINY = (
    "--rounds=4",
    "--observed_rounds=2",
    "--participants=2",
    "--local_epochs=1",
    "--gan_rounds=2",
    "--generator_steps=1",
    "--gradient_kernels=2",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with launched.compiled_fast():
        yield tmp_path_factory.mktemp("audit")


def audit(folder, name, *arguments):
    """Runs one audit, checks that it succeeds and what it leaves, and returns it."""
    before = set(folder.iterdir())
    status = launched.run(
        "audit",
        f"--out={folder / name}",
        f"--compilation_cache={folder / 'cache'}",
        *arguments,
    )
    assert status == 0
    assert set(folder.iterdir()) - before <= {folder / name, folder / "cache"}
    return contract.check((folder / name / "result.json").read_text())


def files(folder):
    return {path.name for path in folder.iterdir()}


def without_time(result):
    return {k: v for k, v in result.items() if k not in ("seconds", "command")}


def test_digits_with_the_convolutional_network(folder):
    with launched.small_attacks():
        result = audit(folder, "digits", *TINY, "--records=200", "--target_class=3")
    rows = [(row["attack"], row["mode"]) for row in result["membership"]]
    assert rows == MEMBERSHIP
    assert [(r["attack"], r["mode"]) for r in result["null_checks"]] == MEMBERSHIP
    assert {row["attack"] for row in result["reconstruction"]} == RECONSTRUCTION
    assert {row["target_class"] for row in result["reconstruction"]} == {3}
    # What the verdict goes by where no attack works.
    assert [run["row"] for run in result["runs"]] == ["gan", "gan_no_influence"]
    assert all(0 <= run["class_accuracy"] <= 1 for run in result["runs"])
    assert 0 <= result["judge_accuracy"] <= 1
    launched.check_page(folder / "digits", FIGURES)


@pytest.fixture(scope="module")
def random_table(folder):
    """The audit of an mlp that has learnt 150 random labels by heart."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(600, 24)), np.arange(600) % 4
    np.savez(folder / "table.npz", x=x, y=y)
    arguments = (
        f"--data=npz:{folder / 'table.npz'}",
        "--model=mlp",
        "--mlp_widths=64",
        "--participants=1",
        "--members_per_participant=150",
        "--rounds=20",
        "--observed_rounds=2",
        "--local_epochs=5",
        "--gradient_kernels=4",
    )
    with launched.quick_attacks():
        return audit(folder, "table", *arguments)


def test_table_has_no_reconstruction(random_table, folder):
    assert random_table["reconstruction"] == []
    rows = [(row["attack"], row["mode"]) for row in random_table["membership"]]
    assert rows == MEMBERSHIP
    figures = (plots.ROC, plots.NORMS, plots.TRAINING, plots.ROWS)
    launched.check_page(folder / "table", figures)
    page = (folder / "table" / "report.html").read_text()
    assert "Reconstruction was not run" in page


def test_memorised_labels_are_found(random_table):
    # Nothing about the labels can be learnt: what is right on them was memorised.
    assert random_table["target"]["train_accuracy"] > 0.9
    assert random_table["target"]["test_accuracy"] < 0.4
    for row in random_table["membership"]:
        if row["mode"] == "passive":
            assert row["auc"]["low"] > 0.6, row
    assert random_table["verdict"]["level"] in ("clear", "severe")


def test_null_checks_cover_chance(random_table):
    assert len(random_table["null_checks"]) == len(MEMBERSHIP)
    assert all(null_holds(row) for row in random_table["null_checks"])


@pytest.fixture(scope="module")
def server(folder):
    """What a server that keeps every upload makes of four participants by heart."""
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(900, 60)), np.arange(900) % 3
    np.savez(folder / "four.npz", x=x, y=y)
    return audit(
        folder,
        "server",
        f"--data=npz:{folder / 'four.npz'}",
        "--mlp_widths=32",
        "--participants=4",
        "--members_per_participant=100",
        "--others_non_members",
        "--rounds=8",
        "--round_decay=0.9",
        "--momentum=0.9",
        "--observed_rounds=4",
        "--local_epochs=4",
        f"--attacks=loss_threshold,{','.join(server_attacks.NAMES)}",
    )


def test_a_server_that_keeps_every_upload(server, folder):
    named = ["loss_threshold", *server_attacks.NAMES]
    rows, checks = server["membership"], server["null_checks"]
    assert [row["attack"] for row in rows] == named
    assert {(row["mode"], row["trained"]) for row in rows} == {("passive", None)}
    # Of three others and of nobody; of nobody alone.
    assert all(row["non_members"] > 3 * row["members"] for row in rows)
    assert all(row["non_members"] == row["members"] for row in checks)
    kinds = [(row["attack"], row.get("target")) for row in checks]
    stand_ins = [(name, "stand-in") for name in server_attacks.COMPARE]
    assert kinds == [*((name, None) for name in named), *stand_ins]
    assert all(map(null_holds, checks))
    by_name = {row["attack"]: row["auc"] for row in rows}
    for name in ("fedmia_loss", "fedmia_gradient"):
        assert by_name[name]["low"] > 0.6, name
    said = " ".join(server["verdict"]["sentences"])
    assert "a participant that holds none of the members" in said
    assert server["reconstruction"] == []
    assert "another in its place" in (folder / "server" / "report.html").read_text()


def test_where_nothing_could_be_found_it_cannot_be_told(folder):
    """20 records, 20 times each, on a model that is hardly trained."""
    x = np.random.default_rng(5).normal(size=(20, 6))
    np.savez(folder / "copies.npz", x=np.tile(x, (20, 1)), y=np.arange(400) % 4)
    with launched.small_attacks():
        data = f"--data=npz:{folder / 'copies.npz'}"
        result = audit(
            folder,
            "copies",
            data,
            "--rounds=1",
            "--observed_rounds=1",
            "--attacks=loss_threshold",
        )
    (facts,) = result["evidence"]
    assert facts["copies"] == facts["attacked_non_members"] > 0
    assert result["verdict"]["level"] == "cannot_tell"
    assert "exact copies" in result["verdict"]["sentences"][0]


@pytest.fixture(scope="module")
def colour(folder):
    """How to audit colour images; dealt by class, each seed's split has one shape."""
    rng = np.random.default_rng(4)
    x = rng.integers(0, 256, (240, 6, 9, 3), np.uint8)
    np.savez(folder / "colour.npz", x=x, y=np.arange(240) % 2)

    def run(name, *arguments):
        file = folder / "colour.npz"
        with launched.small_attacks():
            return audit(
                folder,
                name,
                f"--data=npz:{file}",
                "--model=mlp",
                "--mlp_widths=8",
                "--partition=by_class",
                "--selection_fraction=0.2",
                *TINY,
                *arguments,
            )

    return run


@pytest.fixture(scope="module")
def colour_result(colour):
    return colour("colour", "--seed=5")


def test_colour_images_with_an_mlp(colour_result, folder):
    rows = [(row["attack"], row["mode"]) for row in colour_result["membership"]]
    assert rows == MEMBERSHIP
    assert {r["attack"] for r in colour_result["reconstruction"]} == RECONSTRUCTION
    assert colour_result["seed"] == 5
    assert "--seed=5" in colour_result["command"]
    launched.check_page(folder / "colour", FIGURES)


@pytest.mark.slow
def test_same_seed_same_numbers(colour, colour_result):
    again = colour("again", "--seed=5")
    assert without_time(again) == without_time(colour_result)


def test_overwritten_by_another_seed(folder):
    """Of an audit that runs a rule alone."""
    rng = np.random.default_rng(8)
    np.savez(folder / "two.npz", x=rng.normal(size=(200, 6)), y=np.arange(200) % 2)
    arguments = (
        f"--data=npz:{folder / 'two.npz'}",
        "--rounds=2",
        "--observed_rounds=2",
        "--attacks=loss_threshold",
    )
    first = audit(folder, "one", *arguments, "--seed=5")
    kept = files(folder / "one")
    other = audit(folder, "one", *arguments, "--seed=6", "--overwrite")
    assert files(folder / "one") == kept
    assert (first["seed"], other["seed"]) == (5, 6)
    assert other["membership"] != first["membership"]


def test_help_tells_of_every_flag():
    told = launched.help_of("audit")
    names = [field.name for field in dataclasses.fields(Settings)]
    for name in [*names, "out", "overwrite", "compilation_cache"]:
        assert re.search(rf"^  --(\[no\])?{name}: \w", told, re.MULTILINE), name
