"""Positive controls: a leak of known size, planted where there is none."""

from __future__ import annotations

import numpy as np
from scipy import stats

from jaxprivacy.studies import membership_records

Positions = membership_records.Positions

# How strongly membership follows the ranks; without ties it makes an AUC of 0.7.
STRENGTH = 0.6


def leaking(
    records: membership_records.Records, signal: np.ndarray, seed: int
) -> tuple[membership_records.Records, dict]:
    """Plants a leak among the non-members of a study.

    Args:
      records: the attacked ones; members play no part.
      signal: (N,) of all of them, by which they leak.
      seed: of the study.

    Returns:
      The records, in which some non-members are called members, for attacks without a
      null check; and what marks the rows of these attacks, with the AUC `planted`.
    """
    pool = membership_records.all_non_members(records)
    rng = np.random.default_rng([seed, *b"control"])
    members, others, auc = plant(pool, signal, rng)
    leaking = membership_records.Records(records.batch, members, others)
    return leaking, {"control": "planted", "planted": auc}


def plant(
    pool: Positions, signal: np.ndarray, rng: np.random.Generator
) -> tuple[Positions, Positions, float]:
    """Calls records members, none of which is one, the likelier the higher a signal.

    With v the record's rank among those of its purpose, scaled to (-1, 1), it is drawn
    for a member with the probability (1 + `STRENGTH` v) / 2. So who ranks records by
    the signal has an AUC of 1/2 + `STRENGTH` times the mean of v squared, and nobody
    who knows nothing but the records has more. Records, training and scoring are those
    of the null check; only who is called a member differs.

    Args:
      pool: where the records stand that nobody trained on; of each purpose an even
        number is taken.
      signal: (N,) of all records, such as a loss with its sign turned.
      rng: of the draw.

    Returns:
      Where members and non-members stand, as many of each for each purpose, and the
      AUC on the evaluation records: 0.7, or less where signals are tied.
    """
    divided, planted = [], 0.5
    for where in pool:
        where = where[: len(where) // 2 * 2]
        ranks = stats.rankdata(signal[where])
        scaled = (2 * ranks - 1) / len(where) - 1
        chosen = _draw((1 + STRENGTH * scaled) / 2, rng)
        divided.append((where[chosen], where[~chosen]))
        planted = 0.5 + STRENGTH * np.mean(scaled**2)
    members, others = (Positions(*parts) for parts in zip(*divided, strict=True))
    return members, others, float(planted)


def _draw(chances, rng):
    """Systematic sampling in random order: (N,) flags, half of them set.

    Source: Madow, "On the theory of systematic sampling, II", Annals of Mathematical
    Statistics 1949.
    """
    order = rng.permutation(len(chances))
    sums = np.cumsum(chances[order])
    points = rng.random() + np.arange(len(chances) // 2)
    # Rounding may end the sums just short of the last point.
    hit = np.minimum(np.searchsorted(sums, points, "right"), len(chances) - 1)
    chosen = np.zeros(len(chances), bool)
    chosen[order[hit]] = True
    return chosen
