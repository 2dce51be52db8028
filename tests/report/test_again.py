"""A report is made again from its folder as it was, or what is missing is said."""

import io
import json

import pytest
from rich.console import Console

from jaxprivacy.errors import InputError, NotWritten
from jaxprivacy.report import again, facts, plots, store, tables
from tests.report import made_up

INFINITE = {"privacy": made_up.privacy(float("inf"))._asdict()}
REPORTS = {
    "collaboration": made_up.report(),
    "study": made_up.study_report(seeds=2),
    "nothing": made_up.empty_report(),
    "no privacy": made_up.report(result=made_up.result() | INFINITE),
    "given": made_up.report(simulated=False, tradeoff=None, courses=()),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Writes a report whose figures are no pictures; returns its folder."""

    def write(report):
        names = plots.ALL_NAMES[: 3 * bool(report.roc_curves)]
        monkeypatch.setattr(plots, "draw", lambda _: dict.fromkeys(names, b"PNG"))
        store.write(report, tmp_path / "out")
        return tmp_path / "out"

    return write


def printed(show, of):
    stream = io.StringIO()
    show(of, Console(file=stream, width=80))
    return stream.getvalue()


@pytest.mark.parametrize("name", REPORTS)
def test_page_and_summary_are_made_again_as_they_were(name, folder):
    out = folder(REPORTS[name])
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    (out / store.PAGE).write_text("gone")
    kept = again.read(str(out))
    assert again.write(kept, str(out)) == out / store.PAGE
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    summary = printed(tables.print_summary, REPORTS[name])
    assert printed(again.print_summary, kept) == summary


def test_a_result_without_the_page_s_facts_is_still_told(folder):
    out = folder(made_up.report())
    result = json.loads((out / store.RESULT).read_text())
    for changed in (None, result[facts.KEY] | {"more": 1}):
        result[facts.KEY] = changed
        (out / store.RESULT).write_text(json.dumps(result))
        kept = again.read(str(out))
        assert kept.facts is None
        assert "Verdict: " in printed(again.print_summary, kept)


@pytest.mark.parametrize("text", [None, "", "[1]", "{}", b"\xff"])
def test_what_is_no_report_is_refused_in_one_line(text, tmp_path):
    if text is not None:
        text = text if isinstance(text, bytes) else text.encode()
        (tmp_path / store.RESULT).write_bytes(text)
    with pytest.raises(InputError, match="accepted is a folder with the result.json"):
        again.read(str(tmp_path))


def test_a_page_that_cannot_be_written_is_left_as_it_was(folder, monkeypatch):
    out = folder(made_up.empty_report())
    before = (out / store.PAGE).read_bytes()
    kept = again.read(str(out))

    def full(*given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(NotWritten, match="report.html: cannot be written .No space"):
        again.write(kept, str(out))
    assert (out / store.PAGE).read_bytes() == before
