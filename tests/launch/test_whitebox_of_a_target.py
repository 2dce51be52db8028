"""`python -m launch.whitebox --target=...`: paper B's attacks on one's own model."""

import json

import jax
import numpy as np
import pytest

from jaxprivacy.studies import whitebox_own
from tests.launch import launched
from tests.studies import by_heart

SOURCE = """
import jax.numpy as jnp
import jaxprivacy


def network(params, x):
    return jnp.maximum(x @ params["first"], 0) @ params["last"]


target = jaxprivacy.Target(network, name="mine")


def number(params, x):
    return network(params, x)[:, 0]


numbers = jaxprivacy.Target(number, loss=jaxprivacy.squared_error)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A network of two layers that has learned its members by heart, in its last."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(SOURCE)
    (x, y), (other_x, other_y) = by_heart.records()
    first = np.concatenate([np.eye(by_heart.SIZE), -np.eye(by_heart.SIZE)], axis=1)
    hidden = np.maximum(x @ first, 0)
    last = np.linalg.lstsq(hidden, 3 * np.eye(by_heart.CLASSES)[y], rcond=None)[0]
    params = {"first": first.astype(np.float32), "last": last.astype(np.float32)}
    np.savez(folder / "weights.npz", **params)
    # Outputs that float32 holds, and hidden ones whose squares it does not.
    huge = {"first": 3e19 * params["first"], "last": 1e17 * params["last"]}
    np.savez(folder / "huge.npz", **huge)
    arrays = {"x_train": x, "y_train": y, "x_test": other_x, "y_test": other_y}
    np.savez(folder / "records.npz", **arrays)
    return folder


def flags(files, **changes):
    named = {
        "target": f"{files}/mine.py:target",
        "params": f"{files}/weights.npz",
        "data": f"npz:{files}/records.npz",
    } | changes
    return [
        f"--{name}={value}".replace("FILES", str(files))
        for name, value in named.items()
        if value is not None
    ]


def test_a_model_of_one_s_own_is_attacked_by_its_layers(files, tmp_path):
    out = tmp_path / "report"
    options = [
        *("--layers=-1", "--gradients=last", "--noblack_box"),
    ]
    with launched.compiled_fast(), launched.small_attacks():
        assert launched.run("whitebox", *flags(files), *options, f"--out={out}") == 0
    result = json.loads((out / "result.json").read_text())
    seen = [
        (r["attack"], r.get("layers"), r.get("gradients")) for r in result["membership"]
    ]
    assert seen == [
        ("loss_threshold", None, None),
        ("confidence", None, None),
        ("gradient_norm", None, None),
        ("gradient_norm", None, "last"),
        ("white_box", "-1", "last"),
    ]
    assert result["in_effect"]["target_layers"] == ["first", "last"]
    assert result["in_effect"]["model"] == "mine"
    assert result["target"]["train_accuracy"] == 1
    assert result["target"]["test_accuracy"] < 0.7
    assert min(row["auc"]["value"] for row in result["membership"][:3]) > 0.8
    named = {name: result["settings"][name] for name in ("target", "params", "data")}
    assert [f"--{name}={value}" for name, value in named.items()] == flags(files)
    untrained = [r for r in result["null_checks"] if r.get("target") == "untrained"]
    assert {row["attack"] for row in untrained} >= {"loss_threshold", "white_box"}
    for row in untrained[:3]:
        assert row["auc"]["low"] <= 0.5 <= row["auc"]["high"]
    assert result["positive_controls"]
    assert (
        "the numbers of each array in random order" in (out / "report.html").read_text()
    )


def test_a_shuffled_model_has_the_same_numbers_and_knows_nothing():
    params = {"a": jax.numpy.arange(12.0).reshape(3, 4), "b": jax.numpy.arange(5.0)}
    found = whitebox_own.shuffled(jax.random.key(0), params)
    for name, a in params.items():
        assert found[name].shape == a.shape and (found[name] != a).any()
        np.testing.assert_array_equal(np.sort(found[name].ravel()), a.ravel())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rounds": 5}, "--rounds=5: the model of --target is not trained here"),
        ({"targets": "kept"}, "--targets=kept: the model of --target is not"),
        ({"setting": "federated"}, "--setting=federated: the model of --target is not"),
        ({"supervision": "shadow"}, "--supervision=shadow: shadow models like the one"),
        ({"layers": "third"}, "--layers=third: accepted are all, none"),
        ({"params": None}, "accepted is then --params=PATH"),
        ({"params": "FILES/huge.npz"}, "are no finite numbers"),
        ({"target": None}, "accepted is a path beside --target"),
        ({"target": "FILES/mine.py:numbers"}, "its answers are taken for"),
        ({"data": "digits"}, "accepted with --target is npz:PATH"),
        ({"attack_members": 5000}, "--attack_members=5000, --attack_non_members="),
    ],
)
def test_what_is_wrong_ends_in_one_line(changes, said, files, tmp_path, capsys):
    out = tmp_path / "report"
    assert launched.run("whitebox", *flags(files, **changes), f"--out={out}") == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not out.exists()
