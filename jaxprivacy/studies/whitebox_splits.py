"""Who trains on what in the white-box study, and which records are attacked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxprivacy import errors
from jaxprivacy.data import Dataset, attack_sets, copies
from jaxprivacy.studies.whitebox_settings import WhiteboxSettings

BASE, FINE_TUNING, FRESH = "base", "fine-tuning", "fresh"


class Split(NamedTuple):
    """One seed's records."""

    shares: list[np.ndarray]  # of each participant; stand-alone: one
    unheld: np.ndarray  # nobody trains on them
    # Attacker's place -> the members that it attacks; fine-tuning: kind -> its records.
    members: dict[str, attack_sets.Sets]
    non_members: dict[str, attack_sets.Sets]  # likewise
    copied: np.ndarray  # (N,) which records of the data set have exact copies
    copies_left_out: int  # of those that could be attacked
    copies_kept: bool  # too few were left without them


def split(
    settings: WhiteboxSettings, dataset: Dataset, participants: int, seed: int
) -> Split:
    """Deals the records of one run.

    A global attacker attacks the records of the victim, participant 0; a local one, the
    last participant, those of all others, which it cannot tell apart.

    Raises:
      InputError: there are too few records for what the settings ask for.
    """
    if settings.setting == "finetune":
        return _fine_tuning_split(settings, dataset, seed)
    rng = np.random.default_rng(seed)
    holders = participants if settings.setting == "federated" else 1
    each = settings.members_per_participant or len(dataset.y) // (2 * holders)
    if not each:
        raise errors.InputError(
            "participants",
            holders,
            found=f"half of {len(dataset.y)} records is less than one for each",
            accepted=f"are at most {len(dataset.y) // 2}",
        )
    if settings.imports_torch():
        shares, unheld = _published(dataset, each)
    else:
        shares, unheld = attack_sets.deal(dataset, holders=holders, each=each, rng=rng)
    copied = copies.have_copies(dataset.x)
    members, non_members, left = {}, {}, []
    for place in settings.attacker:
        attacked = shares[0] if place == "global" else np.concatenate(shares[:-1])
        left.append(copies.leave_out(copied, (attacked, unheld)))
        members[place], non_members[place] = _divided(settings, dataset, left[-1], rng)
    # The local attacker's members hold those of the global one.
    most, kept = max(found.left_out for found in left), any(f.kept for f in left)
    return Split(shares, unheld, members, non_members, copied, most, kept)


def of_given(
    settings: WhiteboxSettings, dataset: Dataset, members: int, seed: int
) -> Split:
    """The records by which a target that was trained elsewhere is attacked.

    Args:
      settings: checked settings.
      dataset: the data.
      members: how many records, from the first on, it was trained on.
      seed: of the run.

    Raises:
      InputError: there are too few records for what the settings ask for.
    """
    held, unheld = np.split(np.arange(len(dataset.y)), [members])
    copied = copies.have_copies(dataset.x)
    left = copies.leave_out(copied, (held, unheld))
    sets = _divided(settings, dataset, left, np.random.default_rng(seed))
    kinds = ({"global": each} for each in sets)
    return Split([held], unheld, *kinds, copied, left.left_out, left.kept)


def of_victim(
    settings: WhiteboxSettings, dataset: Dataset, dealt: Split, victim: int, seed: int
) -> Split:
    """The same shares, with the records by which a global attacker attacks a victim.

    Members are the victim's and non-members are drawn anew, so that the attacks on two
    victims share a model and no more than chance has it.

    Args:
      settings: checked settings.
      dataset: the data.
      dealt: of `split`, whose victim is participant 0.
      victim: the number of the participant.
      seed: of the run.
    """
    if not victim:
        return dealt
    rng = np.random.default_rng((seed, victim))
    left = copies.leave_out(dealt.copied, (dealt.shares[victim], dealt.unheld))
    members, non_members = _divided(settings, dataset, left, rng)
    return dealt._replace(
        members={"global": members},
        non_members={"global": non_members},
        copies_left_out=left.left_out,
        copies_kept=left.kept,
    )


def _divided(settings, dataset, left, rng):
    """What members and non-members are for, of those that are left."""
    return [
        attack_sets.divide(dataset.y, np.sort(records), size, rng)
        for records, size in zip(left.kinds, _sizes(settings, left), strict=True)
    ]


def _published(dataset, count):
    """The first records, on which a published model was trained, and the others."""
    if count >= len(dataset.y):
        raise errors.InputError(
            "members_per_participant",
            count,
            f"are less than the {len(dataset.y)} records there are",
        )
    return [np.arange(count)], np.arange(count, len(dataset.y))


def _sizes(settings, left):
    """How many are for what; of several kinds as many as the fewest would give."""
    members, *_, others = map(len, left.kinds)
    if len(left.kinds) > 2:
        members = others = min(map(len, left.kinds))
    try:
        return attack_sets.sizes(
            members,
            others,
            attack_members=max(settings.attack_members, default=None),
            attack_non_members=max(settings.attack_non_members, default=None),
            evaluation=settings.evaluation_records,
        )
    except errors.InputError as error:
        raise copies.with_left_out(error, left.left_out) from error


def _fine_tuning_split(settings, dataset, seed):
    """Base records, fine-tuning records, and those of neither (PAPERS row B15)."""
    rng = np.random.default_rng(seed)
    total = settings.members_per_participant or len(dataset.y) // 2
    later = round(settings.fine_tuning_fraction * total)
    if min(later, total - later) < attack_sets.LEAST:
        raise errors.InputError(
            "fine_tuning_fraction",
            settings.fine_tuning_fraction,
            found=f"leaves {later} of {total} records for fine-tuning",
            accepted=f"are at least {attack_sets.LEAST} there and in the base",
        )
    (held,), unheld = attack_sets.deal(dataset, holders=1, each=total, rng=rng)
    tuning, base = attack_sets.part(dataset.y, held, later, rng)
    copied = copies.have_copies(dataset.x)
    left = copies.leave_out(copied, (base, tuning, unheld))
    kinds = dict(zip((BASE, FINE_TUNING, FRESH), left.kinds, strict=True))
    # Each kind is the first of one pair and the second of another.
    first, second = _sizes(settings, left)
    most = max(first.attack_train, second.attack_train)
    size = first._replace(attack_train=most)
    sets = {
        kind: attack_sets.divide(dataset.y, np.sort(records), size, rng)
        for kind, records in kinds.items()
    }
    return Split([base, tuning], unheld, sets, sets, copied, *left[1:])


def counts(split: Split) -> list[tuple[str, int, str]]:
    """The rows of the report's table of who holds what: name, count, explanation."""
    held = sum(map(len, split.shares))
    rows = [
        ("trained on", held, f"in {len(split.shares)} part(s), each held by one"),
        ("not trained on", len(split.unheld), "held by nobody"),
    ]
    for kind in split.members:
        for purpose in attack_sets.PURPOSES:
            numbers = [
                len(getattr(sets[kind], purpose))
                for sets in (split.members, split.non_members)
            ]
            total, told = sum(numbers), "{} members and {} non-members".format(*numbers)
            if split.members is split.non_members:  # Told from the other kinds.
                total, told = numbers[0], f"of the {kind} records"
            rows.append((f"{kind}, {purpose}", total, told))
    return rows
