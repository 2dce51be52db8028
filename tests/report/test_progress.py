import io
import re

import pytest
from rich.console import Console

from jaxprivacy.report import progress as module


def test_one_line_a_stage_without_a_terminal():
    stream = io.StringIO()
    with module.progress(3, Console(file=stream, width=20)) as stages:
        stages.stage("training [bold]the shared model", 1)
        stages.advance(0.5)
        stages.stage("attack", 2)
    lines = stream.getvalue().splitlines()
    assert [re.sub(r"^ +\d+\.\d s  ", "", line) for line in lines] == [
        "training [bold]the shared model",
        "attack",
        "done",
    ]


def test_standard_error_unless_told(capsys):
    with module.progress(1) as stages:
        stages.stage("work", 1)
    captured = capsys.readouterr()
    assert not captured.out and "work" in captured.err


def test_failure_passes_and_is_not_called_done():
    for terminal in (False, True):
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=terminal, width=80)
        with pytest.raises(KeyError), module.progress(1, console) as stages:
            stages.stage("work", 1)
            raise KeyError("x")
        assert "work" in stream.getvalue() and "done" not in stream.getvalue()


def test_bar_moves_by_weight(monkeypatch):
    updates = []
    update = module.rich_progress.Progress.update

    def record(bar, task, **changes):
        updates.append(changes["completed"])
        update(bar, task, **changes)

    monkeypatch.setattr(module.rich_progress.Progress, "update", record)
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with module.progress(10, console) as stages:
        stages.stage("a [not markup]", 4)
        stages.advance(0.25)
        stages.advance(0.5)
        stages.advance(0.5)  # No more than the stage holds.
        stages.stage("b", 6)
        stages.advance(0.5)
    assert updates == [0, 1, 3, 4, 4, 7, 10]
    assert "done" in console.file.getvalue()
