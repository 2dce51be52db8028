"""Records that are exact copies of others, about which membership is no question.

Whether a record is a member means nothing where a copy of it is a non-member, and an
attack that learned from a record has not been tested on its copy. So a record with a
copy anywhere in the data, whatever their labels, is not attacked. It is trained on as
any other. Leaving out only those whose copies lie on the other side would make a
difference that no training made: of what occurs often, more would be left among the
members the larger their share of the data is.
"""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxprivacy import errors

FEWEST = 25  # records of a kind: from here on the default shares give each set 4


class Left(NamedTuple):
    """Records of several kinds that are attacked, and what is not."""

    kinds: tuple[np.ndarray, ...]
    left_out: int  # of all kinds together
    kept: bool  # too few were left, so the copies are attacked too


def have_copies(x: np.ndarray) -> np.ndarray:
    """Which of the records (N, *D) occur more than once: (N,) booleans."""
    rows = [digest(row) for row in x]
    times = collections.Counter(rows)
    return np.array([times[row] > 1 for row in rows], bool)


def digest(record: np.ndarray) -> bytes:
    """What equal records have in common and others have not: 16 bytes."""
    # The sum turns -0 into 0, which is equal and has other bits.
    bits = np.ascontiguousarray(record + 0)
    return hashlib.blake2b(bits, digest_size=16).digest()


def leave_out(copied: np.ndarray, kinds: Sequence[np.ndarray]) -> Left:
    """Leaves out the records with copies, if enough are left of each kind.

    Args:
      copied: (N,) of `have_copies`.
      kinds: indices of the records that could be attacked, by kind.

    Returns:
      The kinds in their order. Where fewer than `FEWEST` of one would be left, and
      copies are the reason, everything is kept: what can be said of such data must be
      said by the verdict.
    """
    alone = tuple(records[~copied[records]] for records in kinds)
    left_out = sum(map(len, kinds)) - sum(map(len, alone))
    if left_out and min(map(len, alone)) < FEWEST:
        return Left(tuple(kinds), 0, True)
    return Left(alone, left_out, False)


def told(left_out: int, kept: bool) -> dict[str, Any]:
    """What `data` in result.json says of copies."""
    return {"copies_left_out": left_out, "copies_kept": kept}


def notes(left_out: int, kept: bool) -> list[str]:
    """What the report says of copies; nothing where there are none."""
    if kept:
        return [
            "So many records are exact copies of others that too few would be left "
            "without them: copies are attacked too, and no attack can tell a member "
            "from a non-member that equals it."
        ]
    if not left_out:
        return []
    return [
        f"{left_out:,} records that could be attacked have an exact copy elsewhere in "
        "the data and were left out of the attacked ones: no attack can tell a member "
        "from a non-member that equals it."
    ]


def with_left_out(error: errors.InputError, left_out: int) -> errors.InputError:
    """A refusal of too few records, which says that copies are missing."""
    if not left_out:
        return error
    told = f" ({left_out:,} records with exact copies are left out)"
    argument, value, accepted, found = error.args
    return errors.InputError(argument, value, accepted + told, found=found)
