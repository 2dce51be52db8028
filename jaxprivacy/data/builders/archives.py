"""Files read out of an archive as a stream: nothing is extracted to disk."""

from __future__ import annotations

import contextlib
import gzip
import os
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from jaxprivacy import errors
from jaxprivacy.data import validate

_ARCHIVE = "is a tar archive compressed by gzip, as it was published"
_BLOCK = 2**20
# tarfile and gzip also let through what their numbers, names and nesting run into.
_READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    RecursionError,
    zlib.error,
    tarfile.TarError,
)


class Source(NamedTuple):
    """A file that is being read, and what errors call it."""

    name: str
    stream: BinaryIO


def locate(folder: str, archive: str, member: str) -> str:
    """Returns the path of the archive, or else that of the unpacked member.

    Raises:
      InputError: if the folder holds neither.
    """
    for path in (archive, member):
        if os.path.isfile(os.path.join(folder, path)):
            return os.path.join(folder, path)
    raise errors.InputError(
        "manual_dir",
        folder,
        found=f"holds neither {archive} nor {member}",
        accepted="is a folder with one of them",
    )


@contextlib.contextmanager
def open_member(folder: str, archive: str, member: str) -> Iterator[Source]:
    """Opens a file that an archive holds, or the same file already unpacked.

    Links, folders and devices in an archive are refused, and no other member is
    touched. Once the caller is done, the rest of the archive is read as well, because
    gzip's checksum stands at its end.

    Args:
      folder: where the archive lies, or else the unpacked file.
      archive: name of the archive, e.g. `dataset_texas.tgz`; used if it is there.
      member: path in the archive and below the folder, e.g. `texas/100/feats`.

    Yields:
      The file, open for reading bytes.

    Raises:
      InputError: if neither is there, the archive lacks the member, or it cannot be
        read, at once or when the caller comes to the damaged place.
    """
    path = locate(folder, archive, member)
    packed = path == os.path.join(folder, archive)
    name = f"{member} of {path!r}" if packed else repr(path)
    try:
        with (gzip.open if packed else open)(path, "rb") as stream:
            yield Source(name, _find(stream, path, member) if packed else stream)
            while stream.read(_BLOCK):
                pass
    except errors.InputError:
        raise
    except _READ_ERRORS as error:
        accepted = _ARCHIVE if packed else "is the file as it was published"
        raise errors.InputError(
            name,
            found=f"cannot be read ({validate.first_line(error)})",
            accepted=accepted,
        ) from error


def _find(stream: BinaryIO, path: str, member: str) -> BinaryIO:
    """Opens the first member of that name; the archive is read up to there only."""
    archive = tarfile.open(fileobj=stream, mode="r:")
    for entry in archive:
        if posixpath.normpath(entry.name) == member:
            if entry.isreg():
                return archive.extractfile(entry)
            raise errors.InputError(
                f"{path!r}",
                found=f"{member} is a link, a folder or a device",
                accepted=_ARCHIVE,
            )
    raise errors.InputError(f"{path!r}", found=f"holds no {member}", accepted=_ARCHIVE)
