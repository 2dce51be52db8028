"""A folder that one process has to itself for as long as it runs."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pathlib
from collections.abc import Iterator

from jaxprivacy import checks, errors

NAME = ".lock"
# What a file system says that has no locks; a run there goes on without one.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextlib.contextmanager
def locked(folder: pathlib.Path, *named: str) -> Iterator[None]:
    """Holds a folder for this process alone, and makes it if it is not there.

    The lock is the system's, on a file in the folder, and ends with the process however
    that ends: what a killed process leaves is taken over. At the end the file is
    removed, and what was made of the folder and its parents, where it is empty.

    Args:
      folder: absolute.
      *named: the argument and its value, or a folder alone, for errors.

    Raises:
      InputError: another process holds it.
      OSError: it cannot be made or written.
    """
    made = [part for part in (folder, *folder.parents) if not part.exists()]
    if (folder / NAME).exists():
        made = [folder]  # By a process that was killed, unless that one still runs.
    try:
        file = _take(folder, named)
        try:
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
            yield
        finally:
            # First removed, then let go: another process that has opened this file
            # meanwhile sees that it is no longer the folder's.
            (folder / NAME).unlink(missing_ok=True)
            os.close(file)
    finally:
        for part in made:
            if part.is_dir() and not any(part.iterdir()):
                part.rmdir()


def _take(folder: pathlib.Path, named: tuple[str, ...]) -> int:
    """Opens the folder's file of the lock and locks it; returns its descriptor."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(file, named)
            if _is_at(file, folder / NAME):
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # Its holder removed it just now; another one is made.


def _lock(file: int, named: tuple[str, ...]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(file, 32).decode(errors="replace").strip() or "unknown"
        raise errors.InputError(
            *named,
            found=f"another run writes there (process {holder})",
            accepted="is another folder, or this one when that run has ended",
        ) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        checks.warn(
            errors.InputError(*named, found=f"cannot be locked ({error.strerror})")
        )


def _is_at(file: int, path: pathlib.Path) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
