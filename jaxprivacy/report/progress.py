"""One bar over all stages of a run; without a terminal, one line a stage."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from rich import console as rich_console, progress as rich_progress


class Stages(NamedTuple):
    """How a run reports where it is."""

    stage: Callable[[str, float], None]  # name, weight: the next stage begins
    advance: Callable[[float], None]  # share in [0, 1] of the stage, just done
    say: Callable[[str], None] = lambda line: None  # what else the user should know


@contextlib.contextmanager
def progress(
    total_weight: float, console: rich_console.Console | None = None
) -> Iterator[Stages]:
    """Shows the progress of stages whose weights sum to `total_weight`.

    Args:
      total_weight: sum of the stages' weights, e.g. in expected seconds.
      console: where to show it; standard error unless given.
    """
    console = console or rich_console.Console(stderr=True)
    show = _bar if console.is_terminal else _lines
    with show(total_weight, console) as stages:
        yield stages


@contextlib.contextmanager
def silent(total_weight: float) -> Iterator[Stages]:
    """Like `progress`, and shows nothing."""
    del total_weight
    yield Stages(lambda name, weight: None, lambda share: None)


@contextlib.contextmanager
def _lines(total: float, console: rich_console.Console) -> Iterator[Stages]:
    start = time.perf_counter()

    def say(name: str) -> None:
        line = f"{time.perf_counter() - start:8.1f} s  {name}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    yield Stages(lambda name, weight: say(name), lambda share: None, say)
    say("done")


@contextlib.contextmanager
def _bar(total: float, console: rich_console.Console) -> Iterator[Stages]:
    columns = (
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.TaskProgressColumn(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("left"),
        rich_progress.TimeRemainingColumn(),
    )
    # Stages last minutes: the speed of the last 30 seconds would foretell little.
    with rich_progress.Progress(
        *columns, console=console, speed_estimate_period=600
    ) as bar:
        task = bar.add_task("starting", total=total)
        begun, weight, share = 0.0, 0.0, 0.0

        def stage(name: str, next_weight: float) -> None:
            nonlocal begun, weight, share
            begun, weight, share = begun + weight, next_weight, 0.0
            bar.update(task, completed=begun, description=name)

        def advance(more: float) -> None:
            nonlocal share
            share = min(share + more, 1.0)
            bar.update(task, completed=begun + share * weight)

        def say(line: str) -> None:
            bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield Stages(stage, advance, say)
        bar.update(task, completed=total, description="done")
