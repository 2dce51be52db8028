import contextlib
import errno
import json
import pathlib
import tempfile

import numpy as np
import pytest

from jaxprivacy.errors import InputError, NotWritten
from jaxprivacy.evaluation.intervals import Interval
from jaxprivacy.report import facts, html, plots, store
from tests.report import made_up


@pytest.fixture
def undrawn(monkeypatch):
    """Figures by name alone."""
    monkeypatch.setattr(
        plots, "draw", lambda report: dict.fromkeys(plots.ALL_NAMES, b"p")
    )


@pytest.fixture
def reserved():
    """Reserves a folder until the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda *given: stack.enter_context(store.reserve(*given))


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
    with store.reserve(str(out)) as folder:
        page = store.write(made_up.everything(), folder)
    assert page == out / "report.html"
    assert files(out) == sorted(["result.json", "report.html", *plots.ALL_NAMES])
    assert files(tmp_path) == ["some"] and files(tmp_path / "some") == ["where"]
    result = json.loads((out / "result.json").read_text(), parse_constant=no_constant)
    assert result.pop(facts.KEY)
    assert result == made_up.everything().result
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
    for out in ("empty", "a/b", ".", "missing/../c"):
        with store.reserve(out) as folder:
            page = store.write(made_up.empty_report(), folder)
        assert page.exists() and page.parent == folder
        assert "result.json" in files(folder)
    assert not [name for name in files(tmp_path) if name.startswith(".")]
    assert (tmp_path / "c" / "result.json").exists()
    assert not (tmp_path / "missing").exists()


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def full(monkeypatch):
    """Makes writing of a file fail halfway, in folders of which a test says so."""

    def fill(is_full, name):
        opened = pathlib.Path.open

        def open_(path, mode="r", **options):
            if "w" in mode and path.name == name and is_full(path):
                opened(path, mode, **options).write(b"half")
                raise NO_SPACE
            return opened(path, mode, **options)

        monkeypatch.setattr(pathlib.Path, "open", open_)

    return fill


def below(folder):
    return lambda path: folder in path.parents


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("place", ["render", "report.html", "training.png"])
def test_the_result_stays_where_figures_or_page_fail(
    tmp_path, monkeypatch, undrawn, full, exists, place
):
    out = tmp_path / "deep" / "out"
    if exists:
        out.mkdir(parents=True)
        for name in ("result.json", "report.html", "training.png", "notes.txt"):
            (out / name).write_text("old")

    def fail(*arguments):
        raise NO_SPACE

    if place == "render":
        monkeypatch.setattr(html, "render", fail)
    else:
        full(below(out), place)
    with pytest.raises(OSError, match="No space"):
        store.write(made_up.report(), out)
    # Nothing half-written, and nothing of another report beside the result.
    left = {"result.json", *(["notes.txt"] if exists else [])}
    if place == "report.html":
        left |= set(plots.ALL_NAMES)
        assert (out / "training.png").read_bytes() == b"p"
    whole = {name for name in files(out) if (out / name).read_bytes() == b"p"}
    assert left <= set(files(out)) == left | whole and "report.html" not in whole
    written = json.loads((out / "result.json").read_text())
    written.pop(facts.KEY)
    assert written == json.loads(store.to_json(made_up.report().result))


def test_an_earlier_report_stays_where_the_result_cannot_be_written(
    tmp_path, undrawn, full
):
    store.write(made_up.empty_report(), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    full(below(tmp_path), "result.json")
    with pytest.raises(OSError, match="No space"):
        store.write(made_up.report(), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_another_folder_is_taken_where_the_disk_is_full(
    tmp_path, undrawn, full, monkeypatch
):
    out, system = tmp_path / "out", tmp_path / "system"
    system.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(system))
    full(below(out), "result.json")
    page, why = store.write_somewhere(made_up.report(), out)
    assert why == "No space left on device"
    assert page.parent.parent == tmp_path and page.parent.name.startswith("out-")
    assert {"result.json", "report.html", "training.png"} <= set(files(page.parent))
    assert files(out) == []

    full(lambda path: system not in path.parents, "result.json")
    page, _ = store.write_somewhere(made_up.report(), out)
    assert page.parent.parent == system and files(out) == []
    assert len(files(tmp_path)) == 3  # The folder beside it was removed again.


@pytest.mark.parametrize(
    ("fails", "said"), [("result.json", "nothing could"), ("report.html", "only resul")]
)
def test_room_nowhere_is_said(fails, said, tmp_path, undrawn, full, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "system"))
    (tmp_path / "system").mkdir()
    full(lambda path: True, fails)
    with pytest.raises(NotWritten) as caught:
        store.write_somewhere(made_up.report(), tmp_path / "out")
    assert said in str(caught.value) and "No space left" in str(caught.value)
    assert (tmp_path / "out" / "result.json").exists() == (fails == "report.html")
    assert files(tmp_path) == ["out", "system"] and not files(tmp_path / "system")


def test_overwrite_replaces_and_removes_stale_figures(
    tmp_path, undrawn, monkeypatch, reserved
):
    store.write(made_up.report(), tmp_path)
    (tmp_path / "notes.txt").write_text("the user's own")
    with pytest.raises(InputError) as caught:
        reserved(str(tmp_path))
    message = str(caught.value)
    assert message.startswith(f"out={tmp_path}:") and "\n" not in message
    assert "overwrite" in message and "another out" in message
    with store.reserve(str(tmp_path), overwrite=True):
        pass
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
    with store.reserve(str(tmp_path / "a" / "b")):
        pass
    assert files(tmp_path) == []
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "notes.txt").write_text("x")
    with pytest.raises(KeyboardInterrupt), store.reserve(str(tmp_path / "held")):
        raise KeyboardInterrupt
    assert files(tmp_path / "held") == ["notes.txt"]


@pytest.mark.parametrize("name", ["file", "file/below", "dangling", "x" * 300, "a\0b"])
def test_reserve_refuses_what_cannot_be_a_folder(tmp_path, name, reserved):
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    out = f"{tmp_path}/{name}"
    with pytest.raises(InputError) as caught:
        reserved(out)
    assert str(caught.value).startswith(f"out={out}: ")
    assert "accepted is" in str(caught.value)
    assert files(tmp_path) == ["dangling", "file"]


def test_reserve_refuses_no_name_and_no_room(tmp_path, monkeypatch, reserved):
    with pytest.raises(InputError, match="out="):
        reserved("")

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pathlib.Path, "mkdir", refuse)
    with pytest.raises(InputError, match="cannot be written .Permission denied."):
        reserved(str(tmp_path / "new"))
