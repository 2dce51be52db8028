"""The GAN attack under defenses, from the flags to the report."""

import pytest

from jaxprivacy.report import plots
from tests.launch import contract, launched

SMALL = (
    "--attacks=gan",
    "--records=400",
    "--held_fraction=0.5",
    "--target_class=3",
    "--rounds=2",
    "--model=mlp",
    "--mlp_widths=8",
    "--generator_steps=1",
    "--generator_batch=4",
    "--injected=4",
)
DEFENSES = ("none", "participant_dp:8", "top_k:1")


pytestmark = pytest.mark.usefixtures("one_device")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with launched.compiled_fast(), launched.small_attacks():
        yield tmp_path_factory.mktemp("tradeoff_gan")


def run(folder, name, *arguments):
    kept = f"--checkpoint={folder / 'kept'}", f"--compilation_cache={folder / 'cache'}"
    out = f"--out={folder / name}"
    assert launched.run("tradeoff", out, *kept, *SMALL, *arguments) == 0
    return contract.check((folder / name / "result.json").read_text())


@pytest.fixture(scope="module")
def result(folder):
    return run(folder, "two", f"--defenses={','.join(DEFENSES)}", "--seeds=2")


def row_of(result, defense, strength=None):
    (row,) = (
        row
        for row in result["tradeoff"]
        if (row["defense"], row["strength"]) == (defense, strength)
    )
    return row


def test_each_defense_has_a_row(result, folder):
    names = [text.partition(":")[0] for text in DEFENSES]
    assert [row["defense"] for row in result["tradeoff"]] == names
    for row in result["tradeoff"]:
        assert row["hit_rate"]["rows"] == row["class_accuracy"]["rows"] == 2
        assert 0 <= row["works"] <= 2 and 0 <= row["too_poor"] <= 2
        assert (row["epsilon"] is not None) == (row["strength"] == 8)
    assert 7.5 < row_of(result, "participant_dp", 8)["epsilon"] <= 8
    launched.check_page(folder / "two", (plots.TRADEOFF, plots.CLASSES))
    page = (folder / "two" / "report.html").read_text()
    assert "Nearest private" not in page  # no mean over all defenses


def test_what_no_defense_changes_stands_there_once(result):
    kinds = [
        (row["attack"], row["seed"], str(row.get("swept")))
        for row in result["reconstruction"]
    ]
    assert len(set(kinds)) == len(kinds)
    names = [row["attack"] for row in result["reconstruction"]]
    assert names.count("untrained") == names.count("real") == 2  # seeds
    assert names.count("gan") == 2 * len(DEFENSES)


def test_an_idle_defense_is_no_defense(result):
    """All numbers sent, with nothing held back: the attack's samples are the same."""
    plain, idle = row_of(result, "none"), row_of(result, "top_k", 1)
    for name in ("hit_rate", "frechet", "class_accuracy"):
        assert plain[name] == pytest.approx(idle[name])


def test_under_noise_the_model_is_another(result):
    plain, noised = row_of(result, "none"), row_of(result, "participant_dp", 8)
    assert noised["train_accuracy"]["value"] < plain["train_accuracy"]["value"]
    assert noised["frechet"] != plain["frechet"]


def test_kept_runs_serve_another_selection_of_defenses(result, folder):
    again = run(folder, "again", "--defenses=participant_dp:8", "--seeds=2")
    first, second = (row_of(r, "participant_dp", 8) for r in (result, again))
    for name in ("hit_rate", "frechet", "class_accuracy", "epsilon"):
        assert first[name] == second[name]
