"""The GAN attack from its flags to its report, on settings that take seconds."""

import re

import numpy as np
import pytest

from jaxprivacy.report import plots
from jaxprivacy.studies.gan_parts import COMPARED
from tests.launch import contract, launched

TINY = (
    "--model=mlp",
    "--mlp_widths=8",
    "--rounds=3",
    "--batch_size=8",
    "--generator_steps=1",
    "--generator_batch=4",
    "--injected=4",
    "--dcgan_steps=2",
)
# What is shown of runs of one class, and of one setting.
FIGURES = {plots.TRAINING, plots.COURSES, plots.SAMPLES, plots.ROUNDS}
IMAGES = np.random.default_rng(5).integers(0, 256, (120, 4, 4), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with launched.compiled_fast():
        yield tmp_path_factory.mktemp("gan_attack")


@pytest.fixture(scope="module")
def attack(folder):
    """Runs an attack, checks that it succeeds and what it leaves, and returns it."""
    # The name of the file is a string that is no HTML.
    file = folder / "<b>&images.npz"
    np.savez(file, x=IMAGES, y=np.arange(120) % 4)

    def run(name, *arguments):
        before = set(folder.iterdir())
        with launched.small_attacks():
            status = launched.run(
                "gan_attack",
                f"--data=npz:{file}",
                f"--out={folder / name}",
                f"--compilation_cache={folder / 'cache'}",
                *TINY,
                *arguments,
            )
        assert status == 0
        # No checkpoint is left.
        assert set(folder.iterdir()) - before <= {folder / name, folder / "cache"}
        launched.check_page(folder / name, FIGURES)
        return contract.check((folder / name / "result.json").read_text())

    return run


def names(rows):
    return [row["attack"] for row in rows]


def page(folder, name):
    return (folder / name / "report.html").read_text()


@pytest.fixture(scope="module")
def everything(attack):
    return attack("everything", "--target_class=2", "--seed=7")


def test_all_rows_and_courses(everything):
    assert set(names(everything["reconstruction"])) == contract.ROWS
    assert names(everything["courses"]) == ["gan", "gan_no_influence", "gan_improved"]
    assert {row["target_class"] for row in everything["reconstruction"]} == {2}
    assert all(len(row["rounds"]) == 3 for row in everything["courses"])
    assert {row["start_round"] for row in everything["courses"]} == {1}
    assert everything["membership"] == [] and everything["privacy"] is None
    assert everything["seed"] == 7 and "--seed=7" in everything["command"]
    assert 0 <= everything["judge_accuracy"] <= 1
    accuracies = {row["attack"]: row["accuracy"][-1] for row in everything["courses"]}
    assert everything["target"]["test_accuracy"] == accuracies["gan"]
    runs = {run["row"]: run for run in everything["runs"]}
    assert {name: run["test_accuracy"] for name, run in runs.items()} == accuracies
    assert all(run["class_accuracy"] >= run["test_accuracy"] for run in runs.values())
    assert {run["target_class"] for run in runs.values()} == {2}


def test_strings_are_escaped(everything, folder):
    found = page(folder, "everything")
    assert "&lt;b&gt;&amp;images.npz" in found
    assert "<b>&images" not in found


def test_same_seed_same_numbers(attack, everything):
    """Also where less is compared: what is left is the same."""
    arguments = "--target_class=2", "--seed=7", "--compare=gan_no_influence"
    again = attack("again", *arguments)
    rows = {row["attack"]: row for row in everything["reconstruction"]}
    kept = ["real", "untrained", "gan", "gan_no_influence", "other_class"]
    assert again["reconstruction"] == [rows[name] for name in kept]
    assert again["courses"] == everything["courses"][:2]
    assert again["target"] == everything["target"]


@pytest.mark.slow
def test_private_uploads_and_an_attack_that_never_begins(attack, folder):
    result = attack(
        "private",
        "--epsilon_per_parameter=0.5",
        "--start_accuracy=1",
        "--upload_fraction=0.1",
        "--download_fraction=0.5",
        "--order=asynchronous",
        "--participants=3",
        "--compare=",
    )
    assert names(result["reconstruction"]) == [
        "real",
        "untrained",
        "gan",
        "other_class",
    ]
    assert names(result["courses"]) == ["gan"]
    # 16 x 8 + 8, then 8 x 5 + 5 with the artificial class.
    assert result["privacy"] == {
        "epsilon_per_parameter": 0.5,
        "parameters": 181,
        "uploaded": 18,
        "epsilon_per_upload": 9.0,
        "uploads": 3,
        "epsilon_total": 27.0,
        "clip_first": True,
    }
    assert "differentially private" in page(folder, "private")
    (course,) = result["courses"]
    for name, least in (("clipped", 0), ("cosine", -1)):
        assert len(course[name]) == 3 and least <= min(course[name]) <= 1
    assert re.search(r"\b27\b", page(folder, "private"))
    assert "The attack never began" in page(folder, "private")


def test_an_adversary_without_data_or_influence(attack, folder):
    result = attack(
        "nothing",
        "--noadversary_data",
        "--noinfluence",
        "--participants=3",
        "--start_round=1",
        "--generator_optimizer=adam",
        "--upload_rule=random",
        "--threshold=0",
        "--gradient_bound=0.01",
        "--compare=model_inversion,model_inversion_mlp",
    )
    assert names(result["reconstruction"]) == [
        "real",
        "untrained",
        "model_inversion",
        "model_inversion_mlp",
        "gan_no_influence",
        "other_class",
    ]
    assert names(result["courses"]) == ["gan_no_influence"]
    assert [row["start_round"] for row in result["courses"]] == [2]
    # Its model and the mlp's are trained in the same way, and nobody disturbed either.
    inverted = [row for row in result["reconstruction"] if "inversion" in row["attack"]]
    assert inverted[0] | {"attack": None} == inverted[1] | {"attack": None}


# Arguments, and what the message must name: the flag, the value, what is accepted.
ARGUMENTS = [
    ("--model=resnet", "--model=resnet", "mlp, cnn"),
    ("--order=parallel", "--order=parallel", "round_robin, random, asynchronous"),
    ("--order=", "--order=", "round_robin, random"),
    ("--upload_rule=all", "--upload_rule=all", "largest, random"),
    ("--generator_optimizer=rmsprop", "--generator_optimizer=rmsprop", "sgd, adam"),
    ("--compare=gan", "--compare=gan", ", ".join(COMPARED)),
    ("--compare=dcgan,,", "--compare=", ", ".join(COMPARED)),
    ("--influence=maybe", "--influence=maybe", "true or false"),
    ("--clip_first=2", "--clip_first=2", "true or false"),
    ("--noadversary_data=1", "noadversary_data", "--help"),
    ("--partition=iid", "'partition'", "--help"),
    ("--upload_fraction=all", "--upload_fraction=all", "number"),
    ("--data=mnist", "--data='mnist'", "digits, att_faces, tfds:NAME, npz:PATH"),
    ("--target_class=10", "--target_class=10", "0 to 9"),
    ("--target_class=-1", "--target_class=-1", "at least 0"),
    ("--seed=4294967296", "--seed=4294967296", "0 to 4294967295"),
    ("--records=1798", "--records=1798", "at most 1797"),
    ("--participants=1", "--participants=1", "at least 2"),
    ("--participants=1500", "--participants=1500", "fewer participants"),
    ("--held_fraction=0.9999", "--target_class=0", "at least 1 and 2"),
    ("--momentum=1", "--momentum=1.0", "[0, 1)"),
    ("--mlp_widths=8,,8", "--mlp_widths=8,,8", "separated by commas"),
    *[
        (f"--{name}={value}", f"--{name}={value}", f"integers of at least {least}")
        for least, some in (
            (1, ("rounds", "local_epochs", "batch_size", "dcgan_steps", "records")),
            (1, ("generator_steps",)),
            (2, ("generator_batch", "injected")),
            (0, ("start_round",)),
        )
        for name in some
        for value in (least - 1, -3)
    ],
    *[
        (f"--{name}={value}", f"--{name}={value}", "fractions in (0, 1]")
        for name in ("upload_fraction", "download_fraction")
        for value in ("0.0", "-0.1", "1.5", "nan", "inf")
    ],
    *[
        (f"--held_fraction={value}", f"--held_fraction={value}", "between 0 and 1")
        for value in ("0.0", "1.0", "-0.1", "nan")
    ],
    *[
        (f"--{name}={value}", f"--{name}={value}", "finite numbers above 0")
        for name in ("learning_rate", "generator_learning_rate", "gradient_bound")
        for value in ("0.0", "-0.1", "nan", "inf")
    ],
    *[
        (f"--{name}={value}", f"--{name}={value}", "finite numbers of at least 0")
        for name in ("learning_rate_decay", "threshold", "mode_seeking")
        for value in ("-0.1", "nan", "inf")
    ],
    *[
        (
            f"--epsilon_per_parameter={value}",
            f"--epsilon_per_parameter={value}",
            "numbers above 0 and inf",
        )
        for value in ("0.0", "-1.0", "nan", "-inf")
    ],
    *[
        (f"--start_accuracy={value}", f"--start_accuracy={value}", "[0, 1]")
        for value in ("-0.1", "1.5", "nan")
    ],
]


@pytest.mark.parametrize(("argument", "named", "accepted"), ARGUMENTS, ids=ascii)
def test_bad_argument(argument, named, accepted, refused):
    line = refused(argument, script="gan_attack")
    assert named in line and accepted in line


def test_accuracy_cannot_be_waited_for_without_data(refused):
    line = refused("--start_accuracy=0.5", "--noadversary_data", script="gan_attack")
    assert "--start_accuracy=0.5" in line and "accepted is 0" in line


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (IMAGES[:, 0] / 255, "accepted are images"),
        (IMAGES[:, :3], "smaller than 4 x 4"),
    ],
)
def test_data_that_is_no_image(x, said, tmp_path, refused):
    np.savez(tmp_path / "other.npz", x=x, y=np.arange(120) % 4)
    line = refused("--data=npz:other.npz", script="gan_attack")
    assert "--data=npz:other.npz" in line and said in line


def test_rates_at_which_training_diverges(tmp_path, monkeypatch, folder, capsys):
    np.savez(tmp_path / "images.npz", x=IMAGES, y=np.arange(120) % 4)
    monkeypatch.chdir(tmp_path)
    status = launched.run(
        "gan_attack",
        "--data=npz:images.npz",
        "--out=out",
        f"--compilation_cache={folder / 'cache'}",
        *TINY,
        "--rounds=1",
        "--learning_rate=1e38",
        "--compare=",
    )
    assert status == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: --learning_rate=1e+38, --generator_learning_rate=")
    assert "diverges; accepted are" in line
    assert [path.name for path in tmp_path.iterdir()] == ["images.npz"]
