"""Published files become a data set that `--data=tfds:NAME` loads."""

import pathlib
import resource
import socket

import numpy as np
import pytest

from jaxprivacy import data, errors
from jaxprivacy.data.builders import prepare
from jaxprivacy.data.builders.forms import FORMS
from tests.data import published
from tests.launch import launched

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """A folder with files, and one for data sets that is not there yet; no network."""

    def connect(*arguments):
        raise AssertionError(f"connects to {arguments}")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data" / "sets"))
    (tmp_path / "manual").mkdir()
    return tmp_path / "manual", tmp_path / "data" / "sets"


def run(name, manual, *arguments):
    return launched.run(
        "prepare", f"--dataset={name}", f"--manual_dir={manual}", *arguments
    )


def write(manual, name, x, y):
    return published.archive(
        manual / FORMS[name].archive, published.contents(name, x, y)
    )


@pytest.mark.parametrize("name", FORMS)
def test_prepared_and_loaded(folders, name, capsys, monkeypatch):
    monkeypatch.setattr(prepare, "_REPORT_EVERY", 10)
    manual, sets = folders
    x, y = published.made_up(name)
    write(manual, name, x, y)
    assert run(name, manual) == 0
    out, err = capsys.readouterr()
    assert f"{len(y)} records" in out and out.endswith(f"--data=tfds:{name}\n")
    assert [line.split()[2] for line in err.splitlines()] == ["writing", "done"]
    assert [path.name for path in sets.iterdir()] == [name]
    loaded = data.load(f"tfds:{name}")
    expected = x if x.ndim == 2 else x.astype(np.float32) / 127.5 - 1
    np.testing.assert_allclose(loaded.x, expected, atol=1e-6)  # In the same order.
    np.testing.assert_array_equal(loaded.y, y)
    assert loaded.num_classes == FORMS[name].classes


def test_another_folder(folders, tmp_path, capsys, monkeypatch):
    manual, sets = folders
    write(manual, "location30", *published.made_up("location30"))
    other = tmp_path / "my sets"
    assert run("location30", manual, f"--data_dir={other}") == 0
    assert f"TFDS_DATA_DIR='{other}' --data=tfds:location30" in capsys.readouterr().out
    assert not sets.exists()
    monkeypatch.setenv("TFDS_DATA_DIR", str(other))
    assert data.load("tfds:location30").x.shape == (60, 446)


@pytest.mark.skipif(
    not (SHARED / "location30.npz").exists(), reason="needs shared/data/location30.npz"
)
def test_location30_itself(folders):
    with np.load(SHARED / "location30.npz", allow_pickle=False) as arrays:
        x, y = arrays["x"], arrays["y"].astype(int)
    write(folders[0], "location30", x, y)
    assert run("location30", folders[0]) == 0
    loaded = data.load("tfds:location30")
    np.testing.assert_array_equal(loaded.x, x)
    np.testing.assert_array_equal(loaded.y, y)


def refused(name, manual, capsys, tmp_path, *arguments):
    """The one line with which a command is refused; nothing is left behind."""
    before = sorted(tmp_path.rglob("*"))
    assert run(name, manual, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and len(err.splitlines()) == 1
    assert "accepted" in err
    assert sorted(tmp_path.rglob("*")) == before
    return err


@pytest.mark.parametrize("name", FORMS)
def test_damaged_file(folders, tmp_path, capsys, name):
    x, y = published.made_up(name)
    members = published.contents(name, x, y)
    first = next(iter(members))
    members[first] = members[first][:-2]
    path = published.archive(folders[0] / FORMS[name].archive, members)
    err = refused(name, folders[0], capsys, tmp_path)
    place = ", byte 304326:" if name == "cifar100" else f", line {len(y)}:"
    assert f"{first} of {str(path)!r}{place}" in err


def test_nothing_is_left_of_an_interrupted_run(folders, tmp_path, monkeypatch):
    write(folders[0], "location30", *published.made_up("location30"))
    before = sorted(tmp_path.rglob("*"))

    def interrupt(share):
        if share:
            raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "_REPORT_EVERY", 10)
    with pytest.raises(KeyboardInterrupt):
        prepare.prepare("location30", str(folders[0]), str(folders[1]), interrupt)
    assert sorted(tmp_path.rglob("*")) == before


def test_prepared_already(folders, tmp_path, capsys):
    write(folders[0], "location30", *published.made_up("location30"))
    assert run("location30", folders[0]) == 0
    capsys.readouterr()
    assert "is already in" in refused("location30", folders[0], capsys, tmp_path)


@pytest.mark.parametrize(
    "name, manual, expected",
    [
        ("mnist", "manual", "--dataset=mnist: accepted are purchase100, texas100"),
        ("", "manual", "--dataset=: accepted are"),
        ("texas100", "", "--manual_dir=: no such folder"),
        ("texas100", "nowhere", "dataset_texas.tgz as it was published"),
        ("texas100", "manual", "holds neither dataset_texas.tgz nor texas/100/feats"),
    ],
)
def test_arguments_refused(tmp_path, capsys, name, manual, expected):
    manual = manual and tmp_path / manual
    assert expected in refused(name, manual, capsys, tmp_path)


def test_folder_that_cannot_be_written(folders, tmp_path, capsys):
    write(folders[0], "location30", *published.made_up("location30"))
    file = tmp_path / "file"
    file.write_text("here already")
    option = f"--data_dir={file}"
    err = refused("location30", folders[0], capsys, tmp_path, option)
    assert f"--data_dir={file}: cannot be written" in err


def test_disk_is_full(folders, tmp_path):
    write(folders[0], "location30", *published.made_up("location30"))
    before = sorted(tmp_path.rglob("*"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(errors.InputError) as error:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
            prepare.prepare(
                "location30", str(folders[0]), str(folders[1]), lambda share: None
            )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(error.value).startswith(f"data_dir={folders[1]}: cannot be written")
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_not_prepared_says_how(tmp_path, capsys):
    assert launched.run("audit", "--data=tfds:cifar100", f"--out={tmp_path}") == 2
    err = capsys.readouterr().err
    assert "python -m launch.prepare --dataset=cifar100" in err
    assert "cifar-100-binary.tar.gz" in err


def test_help_names_every_data_set(capsys):
    assert launched.run("prepare", "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    for name, form in FORMS.items():
        assert name in told and form.archive in told
