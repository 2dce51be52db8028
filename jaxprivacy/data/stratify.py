"""Draws that keep the class proportions of the records."""

from __future__ import annotations

import numpy as np


def quotas(sizes: np.ndarray, total: int, *, least: int = 0) -> np.ndarray:
    """Shares `total` among classes in proportion to their sizes.

    Largest remainder method, ties to the lower class; a class below `least` is
    then topped up, one by one, from the class with the most.

    Args:
      sizes: (K,) integers, records of each class, each at least `least`.
      total: records to share, from K * least to sum(sizes).
      least: the fewest records a class may get.

    Returns:
      (K,) integers that sum to `total`, none above its class's size.
    """
    quota, remainder = np.divmod(total * sizes, sizes.sum())
    by_remainder = np.argsort(-remainder, kind="stable")
    quota[by_remainder[: total - quota.sum()]] += 1
    while (short := np.flatnonzero(quota < least)).size:
        quota[np.argmax(quota)] -= 1
        quota[short[0]] += 1
    return quota


def draw(
    y: np.ndarray, total: int, rng: np.random.Generator, *, least: int = 0
) -> np.ndarray:
    """Returns the sorted indices of a random subset with `quotas` per class.

    Args:
      y: (N,) labels, 0 to K - 1.
      total: records to draw, from K * least to N.
      rng: the source of randomness.
      least: the fewest records to draw of a class.

    Returns:
      (total,) increasing indices into `y`.
    """
    sizes = np.bincount(y)
    drawn = [
        rng.choice(np.flatnonzero(y == label), quota, replace=False)
        for label, quota in enumerate(quotas(sizes, total, least=least))
    ]
    return np.sort(np.concatenate(drawn))
