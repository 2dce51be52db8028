"""Tables of zeros and ones in text, a record a line, packed while they are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxprivacy import errors
from jaxprivacy.data.builders.archives import Source

_BYTES_PER_FIELD = 8  # At most; a published field takes two, or four with quotes.
_COMMA, _ZERO = b",0"


class Records(NamedTuple):
    """Records as they are kept while a data set is prepared."""

    x: np.ndarray  # (N, ceil(F / 8)) uint8, bits of a table; (N, H, W, C) uint8 images
    y: np.ndarray  # (N,) uint16, 0 to K - 1


def read_table(source: Source, columns: int, classes: int) -> Records:
    """Reads lines of a label and its values, separated by commas, quoted or not.

    Args:
      source: the file.
      columns: F, the values of a record.
      classes: K; labels in the file are 1 to K.

    Returns:
      N records, in the file's order.

    Raises:
      InputError: naming the line, for anything but a label and F zeros and ones; or if
        the file is empty or lacks a class.
    """
    known, packed, labels = _known(classes), bytearray(), []
    for at, line in _lines(source, columns + 1):
        label, _, values = line.partition(b",")
        labels.append(_label(at, label, known))
        packed += _bits(at, values, columns)
    return Records(_rows(packed, columns), _checked(source, labels, classes))


def read_values(source: Source, columns: int) -> np.ndarray:
    """Reads lines of values alone; like `read_table`, returns (N, ceil(F / 8)) bits."""
    packed = bytearray()
    for at, line in _lines(source, columns):
        packed += _bits(at, line, columns)
    if not packed:
        raise errors.InputError(
            source.name, found="is empty", accepted="is a record a line"
        )
    return _rows(packed, columns)


def read_labels(source: Source, classes: int) -> np.ndarray:
    """Reads lines of one label each, 1 to K in the file; returns (N,), 0 to K - 1."""
    known = _known(classes)
    labels = [_label(at, line, known) for at, line in _lines(source, 1)]
    return _checked(source, labels, classes)


def unpack(row: np.ndarray, columns: int) -> np.ndarray:
    """Returns (F,) zeros and ones of (ceil(F / 8),) packed bytes."""
    return np.unpackbits(row, count=columns)


def check_classes(name: str, y: np.ndarray, first: int, classes: int) -> None:
    """Refuses labels (N,), 0 to K - 1, that lack a class; the file counts from first.

    Raises:
      InputError: naming the class as the file would.
    """
    absent = np.flatnonzero(np.bincount(y, minlength=classes) == 0)
    if len(absent):
        raise errors.InputError(
            name,
            found=f"has no record of class {absent[0] + first}",
            accepted=(
                f"are files with each of the classes {first} to {classes - 1 + first}"
            ),
        )


def _lines(source: Source, fields: int) -> Iterator[tuple[str, bytes]]:
    """Yields each line with its place; empty lines may only stand at the end."""
    longest, number, empty = _BYTES_PER_FIELD * (fields + 1), 0, None
    while line := source.stream.readline(longest + 1):
        number += 1
        at = f"{source.name}, line {number}"
        if len(line) > longest:
            raise errors.InputError(
                at,
                found=f"starts with {_shown(line)} and has more than {longest} bytes",
                accepted=f"are lines of {fields} fields separated by commas",
            )
        line = line.rstrip(b"\r\n")
        if not line:
            empty = empty or at
            continue
        if empty:
            raise errors.InputError(
                empty, found="is empty", accepted="are empty lines at the end only"
            )
        yield at, line


def _bits(at: str, text: bytes, columns: int) -> bytes:
    """Packs the values of a line; lines in the published form take the short way."""
    codes = np.frombuffer(text, np.uint8)
    if len(codes) == 2 * columns - 1 and (codes[1::2] == _COMMA).all():
        values = codes[::2] ^ _ZERO
        if (values <= 1).all():
            return np.packbits(values).tobytes()
    return np.packbits(_values(at, text, columns)).tobytes()


def _values(at: str, text: bytes, columns: int) -> list[int]:
    fields = [_unquoted(field) for field in text.split(b",")] if text else []
    if len(fields) != columns:
        raise errors.InputError(
            at,
            found=f"has {len(fields)} values",
            accepted=f"are lines of {columns} values separated by commas",
        )
    for number, field in enumerate(fields, start=1):
        if field not in (b"0", b"1"):
            raise errors.InputError(
                at, found=f"value {number} is {_shown(field)}", accepted="are 0 and 1"
            )
    return [int(field) for field in fields]


def _label(at: str, field: bytes, known: dict[bytes, int]) -> int:
    label = known.get(_unquoted(field))
    if label is None:
        raise errors.InputError(
            at,
            found=f"the label is {_shown(field)}",
            accepted=f"are the integers 1 to {len(known)}",
        )
    return label


def _known(classes: int) -> dict[bytes, int]:
    """The labels as a file writes them."""
    return {str(label + 1).encode(): label for label in range(classes)}


def _unquoted(field: bytes) -> bytes:
    field = field.strip()
    quoted = len(field) > 1 and field[:1] == field[-1:] == b'"'
    return field[1:-1] if quoted else field


def _shown(field: bytes) -> str:
    return repr(field[:40].decode("ascii", "backslashreplace"))


def _rows(packed: bytearray, columns: int) -> np.ndarray:
    return np.frombuffer(packed, np.uint8).reshape(-1, -(-columns // 8))


def _checked(source: Source, labels: list[int], classes: int) -> np.ndarray:
    if not labels:
        raise errors.InputError(
            source.name, found="is empty", accepted="is a record a line"
        )
    y = np.asarray(labels, np.uint16)
    check_classes(source.name, y, first=1, classes=classes)
    return y
