"""Checkpoints of long studies: an interrupted run goes on where it was saved last.

A study keeps each of its runs in a subfolder, one Orbax step for the rounds done. Orbax
writes a step under another name and renames it when it is complete, so that whatever
kills the process leaves the step before.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
from absl import logging

from jaxprivacy import checks, errors, lock

STUDY, PARTIAL = "study.json", "study.json.partial"
RUNS, REMOVED = "runs", "removed"
_CUT_OFF = "*.orbax-checkpoint-tmp*"  # A step of Orbax that is not complete.
_ACCEPTED = "is another folder, or the same flags and code as before"


class Damaged(errors.InputError):
    """A checkpoint is there and cannot be restored."""


class NotSaved(OSError):
    """A state could not be written, for the reason that is the message."""


class Checkpoint(NamedTuple):
    """Where one run is kept between its chunks of rounds."""

    # shapes (of the tree after so many rounds) -> (rounds done, tree), or None
    restore: Callable[[Callable[[int], Any]], tuple[int, Any] | None]
    save: Callable[[int, Any], None]  # rounds done, tree of arrays


Checkpoints = Callable[[str], Checkpoint | None]  # name of a run -> where it is kept


def nowhere(name: str) -> None:
    """No checkpoint for any run."""
    del name


@contextlib.contextmanager
def study(folder: str, identity: dict[str, Any]) -> Iterator[Checkpoints]:
    """Keeps the runs of a study in a folder until the study is complete.

    The folder is removed at the end, and where a run shows that the user's settings are
    at fault; any other exception leaves it to the next start.

    Args:
      folder: as the user named it; empty for no checkpoints.
      identity: all that the numbers depend on, by name, as JSON takes it.

    Yields:
      The checkpoint of each run, by name. A save that fails, as on a full disk, is said
      in one line and the run goes on.

    Raises:
      InputError: naming `checkpoint`: the folder holds something else, or cannot be
        written, or another process is at it.
    """
    if not folder:
        yield nowhere
        return
    named, path = ("checkpoint", folder), pathlib.Path(os.path.realpath(folder))
    made = [part for part in (path, *path.parents) if not part.exists()] or [path]
    with contextlib.ExitStack() as held:
        held.callback(_remove_empty, made)
        try:
            held.enter_context(lock.locked(path, *named))
        except OSError as error:
            raise errors.InputError(
                *named, found=f"cannot be used ({error.strerror})", accepted=_ACCEPTED
            ) from error
        _claim(path, folder, json.dumps(identity, indent=2) + "\n")
        try:
            yield lambda name: lenient(checkpoint(path / RUNS / name, folder), named)
        except Damaged:
            raise
        except errors.InputError:
            _remove(path)
            raise
        _remove(path)


def lenient(strict: Checkpoint, named: tuple[str, str]) -> Checkpoint:
    """Says in one line that a state could not be saved: no run is lost to that.

    Args:
      strict: whose `save` raises `NotSaved`.
      named: the argument that names the folder, and its value.
    """

    def save(done, tree):
        try:
            strict.save(done, tree)
        except NotSaved as error:
            told = f"the state after {done} rounds cannot be saved ({error})"
            checks.warn(errors.InputError(*named, found=f"{told}; the run goes on"))

    return strict._replace(save=save)


def checkpoint(path: pathlib.Path, folder: str) -> Checkpoint:
    """The checkpoint of one run; the newest replaces the one before.

    Saving raises `NotSaved` where it fails, and leaves the one before as it was.

    Args:
      path: absolute, where it is kept; need not exist yet.
      folder: the study's, as the user named it, for errors.
    """

    def restore(shapes):
        if not path.exists():
            return None
        # Orbax and TensorStore raise errors of many kinds; after any of them the
        # checkpoint is not usable.
        try:
            with _manager(path) as (orbax, manager):
                done = manager.latest_step()
                if done is None:
                    return None
                args = orbax.args.StandardRestore(shapes(done))
                return done, manager.restore(done, args=args)
        except Exception as error:
            raise Damaged(
                "checkpoint",
                folder,
                found=f"{path.name} cannot be restored ({type(error).__name__})",
                accepted="is another folder",
            ) from error

    def save(done, tree):
        # As with restoring, errors are of many kinds.
        try:
            with _manager(path) as (orbax, manager):
                manager.save(done, args=orbax.args.StandardSave(jax.device_get(tree)))
        except Exception as error:
            for cut in path.glob(_CUT_OFF):
                shutil.rmtree(cut, ignore_errors=True)  # The next start tries again.
            raise NotSaved(_reason(error)) from error

    return Checkpoint(restore, save)


@contextlib.contextmanager
def _manager(path: pathlib.Path) -> Iterator[tuple[Any, Any]]:
    """Orbax, which logs every step and error of its, and its manager of the folder."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    try:
        import orbax.checkpoint as orbax

        options = orbax.CheckpointManagerOptions(
            preservation_policy=orbax.checkpoint_managers.LatestN(n=1),
            cleanup_tmp_directories=True,
            enable_async_checkpointing=False,
        )
        path.mkdir(parents=True, exist_ok=True)
        with orbax.CheckpointManager(path, options=options) as manager:
            yield orbax, manager
    finally:
        logging.set_verbosity(verbosity)


def _reason(error: Exception) -> str:
    """Why nothing could be written: TensorStore has the system's number in its text."""
    number = re.search(r"os_error_code='(\d+)'", str(error))
    if number:
        return os.strerror(int(number[1]))
    return getattr(error, "strerror", None) or type(error).__name__


def _claim(path: pathlib.Path, folder: str, text: str) -> None:
    """Makes the folder the study's, unless it is something else's."""
    try:
        held = _held(path, folder)
        if held is not None and (other := _different(held, json.loads(text))):
            raise errors.InputError(
                "checkpoint",
                folder,
                found=f"holds a run with another {', '.join(other)}",
                accepted=_ACCEPTED,
            )
        if held is None and set(os.listdir(path)) - {PARTIAL, lock.NAME}:
            raise errors.InputError(
                "checkpoint",
                folder,
                found=f"holds files, but no {STUDY}",
                accepted=_ACCEPTED,
            )
        (path / PARTIAL).write_text(text)
        os.replace(path / PARTIAL, path / STUDY)
    except OSError as error:
        (path / PARTIAL).unlink(missing_ok=True)
        raise errors.InputError(
            "checkpoint",
            folder,
            found=f"cannot be used ({error.strerror})",
            accepted=_ACCEPTED,
        ) from error


def _held(path: pathlib.Path, folder: str) -> dict | None:
    """The identity of the study that the folder holds; None: it holds none."""
    if not (path / STUDY).exists():
        return None
    try:
        held = json.loads((path / STUDY).read_text())
    except ValueError:
        held = None
    if not isinstance(held, dict):
        raise Damaged(
            "checkpoint",
            folder,
            found=f"{STUDY} is damaged",
            accepted="is another folder, or this one emptied, which starts anew",
        )
    return held


def _different(held: dict, asked: dict) -> list[str]:
    """The names of what differs."""
    names = {**asked, **held}
    return [n for n in names if n not in held or n not in asked or held[n] != asked[n]]


def _remove(path: pathlib.Path) -> None:
    """Removes the checkpoints."""
    if (path / REMOVED).exists():
        shutil.rmtree(path / REMOVED)
    if (path / RUNS).exists():
        # Half of a checkpoint must never be taken for a whole one.
        os.replace(path / RUNS, path / REMOVED)
        shutil.rmtree(path / REMOVED)
    (path / STUDY).unlink()


def _remove_empty(folders: list[pathlib.Path]) -> None:
    """Removes those of the folders that hold nothing."""
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
