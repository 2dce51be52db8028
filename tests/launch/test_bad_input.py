"""What a user gets wrong ends in one line, exit status 2 and no folder."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.launch import launched

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(400, 3)).astype(np.float32)
IMAGES = RNG.integers(0, 256, (400, 8, 8), np.uint8)
LABELS = np.arange(400) % 4

# What is in the file, and what the message must say of it.
FILES = {
    "no_y": ({"x": TABLE}, "x, y, or x_train"),
    "no_array": ({"z": TABLE}, "'z'"),
    "half_split": ({"x_train": TABLE, "y_train": LABELS, "x_test": TABLE}, "y_test"),
    "one_dimension": ({"x": TABLE[:, 0], "y": LABELS}, "(400,)"),
    "empty": ({"x": TABLE[:0], "y": LABELS[:0]}, "(0, 3)"),
    "other_lengths": ({"x": TABLE[1:], "y": LABELS}, "399"),
    "negative": ({"x": TABLE, "y": LABELS - 1}, "-1"),
    "train_alone": ({"x_train": TABLE, "y_train": LABELS}, "savez(path, x=x_train"),
    "floats": ({"x": TABLE, "y": LABELS / 2}, "holds 0.5 at record 1"),
    "words": ({"x": TABLE, "y": LABELS.astype(str)}, "numpy.unique"),
    "one_hot": ({"x": TABLE, "y": np.eye(4)[LABELS]}, "y.argmax(axis=1)"),
    "from_one": ({"x": TABLE, "y": LABELS + 1}, "subtract 1"),
    "gap": ({"x": TABLE, "y": LABELS * 2}, "no 1"),
    "one_class": ({"x": TABLE, "y": LABELS * 0}, "one class"),
    "float_images": ({"x": IMAGES / 255, "y": LABELS}, "x * 255"),
    "deep_images": (
        {"x": IMAGES.astype(int) * 200, "y": LABELS},
        "scale them to 0 to 255",
    ),
    "no_pixels": ({"x": IMAGES[:, :0], "y": LABELS}, "(400, 0, 8)"),
    "nan_images": ({"x": IMAGES * np.float32("nan"), "y": LABELS}, "NaN"),
    "nan_table": ({"x": np.where(TABLE > 2, np.nan, TABLE), "y": LABELS}, "nan"),
    "infinite": ({"x": np.where(TABLE > 2, np.inf, TABLE), "y": LABELS}, "inf"),
    "word_table": ({"x": TABLE.astype(str), "y": LABELS}, "finite numbers"),
    "too_few": ({"x": TABLE[:20], "y": LABELS[:20]}, "attackable members"),
}

# Arguments, and what the message must name: the flag, the value, what is accepted.
ARGUMENTS = [
    ("--model=resnet", "--model=resnet", "mlp, cnn, alexnet"),
    ("--references=8", "--references=8", "--setting=standalone only"),
    ("--attacks=lira_online", "--attacks=lira_online", "fedmia_loss"),
    ("--round_decay=0", "--round_decay=0", "(0, 1]"),
    ("--model=alexnet", "model=alexnet", "29 to 60"),
    ("--checkpoint=kept", "--checkpoint=kept", "--setting=standalone only"),
    ("--setting=central", "--setting=central", "federated, standalone"),
    ("--model=", "--model=", "mlp, cnn"),
    ("--partition=random", "--partition=random", "iid, by_class, dirichlet"),
    ("--preset=table-1", "--preset=table-1", "table-xiv"),
    ("--data=mnist", "--data='mnist'", "digits, att_faces, tfds:NAME, npz:PATH"),
    ("--data=", "--data=''", "digits"),
    ("--data=npz:", "--data='npz:'", ".npz file"),
    ("--rouns=4", "'rouns'", "rounds"),
    ("-x", "'x'", "--help"),
    ("--rounds=many", "--rounds=many", "integer"),
    ("--rounds=1.5", "--rounds=1.5", "integer"),
    ("--rounds=", "--rounds=", "integer"),
    ("--rounds", "rounds", "--help"),
    ("--learning_rate=fast", "--learning_rate=fast", "number"),
    ("--overwrite=maybe", "--overwrite=maybe", "true or false"),
    ("--flagfile=/no/such", "/no/such", "--help"),
    ("digits", "digits", "--name=value"),
    ("--out=\udcff", r"--out=\udcff", "UTF-8"),
    *[
        (f"--{name}={value}", f"--{name}={value}", "integers of at least 1")
        for name in (
            "rounds",
            "participants",
            "batch_size",
            "local_epochs",
            "observed_rounds",
            "gradient_kernels",
            "gan_rounds",
            "generator_steps",
            "records",
            "members_per_participant",
        )
        for value in (0, -3)
    ],
    *[
        (f"--{name}={value}", f"--{name}={value}", "integers of at least 2")
        for name in ("injected", "generator_batch")
        for value in (0, 1)
    ],
    *[
        (f"--{name}={value}", f"--{name}={value}", "finite numbers above 0")
        for name in (
            "learning_rate",
            "generator_learning_rate",
            "ascent_rate",
            "dirichlet_alpha",
        )
        for value in ("0.0", "-0.1", "nan", "inf", "-inf")
    ],
    *[
        (f"--{name}={value}", f"--{name}={value}", "fractions")
        for name in ("attack_train_fraction", "selection_fraction")
        for value in ("0.0", "-0.1", "1.0", "1.5", "nan")
    ],
    ("--attack_train_fraction=0.85", "--attack_train_fraction=0.85", "below 1"),
    ("--selection_fraction=0.01", "--selection_fraction=0.01", "at least 4"),
    ("--observed_rounds=41", "--observed_rounds=41", "--rounds=40"),
    ("--momentum=1", "--momentum=1.0", "[0, 1)"),
    ("--momentum=-0.1", "--momentum=-0.1", "[0, 1)"),
    ("--momentum=nan", "--momentum=nan", "[0, 1)"),
    ("--seed=-1", "--seed=-1", "accepted are 0 to 4294967295"),
    ("--seed=4294967296", "--seed=4294967296", "0 to 4294967295"),
    ("--victim=-1", "--victim=-1", "at least 0"),
    ("--victim=4", "--victim=4", "0 to 3"),
    ("--target_class=-1", "--target_class=-1", "at least 0"),
    ("--target_class=10", "--target_class=10", "0 to 9"),
    ("--influence", "influence", "--help"),  # It is another script's.
    ("--records=19", "--records=19", "at least 20"),
    ("--records=1798", "--records=1798", "at most 1797"),
    ("--participants=1794", "--participants=1794", "at most 1793"),
    ("--members_per_participant=450", "--members_per_participant=450", "1797"),
    ("--mlp_widths=", "--mlp_widths=", "separated by commas"),
    ("--mlp_widths=8,wide", "--mlp_widths=8,wide", "separated by commas"),
    ("--mlp_widths=8,,8", "--mlp_widths=8,,8", "separated by commas"),
    ("--mlp_widths=8,-8", "--mlp_widths=8,-8", "separated by commas"),
    ("--mlp_widths=8,0", "--mlp_widths=0", "at least 1"),
    ("--mlp_widths=8.5", "--mlp_widths=8.5", "separated by commas"),
]


@pytest.mark.parametrize(("argument", "named", "accepted"), ARGUMENTS, ids=ascii)
def test_bad_argument(argument, named, accepted, refused):
    line = refused(argument)
    assert named in line and accepted in line


@pytest.mark.parametrize("name", FILES)
def test_bad_file(name, tmp_path, refused):
    arrays, said = FILES[name]
    np.savez(tmp_path / f"{name}.npz", **arrays)
    line = refused(f"--data=npz:{name}.npz")
    assert "accepted" in line and said in line
    if name != "too_few":  # That one is about the flags.
        assert f"{name}.npz" in line


def test_no_such_file(refused):
    line = refused("--data=npz:missing.npz")
    assert "missing.npz" in line and "no such file" in line


def test_directory_for_a_file(tmp_path, refused):
    (tmp_path / "folder.npz").mkdir()
    line = refused("--data=npz:folder.npz")
    assert "folder.npz" in line and "directory" in line


def test_text_for_an_archive(tmp_path, refused):
    (tmp_path / "table.npz").write_text("1,2,3\n")
    line = refused("--data=npz:table.npz")
    assert "table.npz" in line and "no .npz file" in line


def test_pickled_arrays_are_not_loaded(tmp_path, refused):
    np.savez(tmp_path / "objects.npz", x=TABLE.astype(object), y=LABELS)
    line = refused("--data=npz:objects.npz")
    assert "objects.npz" in line and "without Python objects" in line


def test_cnn_for_a_table(tmp_path, refused):
    np.savez(tmp_path / "table.npz", x=TABLE, y=LABELS)
    line = refused("--data=npz:table.npz", "--model=cnn")
    assert "--model=cnn" in line and "accepted is mlp" in line


def test_nobody_to_compare_with(refused):
    line = refused("--attacks=mean_cosine,fedmia_loss", "--participants=2")
    assert "--participants=2" in line and "at least 3" in line


def test_images_too_small_to_reconstruct(tmp_path, refused):
    np.savez(tmp_path / "dots.npz", x=IMAGES[:, :3], y=LABELS)
    line = refused("--data=npz:dots.npz", "--participants=2")
    assert "3 x 8" in line and "4 x 4" in line


def test_fractions_that_leave_nothing_for_evaluation(refused):
    line = refused("--attack_train_fraction=0.5", "--selection_fraction=0.5")
    assert "0.5" in line and "sum below 1" in line


def test_unprepared_tfds_data_set(tmp_path, refused, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    line = refused("--data=tfds:mnist")
    assert "tfds:mnist" in line and "prepare" in line


def test_output_below_a_file(tmp_path, refused):
    (tmp_path / "file").write_text("")
    line = refused("--out=file/report")
    assert "--out=file/report" in line and "not a folder" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_output_that_may_not_be_written(tmp_path, refused):
    (tmp_path / "locked").mkdir(mode=0o500)
    line = refused("--out=locked/report")
    assert "--out=locked/report" in line and "cannot be written" in line


def test_report_is_not_replaced_unasked(tmp_path, refused):
    report = tmp_path / "old" / "result.json"
    report.parent.mkdir()
    report.write_text("kept")
    line = refused("--out=old")
    assert "--out=old" in line and "--overwrite" in line
    assert report.read_text() == "kept"


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--learning_rate=nan", "finite numbers above 0"),
        ("--data=npz:a b.npz", "no such file"),
    ],
)
def test_in_a_process_of_its_own(argument, said, tmp_path):
    command = [sys.executable, "-m", "launch.audit", f"--out={tmp_path / 'out'}"]
    done = subprocess.run(  # noqa: S603
        [*command, argument], capture_output=True, text=True, cwd=launched.ROOT
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1 and said in done.stderr
    assert not (tmp_path / "out").exists()
