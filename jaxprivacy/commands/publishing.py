"""From a finished run to its report, whatever the disk and the terminal say."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from absl import flags

from jaxprivacy import checks
from jaxprivacy.commands import common

if TYPE_CHECKING:
    from rich import console

    from jaxprivacy.report import contents


@contextlib.contextmanager
def publisher() -> Iterator[Callable[[contents.Report], int]]:
    """Holds `--out` from before anything is computed, and takes the time.

    Yields:
      A function that prints a report's summary, writes the report and returns the exit
      status: 0 where both went as asked. It raises `errors.NotWritten` where the report
      could be written nowhere.

    Raises:
      InputError: something is there, or it cannot be written, or another run is at it.
    """
    from jaxprivacy.report import store

    start = time.perf_counter()
    with store.reserve(flags.FLAGS.out, flags.FLAGS.overwrite) as folder:
        compiled = use_compilation_cache()

        def publish(report):
            return _publish(
                report,
                folder,
                lambda: f"{time.perf_counter() - start:.0f} s in all; {compiled()}",
            )

        yield publish


def _publish(report, folder: pathlib.Path, told: Callable[[], str]) -> int:
    """Prints first: what is on the screen, no full disk takes away."""
    from jaxprivacy.report import store, tables

    unsaid = say(lambda terminal: tables.print_summary(report, terminal))
    page, unwritten = store.write_somewhere(report, folder)
    out, place = pathlib.Path(flags.FLAGS.out), page
    if unwritten:
        common.complain(
            f"--out={out}: cannot be written ({unwritten}); the report is in "
            f"{page.parent}"
        )
    elif ".." not in out.parts:
        place = out / page.name  # As the user named it.
    unsaid = unsaid or say(
        lambda terminal: terminal.print(
            f"\nReport: {place}\n{told()}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    )
    if unsaid:
        checks.warn(f"the summary cannot be printed ({unsaid}); the report is {place}")
    return int(bool(unwritten or unsaid))


def say(show: Callable[[console.Console], None]) -> str:
    """Shows something on standard output; returns what went wrong, or nothing."""
    from rich import console

    terminal = console.Console()
    # A finished run is not lost to its summary, whatever is the matter with that.
    try:
        with terminal.capture() as captured:
            show(terminal)
        print(captured.get(), end="", flush=True)
    except OSError as error:
        # What is left in the buffer would fail once more when the process ends.
        with contextlib.suppress(OSError), open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
        return str(error.strerror)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def use_compilation_cache() -> Callable[[], str]:
    """Keeps compiled programs on disk, so that a second run compiles nothing.

    Returns:
      A function that says how many programs were compiled, how many were found, and
      where, or why nowhere.
    """
    import jax

    counts = {"cache_hits": 0, "backend_compile_duration": 0}

    def count(event: str, *duration: float, **kwargs) -> None:
        del duration, kwargs
        name = event.rpartition("/")[2]
        if name in counts:
            counts[name] += 1

    jax.monitoring.register_event_listener(count)
    jax.monitoring.register_event_duration_secs_listener(count)
    folder = os.path.expanduser(flags.FLAGS.compilation_cache)
    unusable = _unusable(folder) if folder else ""
    if folder and not unusable:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)

    def told() -> str:
        found = counts["cache_hits"]
        compiled = f"{counts['backend_compile_duration'] - found} programs compiled"
        if unusable:
            return f"{compiled}, none kept: {folder} cannot be written ({unusable})"
        return f"{compiled}, {found} found compiled in {folder or 'no cache'}"

    return told


def _unusable(folder: str) -> str:
    """Why no files can be kept in a folder; empty: they can."""
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"0")
    except (OSError, ValueError) as error:
        return str(getattr(error, "strerror", None) or error)
    return ""
