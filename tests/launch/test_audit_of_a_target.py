"""`python -m launch.audit --target=...`: a model of one's own from the shell."""

import dataclasses
import json
from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import errors
from jaxprivacy.models import attack_presets
from jaxprivacy.targets import load
from tests.launch import launched

SIZE, CLASSES, MEMBERS, OTHERS = 64, 3, 60, 120
SOURCE = """
import beside_mine
import jaxprivacy


def linear(params, x):
    return x @ params["w"]


target = jaxprivacy.Target(linear, name="mine")


def make():
    return target


def broken():
    raise RuntimeError("no weights")


def leaves():
    raise SystemExit(0)


class Model:
    def __call__(self, x):
        return x


model = Model()


number = 3
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The target's source, its weights, which know the members, and the records."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(SOURCE)
    (folder / "beside_mine.py").write_text("")
    np.savez(folder / "twice.npz", **{"a": np.ones(2), "a/b": np.ones(2)})
    np.savez(folder / "empty.npz")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(MEMBERS + OTHERS, SIZE)).astype(np.float32)
    y = rng.integers(0, CLASSES, MEMBERS + OTHERS)
    learned = 3 * np.eye(CLASSES)[y[:MEMBERS]]
    weights = np.linalg.lstsq(x[:MEMBERS], learned, rcond=None)[0]
    np.savez(folder / "weights.npz", w=weights.astype(np.float32))
    np.savez(folder / "pooled.npz", x=x, y=y)
    np.savez(
        folder / "records.npz",
        x_train=x[:MEMBERS],
        y_train=y[:MEMBERS],
        x_test=x[MEMBERS:],
        y_test=y[MEMBERS:],
    )
    return folder


def flags(files, **changes):
    named = {
        "target": f"{files}/mine.py:make",
        "params": f"{files}/weights.npz",
        "data": f"npz:{files}/records.npz",
    } | changes
    return [f"--{name}={value}" for name, value in named.items() if value is not None]


def test_a_target_is_audited(files, tmp_path, capsys):
    quick = dataclasses.replace(
        attack_presets.ANCHORED, epochs=2, least_steps=2, encoder_widths=(8,)
    )
    with (
        launched.compiled_fast(),
        mock.patch.dict(attack_presets.PRESETS, anchored=quick),
    ):
        status = launched.run("audit", *flags(files), f"--out={tmp_path / 'report'}")
    assert status == 0
    told = capsys.readouterr().out.partition("\nReport: ")[0]
    result = json.loads((tmp_path / "report" / "result.json").read_text())
    named = {name: result["settings"][name] for name in ("target", "params", "data")}
    assert [f"--{name}={value}" for name, value in named.items()] == flags(files)
    assert result["in_effect"]["model"] == "mine"
    assert "--target=" in result["command"] and result["schema"] == 2
    by_name = {row["attack"]: row["auc"]["value"] for row in result["membership"]}
    assert set(by_name) == {
        "white_box",
        "black_box",
        "loss_threshold",
        "confidence",
        "gradient_norm",
    }
    assert min(by_name.values()) > 0.8
    assert result["target"]["train_accuracy"] == 1
    assert "Membership inference" in told

    page = tmp_path / "report" / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert launched.run("report", tmp_path / "report") == 0
    again, _, place = capsys.readouterr().out.partition("\nReport: ")
    assert (again, place) == (told, f"{page}, with 3 figures\n")
    assert page.read_bytes() == before


def test_of_an_orbax_manager_s_folder_the_newest_step_is_named(tmp_path):
    for step in ("9/default", "10/default", "10/state"):
        (tmp_path / step).mkdir(parents=True)
        (tmp_path / step / "_METADATA").write_text("")
    for folder in (tmp_path, tmp_path / "10"):
        with pytest.raises(errors.InputError, match="/10/(default|state)$") as refused:
            load.parameters(str(folder))
        assert f"--params={folder}: has its arrays in folders" in str(refused.value)


def test_safetensors_are_read_as_flax_has_them(tmp_path):
    safetensors = pytest.importorskip("safetensors.flax")
    path = str(tmp_path / "weights.safetensors")
    safetensors.save_file({"a/b": jnp.ones(2, jnp.bfloat16)}, path)
    assert load.parameters(path)["a"]["b"].dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": "mine"}, "--target=mine: accepted are FILE.py:NAME"),
        ({"target": "no.py:make"}, "no file no.py"),
        ({"target": "{files}/mine.py:other"}, "has no other"),
        ({"target": "{files}/mine.py:number"}, "number is a int"),
        ({"target": "no_such_module:name"}, "no module no_such_module"),
        ({"target": "{files}/mine.py:model"}, "model is a Model"),
        ({"rounds": 5}, "--rounds=5: the model of --target is not trained"),
        ({"params": None}, "accepted is then --params=PATH"),
        ({"params": "{files}/twice.npz"}, "a/b is both an array and a folder"),
        ({"params": "{files}/empty.npz"}, "holds no array"),
        ({"params": "no.npz"}, "--params=no.npz: no such file"),
        ({"params": "{files}/mine.py"}, "accepted is an Orbax folder"),
        ({"params": "{files}"}, "cannot be read"),
        ({"params": "{files}/records.npz"}, "target: cannot be applied"),
        ({"data": "digits"}, "accepted with --target is npz:PATH"),
        ({"data": "npz:{files}/pooled.npz"}, "holds x, y; accepted with --target"),
        ({"target": None}, "accepted is a path beside --target"),
    ],
)
def test_what_is_wrong_ends_in_one_line(changes, said, files, tmp_path, capsys):
    changes = {
        k: v and str(v).replace("{files}", str(files)) for k, v in changes.items()
    }
    out = tmp_path / "report"
    assert launched.run("audit", *flags(files, **changes), f"--out={out}") == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not out.exists()


@pytest.mark.parametrize(
    ("name", "last"),
    [("broken", "RuntimeError: no weights"), ("leaves", "SystemExit: 0")],
)
def test_what_the_user_s_own_code_raises_is_shown_as_python_would(
    name, last, files, tmp_path, capsys
):
    out = tmp_path / "report"
    target = f"{files}/mine.py:{name}"
    assert launched.run("audit", *flags(files, target=target), f"--out={out}") == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("Traceback") and error.endswith(last)
    assert f'File "{files}/mine.py"' in error and f"in {name}" in error
    assert not out.exists()
