"""Which records each reference model is trained on: each record in half of them."""

from __future__ import annotations

import numpy as np

from jaxprivacy import errors


def halves(labels: np.ndarray, models: int, rng: np.random.Generator) -> np.ndarray:
    """Draws the records of reference models, two complementary models at a time.

    Each model has half of the records, and half of each class, give or take one; each
    record is in exactly half of the models. Where a model of the pool is attacked in
    the target's place, it leaves together with its complement: of every record, member
    or not, as many models are then left with it as without it. Without the pair's other
    half a member would have one model less with it than a non-member, which an attack
    could tell from the counts alone.

    Args:
      labels: (N,) classes.
      models: S, even.
      rng: randomness of the draw.

    Returns:
      (S, N) bool; models 2 i and 2 i + 1 are complements.

    Raises:
      InputError: S is odd or below 2, or a class has a single record.
    """
    if models < 2 or models % 2:
        raise errors.InputError(
            "references",
            models,
            "are even numbers of at least 2, half of which hold each record",
        )
    classes, counts = np.unique(labels, return_counts=True)
    if counts.min() < 2:
        raise errors.InputError(
            "data",
            found=(
                f"class {classes[counts.argmin()]} has a single record, which no two "
                "halves can share"
            ),
            accepted="with reference models are at least 2 a class",
        )
    held = np.zeros((models, len(labels)), bool)
    for first in range(0, models, 2):
        held[first] = half(labels, rng)
        held[first + 1] = ~held[first]
    return held


def half(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws half of the records, and of each class, up to one: (N,) bool."""
    # Class after class in random order, every other record: the odd ones alternate.
    order = np.lexsort([rng.random(len(labels)), labels])
    held = np.zeros(len(labels), bool)
    held[order[rng.integers(2) :: 2]] = True
    return held


def others(models: int, *targets: int) -> np.ndarray:
    """The models of a pool that are left when some are attacked, without complements.

    Args:
      models: S, how many there are.
      *targets: those that are no references.
    """
    return np.setdiff1d(
        np.arange(models), [t ^ side for t in targets for side in (0, 1)]
    )
