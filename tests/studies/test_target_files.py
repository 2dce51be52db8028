"""Targets come back as they were saved; every other folder is refused by name."""

import errno
import json
import pathlib
import shutil
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import logging

from jaxprivacy import errors
from jaxprivacy.programs import checkpoint
from jaxprivacy.studies import target_files
from tests import arrays

DESCRIPTION = {"model": "resnet", "depth": 8, "input_shape": (8, 8, 3), "widths": ()}
PARAMS = {
    "params": {"conv": {"kernel": arrays.normal(0, 3, 3, 1, 2)}},
    "batch_stats": {"bn": {"var": jnp.float32([1e-45, 2.0])}},
}
SHAPES = jax.eval_shape(lambda: PARAMS)


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "new" / "target")


@pytest.fixture
def saved(folder):
    target_files.save(folder, PARAMS, DESCRIPTION)
    return folder


def refused(folder, said, shapes=SHAPES, **other):
    with pytest.raises(errors.InputError) as caught:
        target_files.load(folder, shapes, {**DESCRIPTION, **other})
    message = str(caught.value)
    assert message.startswith(f"import_target={folder}: ")
    assert said in message and "accepted is" in message
    assert "\n" not in message


def test_what_is_saved_is_loaded_to_the_bit(saved):
    found = target_files.load(saved, SHAPES, DESCRIPTION)
    assert jax.tree.structure(found) == jax.tree.structure(PARAMS)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(PARAMS), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    names = {path.name for path in pathlib.Path(saved).iterdir()}
    assert names == {"target.json", "weights"}
    description = json.loads((pathlib.Path(saved) / "target.json").read_text())
    assert description == {**DESCRIPTION, "input_shape": [8, 8, 3], "widths": []}
    assert [path.name for path in pathlib.Path(saved).parent.iterdir()] == ["target"]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"depth": 14}, "of another depth 8 (asked for: 14);"),
        ({"input_shape": [9, 8, 3]}, "input_shape [8, 8, 3] (asked for: [9, 8, 3])"),
        (
            {"model": "densenet", "block": "basic"},
            "model resnet (asked for: densenet), block None (asked for: basic)",
        ),
    ],
)
def test_another_description_is_refused_by_name(other, said, saved):
    refused(saved, said, **other)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: (path / "target.json").unlink(), "no readable target.json"),
        (lambda path: (path / "target.json").write_text("{"), "no readable target.jso"),
        (lambda path: (path / "target.json").write_text("[]"), "no readable target.js"),
        (lambda path: shutil.rmtree(path / "weights"), "holds no weights"),
        (lambda path: shutil.rmtree(path), "no readable target.json"),
    ],
)
def test_what_is_no_target_is_refused(change, said, saved):
    change(pathlib.Path(saved))
    refused(saved, said)


def test_damaged_weights_are_refused(saved):
    for path in (pathlib.Path(saved) / "weights").rglob("*"):
        if path.is_file() and "manifest" in path.name:
            path.write_bytes(b"damaged")
    refused(saved, "weights cannot be read")


@pytest.mark.parametrize("shape", [(3, 3, 1, 1), (3, 3, 1, 4)])
def test_other_shapes_are_refused(shape, saved):
    kernel = jax.ShapeDtypeStruct(shape, jnp.float32)
    refused(saved, "weights", {**SHAPES, "params": {"conv": {"kernel": kernel}}})


def test_a_folder_in_use_is_refused_and_left_alone(saved, tmp_path):
    (tmp_path / "file").write_text("text")
    for place in (saved, str(tmp_path / "file"), str(tmp_path)):
        for attempt in (
            lambda place=place: target_files.check_free(place),
            lambda place=place: target_files.save(place, PARAMS, {}),
        ):
            with pytest.raises(errors.InputError, match="export_target=.* already"):
                attempt()
    target_files.load(saved, SHAPES, DESCRIPTION)
    assert (tmp_path / "file").read_text() == "text"


def test_an_empty_folder_is_taken(tmp_path):
    target_files.save(str(tmp_path), PARAMS, DESCRIPTION)
    target_files.load(str(tmp_path), SHAPES, DESCRIPTION)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("text")
    folder = str(tmp_path / "file" / "target")
    with pytest.raises(errors.InputError, match="export_target=.* cannot be written"):
        target_files.save(folder, PARAMS, DESCRIPTION)


@pytest.mark.parametrize("name", ["missing/../target", "sub/..", "link/../target"])
def test_paths_with_two_dots(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "sub/..":
        name = "missing/sub/.."
    if name.startswith("link"):
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    target_files.check_free(name)
    target_files.save(name, PARAMS, DESCRIPTION)
    target_files.load(name, SHAPES, DESCRIPTION)
    found = {"missing/../target": "target", "missing/sub/..": "missing"}
    assert (tmp_path / found.get(name, "a/target") / "target.json").exists()


@pytest.mark.parametrize("where", ["weights", "description"])
def test_a_full_disk_is_one_line_and_leaves_nothing(where, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "weights":
        monkeypatch.setattr(checkpoint.jax, "device_get", full)
    else:
        monkeypatch.setattr(pathlib.Path, "write_text", full)
    with pytest.raises(errors.InputError) as caught:
        target_files.save(str(tmp_path / "new" / "target"), PARAMS, DESCRIPTION)
    line = str(caught.value)
    assert line.startswith(f"export_target={tmp_path}") and "\n" not in line
    assert "cannot be written (No space left on device)" in line
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_known_before_the_training(tmp_path):
    (tmp_path / "file").write_text("text")
    with pytest.raises(errors.InputError, match="export_target=.*file is no folder"):
        target_files.check_free(str(tmp_path / "file" / "deep" / "target"))


def test_a_save_that_is_cut_off_leaves_no_target(folder, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(target_files.os, "replace", stopped)
        with pytest.raises(KeyboardInterrupt):
            target_files.save(folder, PARAMS, DESCRIPTION)
    assert not pathlib.Path(folder).exists()
    refused(folder, "no readable target.json")
    target_files.save(folder, PARAMS, DESCRIPTION)  # What was left is no hindrance.
    target_files.load(folder, SHAPES, DESCRIPTION)


def test_the_terminal_stays_clean(folder, capfd):
    verbosity = logging.get_verbosity()
    target_files.save(folder, PARAMS, DESCRIPTION)
    target_files.load(folder, SHAPES, DESCRIPTION)
    assert capfd.readouterr() == ("", "")
    assert logging.get_verbosity() == verbosity


def test_orbax_is_imported_when_it_is_needed():
    code = (
        "import sys, jaxprivacy.studies.target_files, "
        "jaxprivacy.models.torch_weights; "
        "print(*{'orbax', 'torch'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    root = pathlib.Path(checkpoint.__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)  # noqa: S603
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
