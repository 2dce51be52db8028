import ast
import dataclasses
import json

import numpy as np

from jaxprivacy.studies import (
    provenance,
    training,
    whitebox_kept,
    whitebox_targets,
)
from jaxprivacy.studies.whitebox_settings import WhiteboxSettings

TRAINER = whitebox_targets.Trainer(None, None, [1], 2, 0.1, None)
# What the training imports and its numbers do not depend on: checks of input, places on
# disk, names of types, and records and settings, which the identity holds themselves.
NO_NUMBERS = (
    "checks.py",
    "data/",
    "studies/attack_training.py",
    "lock.py",
    "programs/checkpoint.py",
    "studies/settings.py",
    "studies/whitebox_settings.py",
)


def identity(settings=WhiteboxSettings(), **changed):  # noqa: B008 - frozen
    options = {"data": "0" * 64, "shares": [np.arange(5)], "seed": 0, "case": ["a"]}
    return whitebox_kept.identity(settings, TRAINER, **{**options, **changed})


def keep(folder, described):
    kept = whitebox_kept.kept(str(folder), described, {}, print)
    kept.save(1, {"a": np.zeros(2)})


def imported(name):
    """The package's files that one of them imports itself."""
    found = set()
    for node in ast.walk(ast.parse((provenance.PACKAGE / name).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("jaxprivacy"):
            folder = "/".join(node.module.split(".")[1:])
            names = [f"{folder}/{alias.name}.py" for alias in node.names]
            names = [name.lstrip("/") for name in (*names, f"{folder}.py")]
            found |= {n for n in names if (provenance.PACKAGE / n).is_file()}
    return found


def test_the_code_that_trains_is_all_that_the_training_imports():
    todo, closure = {"studies/whitebox_targets.py"}, set()
    while todo:
        name = todo.pop()
        closure.add(name)
        todo |= {n for n in imported(name) if not n.startswith(NO_NUMBERS)} - closure
    listed = {name for name in whitebox_kept.TRAINED_BY if name.endswith(".py")}
    assert listed < closure
    folders = tuple(set(whitebox_kept.TRAINED_BY) - listed)
    assert {name for name in closure - listed if not name.startswith(folders)} == set()
    assert all((provenance.PACKAGE / n).exists() for n in whitebox_kept.TRAINED_BY)


def test_other_code_or_another_jax_is_another_target(monkeypatch):
    before = identity()
    monkeypatch.setattr(
        training, "versions", lambda: dict.fromkeys(whitebox_kept.LIBRARIES, "0")
    )
    assert whitebox_kept.named(identity()) != whitebox_kept.named(before)
    monkeypatch.undo()
    monkeypatch.setattr(provenance, "code", lambda modules: "0" * 64)
    assert whitebox_kept.named(identity()) != whitebox_kept.named(before)
    monkeypatch.undo()
    assert whitebox_kept.named(identity()) == whitebox_kept.named(before)
    shadows = identity(modules=("studies/whitebox_shadows.py",))
    assert shadows["code"] != before["code"]


def test_a_target_that_is_not_reused_says_why(tmp_path, monkeypatch):
    rates = [identity(WhiteboxSettings(learning_rate=rate)) for rate in (0.1, 0.2)]
    keep(tmp_path, rates[0])
    far = dataclasses.replace(WhiteboxSettings(), optimizer="adam", batch_size=3)
    keep(tmp_path, identity(far))
    before, said = whitebox_kept.identities(str(tmp_path)), []
    assert len(before) == 2
    near = whitebox_kept.named(rates[0])
    whitebox_kept.kept(str(tmp_path), rates[1], before, said.append)
    whitebox_kept.kept(str(tmp_path), rates[0], before, said.append)  # It is there.
    assert said == [
        f"targets={tmp_path}: 2 kept; the closest, {near}, differs in learning_rate "
        "(0.2, kept 0.1)"
    ]
    monkeypatch.setattr(provenance, "code", lambda modules: "0" * 64)
    other = identity(WhiteboxSettings(learning_rate=0.1), seed=1)
    assert whitebox_kept.closest(other, before) == (
        f"2 kept; the closest, {near}, differs in code and seed (1, kept 0)"
    )


def test_where_none_is_kept_nothing_is_said(tmp_path):
    (tmp_path / "a.json").write_text("damaged")
    (tmp_path / "b.json").write_text("{}")  # Of a target that was removed.
    before = whitebox_kept.identities(str(tmp_path))
    assert before == {}
    assert whitebox_kept.closest(identity(), before) is None


def test_an_identity_lies_beside_its_target(tmp_path):
    described = identity()
    keep(tmp_path, described)
    name = whitebox_kept.named(described)
    assert {path.name for path in tmp_path.iterdir()} == {name, f"{name}.json"}
    assert json.loads((tmp_path / f"{name}.json").read_text()) == described


def test_an_identity_that_cannot_be_written(tmp_path, capsys):
    described = identity()
    name = whitebox_kept.named(described)
    (tmp_path / f"{name}.json").mkdir()
    keep(tmp_path, described)  # A run is not lost with what it would have kept.
    said = capsys.readouterr().err
    assert said.startswith(f"warning: targets={tmp_path}: the state after 1 rounds")
    assert "cannot be saved (Is a directory); the run goes on" in said
    assert not list(tmp_path.glob("*.partial"))


def test_the_closest_differs_in_the_fewest_names():
    asked, near, far = identity(), identity(seed=1), identity(seed=1, case=["b"])
    for kept in ({"a": far, "b": near}, {"b": near, "a": far}, {"b": far, "a": near}):
        said = whitebox_kept.closest(asked, kept)
        assert said.endswith("differs in seed (0, kept 1)")
    assert whitebox_kept.closest(asked, {"a": far, "b": asked}) is None
