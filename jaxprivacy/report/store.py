"""Where a report is kept: checked before the run, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import pathlib
import tempfile
from typing import Any

import numpy as np

from jaxprivacy.checks import InputError
from jaxprivacy.report import html, plots
from jaxprivacy.report.contents import Report

RESULT, PAGE = "result.json", "report.html"
_ACCEPTED = "accepted is a folder that does not exist yet, or one without a report"


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


def reserve(out: str, overwrite: bool = False) -> pathlib.Path:
    """Checks, before a run, that its report can be written; leaves nothing behind.

    Args:
      out: the folder to be, as the user named it.
      overwrite: whether a report that is there may be replaced.

    Raises:
      InputError: naming `--out`, its value and what is accepted.
    """
    folder = pathlib.Path(out)
    if not out:
        raise InputError(f"--out=: {_ACCEPTED}")
    for part in (folder, *folder.parents):
        if os.path.lexists(part) and not part.is_dir():
            raise InputError(f"--out={out}: {part} is not a folder; {_ACCEPTED}")
    try:
        _try(folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"--out={out}: cannot be written ({reason}); {_ACCEPTED}"
        ) from error
    held = [name for name in (RESULT, PAGE) if (folder / name).exists()]
    if held and not overwrite:
        raise InputError(
            f"--out={out}: already holds {' and '.join(held)}; accepted is another "
            "folder (choose another --out), or this one with --overwrite"
        )
    return folder


def _try(folder: pathlib.Path) -> None:
    """Makes the folder and a file in it, and removes what was made."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    finally:
        for part in missing:
            if part.exists():
                part.rmdir()


def write(report: Report, out: str | pathlib.Path) -> pathlib.Path:
    """Writes result.json, report.html and the figures into `out`.

    Everything is first written into a temporary folder on the same file system and
    then moved, so that nothing half-written is ever seen; a folder that is there is
    changed file by file, the page last. Figures of an earlier report that this one
    does not have are removed.

    Returns:
      The path of report.html.
    """
    out = pathlib.Path(out)
    figures = plots.draw(report)
    files = {RESULT: to_json(report.result).encode()}
    files |= figures
    files[PAGE] = html.render(report, figures).encode()
    near = out if out.is_dir() else out.absolute().parent
    while not near.is_dir():
        near = near.parent
    with tempfile.TemporaryDirectory(prefix=".jaxprivacy-", dir=near) as stage:
        # Inside it, because the temporary folder itself is for its owner only.
        folder = pathlib.Path(stage) / "report"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        if out.is_dir():
            for name in files:
                os.replace(folder / name, out / name)
            for name in set(plots.ALL_NAMES) - set(files):
                (out / name).unlink(missing_ok=True)
        else:
            out.parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder, out)
    return out / PAGE
