"""`python -m launch.audit --target=...`: a model of one's own from the shell."""

import dataclasses
import json
from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import errors
from jaxprivacy.commands import common
from jaxprivacy.models import attack_presets
from jaxprivacy.targets import load
from tests.launch import launched

SIZE, CLASSES, MEMBERS, OTHERS = 64, 3, 60, 120
SOURCE = """
import beside_mine
import jax
import jax.numpy as jnp
import jaxprivacy


def linear(params, x):
    return x @ params["w"]


target = jaxprivacy.Target(linear, name="mine")


def train(key, records, mask):
    x, y = records
    gram = (x * mask[:, None]).T @ x + 1e-3 * jnp.eye(64)
    right = (x * mask[:, None]).T @ (3 * jax.nn.one_hot(y, 3))
    return {"w": jnp.linalg.solve(gram, right)}


trained = target._replace(train=train)
other = target._replace(train=lambda *of: {"v": train(*of)["w"]})


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


def test_a_target_that_says_how_it_is_trained_has_references(files, tmp_path):
    names = "loss_threshold,lira_online,rmia_offline,bavaria"
    given = flags(files, target=f"{files}/mine.py:trained", references=4, attacks=names)
    out = tmp_path / "report"
    # As in a process of its own: here JAX has its devices already.
    with mock.patch.object(common, "use_every_core") as every_core:
        assert launched.run("audit", *given, f"--out={out}") == 0
    every_core.assert_called_once()
    result = json.loads((out / "result.json").read_text())
    assert [row["attack"] for row in result["membership"]] == names.split(",")
    assert min(row["auc"]["value"] for row in result["membership"]) > 0.7
    assert result["settings"]["references"] == 4
    assert result["references"]["train_accuracy"] == 1
    page = (out / "report.html").read_text()
    assert "The reference models are right on 100.0 %" in page


def test_of_an_orbax_manager_s_folder_the_newest_step_is_named(tmp_path):
    for step in ("9/default", "10/default", "10/state"):
        (tmp_path / step).mkdir(parents=True)
        (tmp_path / step / "_METADATA").write_text("")
    for folder in (tmp_path, tmp_path / "10"):
        with pytest.raises(errors.InputError, match="/10/(default|state)$") as refused:
            load.parameters(str(folder))
        assert f"params={folder}: has its arrays in folders" in str(refused.value)


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
        ({"target": "{files}/mine.py:nothing"}, "has no nothing"),
        ({"target": "{files}/mine.py:number"}, "number is a int"),
        ({"target": "no_such_module:name"}, "no module no_such_module"),
        ({"target": "{files}/mine.py:model"}, "model is a Model"),
        ({"rounds": 5}, "--rounds=5: the model of --target is not trained"),
        ({"checkpoint": "kept"}, "--checkpoint=kept: the model of --target"),
        ({"references": 8}, "--references=8: --target={files}/mine.py:make does not"),
        ({"references": 3}, "--references=3: accepted are 0 and even"),
        ({"attacks": "lira_online"}, "--attacks=lira_online: is run beside"),
        ({"attacks": "lyra"}, "--attacks=lyra: accepted are white_box"),
        (
            {"references": 4, "target": "{files}/mine.py:other"},
            "train: returns no array w, where",
        ),
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
    out, said = tmp_path / "report", said.replace("{files}", str(files))
    with mock.patch.object(common, "use_every_core"):
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
