"""Who holds what, and on which records a membership attack learns and is measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxprivacy import errors
from jaxprivacy.data import sources, stratify

LEAST = 4  # records of a kind in a set
PURPOSES = ("attack_train", "selection", "evaluation")
SHARES = (0.4, 0.15, 0.45)  # of the records that can be attacked, in that order


class Sets(NamedTuple):
    """Records of one kind, divided by what they are for."""

    attack_train: np.ndarray
    selection: np.ndarray
    evaluation: np.ndarray


class Sizes(NamedTuple):
    """How many records a kind has for each purpose."""

    attack_train: int
    selection: int
    evaluation: int


def deal(
    dataset: sources.Dataset, *, holders: int, each: int, rng: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray]:
    """Deals records to holders, each with the class proportions of the whole.

    Args:
      dataset: N records.
      holders: P, those that train on records.
      each: how many records one holds.
      rng: of every draw.

    Returns:
      The (each,) records of each holder and those that nobody holds, all disjoint.

    Raises:
      InputError: there are not that many records and some left.
    """
    total = holders * each
    if total + 2 * LEAST >= len(dataset.y):
        most = max((len(dataset.y) - 2 * LEAST - 1) // holders, 0)
        raise errors.InputError(
            "members_per_participant",
            each,
            found=f"{holders} of them need {total} records and non-members besides",
            accepted=f"are at most {most}",
        )
    left, shares = np.arange(len(dataset.y)), []
    for _ in range(holders):
        share, left = part(dataset.y, left, each, rng)
        shares.append(share)
    return shares, left


def sizes(
    members: int,
    non_members: int,
    *,
    attack_members: int | None = None,
    attack_non_members: int | None = None,
    evaluation: int | None = None,
) -> tuple[Sizes, Sizes]:
    """Decides how many of the members and non-members at hand are for what.

    By default 40, 15 and 45 % of the fewer of the two, of each kind as many. Selection
    and evaluation always hold as many members as non-members.

    Args:
      members: how many members can be attacked.
      non_members: how many non-members there are.
      attack_members: how many the attack learns from; None: the default.
      attack_non_members: likewise.
      evaluation: how many of each kind it is measured on; None: the default.

    Raises:
      InputError: more is asked for than there is, or a set would hold fewer than 4.
    """
    train, selection, rest = (
        round(share * min(members, non_members)) for share in SHARES
    )
    trains = attack_members or train, attack_non_members or train
    rest = evaluation or rest
    available = members, non_members
    left = min(a - t - rest for a, t in zip(available, trains, strict=True))
    selection = min(selection, left)
    if min(*trains, selection, rest) < LEAST:
        raise errors.InputError(
            ("attack_members", "attack_non_members", "evaluation_records"),
            (trains[0], trains[1], rest),
            found=(
                f"leaves {max(selection, 0)} of a kind for selection among {members} "
                f"members and {non_members} non-members"
            ),
            accepted=f"are at least {LEAST} in each set",
        )
    return Sizes(trains[0], selection, rest), Sizes(trains[1], selection, rest)


def divide(
    y: np.ndarray, records: np.ndarray, chosen: Sizes, rng: np.random.Generator
) -> Sets:
    """Draws disjoint sets of the chosen sizes, class for class in proportion.

    Args:
      y: (N,) labels of all records.
      records: those of one kind.
      chosen: how many each set holds.
      rng: of every draw; each set comes back in random order, so that any first part
        of it is a random sample too.
    """
    drawn = []
    for size in chosen:
        taken, records = part(y, records, size, rng)
        drawn.append(rng.permutation(taken))
    return Sets(*drawn)


def halves(sets: Sets) -> tuple[Sets, Sets]:
    """Divides the records of one kind into two of as many, for a null check.

    None of them was trained on, so an attack that takes the first for members and the
    second for non-members has nothing to learn.
    """
    cut = [len(part) // 2 for part in sets]
    first = [part[:n] for part, n in zip(sets, cut, strict=True)]
    second = [part[n : 2 * n] for part, n in zip(sets, cut, strict=True)]
    return Sets(*first), Sets(*second)


def part(
    y: np.ndarray, records: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws a part of the records in their class proportions; returns the rest too."""
    _, labels = np.unique(y[records], return_inverse=True)
    taken = records[stratify.draw(labels, size, rng)]
    return taken, np.setdiff1d(records, taken, assume_unique=True)
