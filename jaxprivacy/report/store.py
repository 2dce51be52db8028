"""Where a report is kept: held from before the run, written whole file by file."""

from __future__ import annotations

import contextlib
import json
import math
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxprivacy import errors, lock
from jaxprivacy.report import contents, facts, html, plots

RESULT, PAGE = "result.json", "report.html"
_ACCEPTED = "is a folder that does not exist yet, or one without a report"


def to_json(result: Any) -> str:
    """Returns strict JSON: NumPy values as numbers and lists, NaN and infinity as null.

    Raises:
      TypeError: a value has no counterpart in JSON.
    """
    return json.dumps(_plain(result), allow_nan=False, indent=2) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


@contextlib.contextmanager
def reserve(out: str, overwrite: bool = False) -> Iterator[pathlib.Path]:
    """Makes sure, before a run, that its report can be written, and by it alone.

    The folder is made and held until the end; where nothing is written into it, nothing
    is left behind.

    Args:
      out: the folder, as the user named it.
      overwrite: whether a report that is there may be replaced.

    Yields:
      The folder, absolute.

    Raises:
      InputError: naming `out`, its value and what is accepted.
    """
    if not out:
        raise errors.InputError("out", out, accepted=_ACCEPTED)
    for part in (pathlib.Path(out), *pathlib.Path(out).parents):
        if os.path.lexists(part) and not part.is_dir():
            raise errors.InputError(
                "out", out, found=f"{part} is not a folder", accepted=_ACCEPTED
            )
    with contextlib.ExitStack() as held:
        try:
            folder = pathlib.Path(os.path.realpath(out))
            held.enter_context(lock.locked(folder, "out", out))
            with tempfile.TemporaryFile(dir=folder):
                pass
        except errors.InputError:
            raise
        except (OSError, ValueError) as error:
            raise errors.InputError(
                "out",
                out,
                found=f"cannot be written ({reason(error)})",
                accepted=_ACCEPTED,
            ) from error
        there = [name for name in (RESULT, PAGE) if (folder / name).exists()]
        if there and not overwrite:
            raise errors.InputError(
                "out",
                out,
                found=f"already holds {' and '.join(there)}",
                accepted=(
                    "is another folder (choose another `out`), or this one with "
                    "`overwrite`"
                ),
            )
        yield folder


def reason(error: Exception) -> object:
    """Why the system refused, without its number and the path."""
    return getattr(error, "strerror", None) or error


def write(report: contents.Report, folder: pathlib.Path) -> pathlib.Path:
    """Writes result.json, report.html and the figures into a folder.

    Each file is first written into a temporary folder on the same file system and then
    moved, so that nothing half-written is ever seen; the page is last. Where figures or
    page cannot be made, result.json is there without them. What an earlier report has
    and this one has not is removed.

    Args:
      report: the findings.
      folder: where; made if it is not there.

    Returns:
      The path of report.html.

    Raises:
      OSError: not all could be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".jaxprivacy-", dir=folder) as stage:
        _put(pathlib.Path(stage), RESULT, to_json(report.result).encode())
        whole = [RESULT]
        try:
            told = to_json(report.result | {facts.KEY: facts.of(report)})
            replace(pathlib.Path(stage), RESULT, told.encode())
            figures = plots.draw(report)
            page = html.render(report, figures).encode()
            for name, content in (figures | {PAGE: page}).items():
                _put(pathlib.Path(stage), name, content)
                whole.append(name)
        finally:
            for name in {*plots.ALL_NAMES, PAGE} - set(whole):
                (folder / name).unlink(missing_ok=True)
            for name in whole:
                os.replace(pathlib.Path(stage, name), folder / name)
    return folder / PAGE


def replace(folder: pathlib.Path, name: str, content: bytes) -> None:
    """Replaces a file in a folder as a whole, or leaves it as it was.

    Raises:
      OSError: it cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix=".jaxprivacy-", dir=folder) as stage:
        _put(pathlib.Path(stage), name, content)
        os.replace(pathlib.Path(stage, name), folder / name)


def _put(folder: pathlib.Path, name: str, content: bytes) -> None:
    """Writes a file through to the disk, which may be full only then."""
    with (folder / name).open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_somewhere(
    report: contents.Report, folder: pathlib.Path
) -> tuple[pathlib.Path, str]:
    """Writes a report where it was meant to go, or else where there is room.

    That is, in this order, a new folder beside it and one among the system's temporary
    files.

    Returns:
      The path of report.html, and why it is not in `folder`: empty where it is.

    Raises:
      NotWritten: there is room nowhere.
    """
    try:
        return write(report, folder), ""
    except OSError as error:
        first = error
    for parent in (folder.parent, pathlib.Path(tempfile.gettempdir())):
        other = None
        try:
            other = pathlib.Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=parent))
            return write(report, other), str(reason(first))
        except OSError:
            if other is not None:
                shutil.rmtree(other, ignore_errors=True)
    there = _holds(folder, report)
    raise errors.NotWritten(
        f"{'only ' + RESULT if there else 'nothing'} could be written into {folder} "
        f"({reason(first)}), and nothing beside it or in {tempfile.gettempdir()}"
    ) from first


def _holds(folder: pathlib.Path, report: contents.Report) -> bool:
    """Whether a folder has this report's result.json."""
    try:
        there = json.loads((folder / RESULT).read_text())
    except (OSError, ValueError):
        return False
    there.pop(facts.KEY, None)
    return there == json.loads(to_json(report.result))
