"""The records whose membership is asked, and how an attack is scored on them.

Audit and white-box study, and what runs their attacks, all go through this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from jaxprivacy import types
from jaxprivacy.data import Dataset, attack_sets
from jaxprivacy.evaluation.membership_rows import Scored
from jaxprivacy.studies import attack_training, training

Positions = attack_training.Positions
Advance, Trained = attack_training.Advance, attack_training.Trained
# (members, non-members, number, told the share done) -> scores of all records. Number 0
# is the attack, 1 its null check: what is drawn alike would rise and fall together.
Score = Callable[[Positions, Positions, int, Advance], Trained]


class Records(NamedTuple):
    """The records whose membership is asked, and where each kind stands."""

    batch: types.Batch
    members: Positions
    non_members: Positions
    # Non-members in the place of members in the null check; None: half of the others.
    untrained: Positions | None = None
    others: Positions | None = None  # other participants', judged as non-members too


def gather(
    dataset: Dataset, kinds: Iterable[attack_sets.Sets]
) -> tuple[types.Batch, list[Positions]]:
    """Gathers the records of any number of kinds: kind after kind, set after set."""
    parts = [part for sets in kinds for part in sets]
    ends = np.cumsum([len(part) for part in parts])
    where = np.split(np.arange(ends[-1]), ends[:-1])
    batch = training.batch(dataset, np.concatenate(parts))
    return batch, [Positions(*where[i : i + 3]) for i in range(0, len(parts), 3)]


def null_pair(records: Records) -> tuple[Positions, Positions]:
    """Non-members in the place of members and of non-members."""
    if records.untrained is not None:
        return records.untrained, records.non_members
    first, second = attack_sets.halves(attack_sets.Sets(*records.non_members))
    return Positions(*first), Positions(*second)


def all_non_members(records: Records) -> Positions:
    """The non-members, with those that stand in for members in the null check."""
    if records.untrained is None:
        return records.non_members
    return _joined(records.untrained, records.non_members)


def scored(
    row: dict[str, Any],
    records: Records,
    score: Score,
    advance: Advance,
    *,
    null_checks: bool = True,
    threshold: float | None = None,
) -> Scored:
    """Scores members against non-members and, for the null check, among the latter.

    Args:
      row: what distinguishes the attack, for the rows of the result.
      records: the attacked ones.
      score: the attack.
      advance: told the share done.
      null_checks: whether the null check is run.
      threshold: above which a record is called a member; None: the best on the
        selection records.
    """
    pairs = [(records.members, records.non_members)]
    if null_checks:
        pairs.append(null_pair(records))

    def tell(share):
        advance(share / len(pairs))

    found = [score(*pair, number, tell) for number, pair in enumerate(pairs)]
    if records.others is not None:
        pairs[0] = records.members, _joined(records.non_members, records.others)
    real, *null = (
        attack_training.scores(one.scores, *pair)
        for one, pair in zip(found, pairs, strict=True)
    )
    learned = found[0].learned
    return Scored(
        row if learned is None else row | {"learned": learned},
        real,
        null[0] if null else None,
        threshold,
        everyone=found[0].scores,
        trained=found[0].trained,
        null_trained=found[1].trained if null else None,
    )


def rule(values: np.ndarray) -> Score:
    """An attack that learns nothing, by what it says of all records: (N,)."""
    found = Trained(np.asarray(values, np.float64), None)

    def score(members, non_members, number, advance):
        advance(1)
        return found

    return score


def _joined(first: Positions, second: Positions) -> Positions:
    return Positions(*map(np.concatenate, zip(first, second, strict=True)))
