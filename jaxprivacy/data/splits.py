"""Who holds which records, and which of them the attacks are measured on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxprivacy import checks, errors
from jaxprivacy.data import copies, sources, stratify
from jaxprivacy.data.partitions import partition

_LEAST = 4  # Members in a set: what 400 faces of 40 people leave for the selection.


class MembershipRecords(NamedTuple):
    """Records with known membership, as indices into the data set.

    The i-th member, non-member and untrained record are of one class, so that the
    label carries no information about membership.
    """

    members: np.ndarray  # (M,) records of the attacked participant
    non_members: np.ndarray  # (M,) records that nobody holds
    untrained: np.ndarray  # (M,) held by nobody; the members of the null check


class Split(NamedTuple):
    """Who holds what, as indices into the data set, each array in random order."""

    participants: tuple[np.ndarray, ...]  # P arrays of training records
    victim: int  # The attacked participant.
    attack_train: MembershipRecords
    selection: MembershipRecords
    evaluation: MembershipRecords
    public: np.ndarray  # Held by nobody, used by no attack.
    copies_left_out: int = 0  # The victim's and unheld ones, see `copies`.
    copies_kept: bool = False  # Too few were left without them.


class Count(NamedTuple):
    """A row of the report's table of records."""

    name: str
    count: int
    explanation: str


def split(
    dataset: sources.Dataset,
    *,
    participants: int,
    members_per_participant: int | None = None,
    how: str = "iid",
    alpha: float = 1.0,
    victim: int = 0,
    attack_train_fraction: float = 0.4,
    selection_fraction: float = 0.15,
    seed: int,
) -> Split:
    """Decides who holds what and which records the attacks are measured on.

    The participants' records are drawn from all records with their class proportions
    and dealt by `partition`; nobody holds the rest. Of the victim's n_c records and
    the unheld u_c records of class c, min(n_c, floor(u_c / 3)) members are attackable,
    at random; as many unheld records of the class are non-members, and as many again
    stand in for members in the null check. So the three differ in nothing but
    training. Records with exact copies are not among them, see `copies`. They are
    divided, class for class alike, into disjoint sets on which
    attacks are trained, their epoch is selected and every number is measured. At least
    a third of the unheld records of each class remain public.

    Args:
      dataset: N records.
      participants: P.
      members_per_participant: records of a participant, the mean unless `how` is
        `iid`; N // (P + 4) if None.
      how: one of `PARTITIONS`, see `partition`.
      alpha: concentration of the `dirichlet` partition.
      victim: the attacked participant, 0 to P - 1.
      attack_train_fraction: share of the attackable members that attacks train on.
      selection_fraction: share that selects the epoch; evaluation gets the rest.
      seed: of every draw.

    Returns:
      The split; the sets of membership records are disjoint from each other, from
      `public` and, but for the members, from the participants' records.

    Raises:
      InputError: if an argument is out of its range, there are too few records, or a
        set would hold fewer than 4 members.
    """
    fractions = _check_fractions(attack_train_fraction, selection_fraction)
    checks.positive_integer("seed", seed, least=0)
    participants = checks.positive_integer("participants", participants)
    held = _check_sizes(len(dataset.y), participants, members_per_participant)
    if victim not in range(participants):
        raise errors.InputError("victim", victim, f"are 0 to {participants - 1}")
    rng = np.random.default_rng(seed)
    pool = stratify.draw(dataset.y, held, rng)
    shares = partition(dataset.y, pool, participants, how, alpha=alpha, rng=rng)
    unheld = dataset.without(pool)
    attacked = _attacked(dataset, shares[victim], unheld, fractions, rng)
    return Split(shares, int(victim), *attacked)


def _attacked(dataset, victims, unheld, fractions, rng):
    """The sets of membership records and what a `Split` holds behind them."""
    alone = _without_copies(dataset, victims, unheld)
    matched, public = _match(dataset.y, *alone.kinds, rng)
    copied = np.setdiff1d(unheld, alone.kinds[1])
    try:
        sets = _divide(matched, fractions)
    except errors.InputError as error:
        raise copies.with_left_out(error, alone.left_out) from error
    if len(copied):  # Drawn last, so that they change nothing else.
        public = rng.permutation(np.concatenate([public, copied]))
    return *sets, public, *alone[1:]


def _check_fractions(attack_train: float, selection: float) -> tuple[float, float]:
    for name, value in (
        ("attack_train_fraction", attack_train),
        ("selection_fraction", selection),
    ):
        if not 0 < value < 1:
            raise errors.InputError(name, value, "are fractions between 0 and 1")
    if attack_train + selection >= 1:
        raise errors.InputError(
            ("attack_train_fraction", "selection_fraction"),
            (attack_train, selection),
            "are fractions with a sum below 1; the rest is for evaluation",
        )
    return attack_train, selection


def _check_sizes(records: int, participants: int, members: int | None) -> int:
    """Returns how many records the participants hold together."""
    if members is None:
        members = records // (participants + 4)
        if members < 1:
            raise errors.InputError(
                "participants",
                participants,
                f"are at most {max(records - 4, 0)} with {records} records",
            )
    members = checks.positive_integer("members_per_participant", members)
    if participants * members > records:
        raise errors.InputError(
            ("participants", "members_per_participant"),
            (participants, members),
            found=f"need {participants * members} records",
            accepted=f"are at most {records}",
        )
    return participants * members


def _without_copies(dataset, victims, unheld) -> copies.Left:
    """The records of both kinds that can be attacked, class by class as in `_match`."""
    kinds = victims, unheld
    found = copies.leave_out(copies.have_copies(dataset.x), kinds)
    members, others = (
        np.bincount(dataset.y[kind], minlength=dataset.num_classes)
        for kind in found.kinds
    )
    if found.left_out and np.minimum(members, others // 3).sum() < copies.FEWEST:
        return copies.Left(kinds, 0, True)
    return found


def _match(
    y: np.ndarray, victims: np.ndarray, unheld: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs the victim's records with unheld ones of their class.

    Returns:
      (3, A) members, non-members and untrained records, each column of one class, the
      columns in random order; and the unheld records that are left over.
    """
    matched, left = [], []
    for label in range(int(y.max()) + 1):
        members = rng.permutation(victims[y[victims] == label])
        others = rng.permutation(unheld[y[unheld] == label])
        size = min(len(members), len(others) // 3)
        matched.append([members[:size], others[:size], others[size : 2 * size]])
        left.append(others[2 * size :])
    columns = rng.permutation(np.concatenate(matched, axis=1), axis=1)
    return columns, rng.permutation(np.concatenate(left))


def _divide(
    matched: np.ndarray, fractions: tuple[float, float]
) -> list[MembershipRecords]:
    """Divides the columns into the sets for training, selection and evaluation."""
    total = matched.shape[1]
    train, selection = (round(fraction * total) for fraction in fractions)
    names = ("attack_train_fraction", "selection_fraction")
    for size, chosen, of in (
        (train, slice(0, 1), ""),
        (selection, slice(1, 2), ""),
        (total - train - selection, slice(0, 2), " for evaluation"),
    ):
        if size < _LEAST:
            raise errors.InputError(
                names[chosen],
                fractions[chosen],
                found=f"{size} of {total} attackable members{of}",
                accepted=(
                    f"are at least {_LEAST} (other fractions, more records, another "
                    "`members_per_participant` or fewer `participants`)"
                ),
            )
    parts = np.split(matched, [train, train + selection], axis=1)
    return [MembershipRecords(*part) for part in parts]


def counts(split: Split, y: np.ndarray) -> list[Count]:
    """Returns the rows of the report's table of who holds what.

    Args:
      split: the split.
      y: (N,) labels of all records.

    Returns:
      Rows of name, count and explanation.
    """
    held = np.concatenate(split.participants)
    victims = split.participants[split.victim]

    def classes(indices: np.ndarray) -> str:
        return f"{len(np.unique(y[indices]))} of {int(y.max()) + 1} classes"

    rows = [
        Count(
            "participants",
            len(held),
            f"held by {len(split.participants)} participants, training records of "
            f"{classes(held)}",
        ),
        Count(
            "victim",
            len(victims),
            f"of these held by the attacked participant {split.victim}, "
            f"{classes(victims)}",
        ),
    ]
    purposes = {
        "attack_train": "the attack is trained on them",
        "selection": "the attack's epoch is chosen on them",
        "evaluation": "every number comes from them",
    }
    for name, purpose in purposes.items():
        records = getattr(split, name)
        size = len(records.members)
        rows.append(
            Count(
                name,
                3 * size,
                f"{size} of the victim's, {size} non-members and {size} untrained, "
                f"{classes(records.members)}; {purpose}",
            )
        )
    public = f"held by nobody, used by no attack, {classes(split.public)}"
    return [*rows, Count("public", len(split.public), public)]
