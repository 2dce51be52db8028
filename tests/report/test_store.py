import json
import pathlib

import numpy as np
import pytest

from jaxprivacy.checks import InputError
from jaxprivacy.evaluation.intervals import Interval
from jaxprivacy.report import html, plots, store
from tests.report import made_up


@pytest.fixture
def undrawn(monkeypatch):
    """Figures by name alone."""
    monkeypatch.setattr(
        plots, "draw", lambda report: dict.fromkeys(plots.ALL_NAMES, b"p")
    )


def files(folder):
    return sorted(path.name for path in pathlib.Path(folder).iterdir())


def no_constant(name):
    raise AssertionError(name)


def test_json_is_strict():
    text = store.to_json(
        {
            "nan": float("nan"),
            "arrays": np.array([1.0, np.inf]),
            "scalar": np.float32(0.5),
            "count": np.int64(3),
            "flag": np.bool_(True),
            "interval": Interval(0.5, np.nan, 1.0),
            3: (1, None, "text"),
        }
    )
    assert json.loads(text, parse_constant=no_constant) == {
        "nan": None,
        "arrays": [1.0, None],
        "scalar": 0.5,
        "count": 3,
        "flag": True,
        "interval": {"value": 0.5, "low": None, "high": 1.0},
        "3": [1, None, "text"],
    }
    with pytest.raises(TypeError):
        store.to_json({"x": object()})


def test_write(tmp_path):
    out = tmp_path / "some" / "where"
    page = store.write(made_up.study_report(), store.reserve(str(out)))
    assert page == out / "report.html"
    assert files(out) == sorted(["result.json", "report.html", *plots.ALL_NAMES])
    assert files(tmp_path) == ["some"] and files(tmp_path / "some") == ["where"]
    result = json.loads((out / "result.json").read_text(), parse_constant=no_constant)
    assert result == made_up.study_report().result
    assert page.read_text().startswith("<!DOCTYPE html>")
    # Readable as any folder made here, not for the owner alone as temporary ones.
    (tmp_path / "plain").mkdir()
    assert out.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_studies_add_is_strict_json(tmp_path, undrawn):
    course = made_up.course(frechet=np.array([np.nan, 2.0, 1.0]), rounds=3)
    added = {
        "privacy": made_up.privacy(total=np.float32(2.5))._asdict(),
        "courses": [
            {
                "attack": course.attack,
                "rounds": course.rounds,
                "hit_rate": [Interval(*rate) for rate in course.hit_rate],
                "frechet": course.frechet,
            }
        ],
    }
    result = made_up.result() | added
    store.write(made_up.empty_report()._replace(result=result), tmp_path / "out")
    text = (tmp_path / "out" / "result.json").read_text()
    written = json.loads(text, parse_constant=no_constant)
    assert written["privacy"]["uploads"] == 60
    assert written["privacy"]["epsilon_total"] == 2.5
    assert written["courses"][0]["frechet"] == [None, 2.0, 1.0]
    assert written["courses"][0]["hit_rate"][0]["value"] == 0.1


def test_write_into_an_empty_and_a_relative_folder(tmp_path, monkeypatch, undrawn):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for out in ("empty", "a/b", "."):
        page = store.write(made_up.empty_report(), store.reserve(out))
        assert page.exists()
        assert "result.json" in files(out)
    assert not [name for name in files(tmp_path) if name.startswith(".jax")]


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("place", ["render", "disk"])
def test_a_failing_write_leaves_nothing(tmp_path, monkeypatch, undrawn, exists, place):
    out = tmp_path / "deep" / "out"
    if exists:
        out.mkdir(parents=True)
        (out / "result.json").write_text("old")

    def fail(*arguments):
        raise OSError("disk full")

    if place == "render":
        monkeypatch.setattr(html, "render", fail)
    else:
        written = pathlib.Path.write_bytes
        monkeypatch.setattr(
            pathlib.Path,
            "write_bytes",
            lambda path, content: (
                fail() if path.name == "report.html" else written(path, content)
            ),
        )
    with pytest.raises(OSError, match="disk full"):
        store.write(made_up.report(), out)
    if exists:
        assert files(out) == ["result.json"]
        assert (out / "result.json").read_text() == "old"
    else:
        assert files(tmp_path) == []


def test_overwrite_replaces_and_removes_stale_figures(tmp_path, undrawn, monkeypatch):
    store.write(made_up.report(), tmp_path)
    (tmp_path / "notes.txt").write_text("the user's own")
    with pytest.raises(InputError) as caught:
        store.reserve(str(tmp_path))
    message = str(caught.value)
    assert message.startswith(f"--out={tmp_path}:") and "\n" not in message
    assert "--overwrite" in message and "another --out" in message
    store.reserve(str(tmp_path), overwrite=True)
    monkeypatch.setattr(plots, "draw", lambda report: {plots.TRAINING: b"new"})
    store.write(made_up.empty_report(), tmp_path)
    assert files(tmp_path) == [
        "notes.txt",
        "report.html",
        "result.json",
        "training.png",
    ]
    assert (tmp_path / "training.png").read_bytes() == b"new"


def test_reserve_leaves_nothing_behind(tmp_path):
    store.reserve(str(tmp_path / "a" / "b"))
    assert files(tmp_path) == []
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "notes.txt").write_text("x")
    store.reserve(str(tmp_path / "held"))
    assert files(tmp_path / "held") == ["notes.txt"]


@pytest.mark.parametrize("name", ["file", "file/below", "dangling", "x" * 300, "a\0b"])
def test_reserve_refuses_what_cannot_be_a_folder(tmp_path, name):
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    out = f"{tmp_path}/{name}"
    with pytest.raises(InputError) as caught:
        store.reserve(out)
    assert str(caught.value).startswith(f"--out={out}: ")
    assert "accepted is" in str(caught.value)
    assert files(tmp_path) == ["dangling", "file"]


def test_reserve_refuses_no_name_and_no_room(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="--out="):
        store.reserve("")

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "mkdir", refuse)
    with pytest.raises(InputError, match="cannot be written .Permission denied."):
        store.reserve(str(tmp_path / "new"))
