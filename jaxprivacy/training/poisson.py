"""Poisson batches: every record is in a batch or not, apart from all others."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import checks


def poisson_batches(key: jax.Array, count: int, rate: float, steps: int) -> np.ndarray:
    """Draws batches of which each record is part with the same probability.

    None is cut short: all are padded to the size of the largest that was drawn, which
    accountants of the subsampled Gaussian mechanism take for granted.

    Args:
      key: random key.
      count: number of records N.
      rate: the probability, in (0, 1].
      steps: number of batches T.

    Returns:
      (T, B) indices of records, B at least 1; N stands for "no record".
    """
    checks.fraction("rate", rate)
    draw = [
        np.flatnonzero(jax.random.bernoulli(k, rate, (count,)))
        for k in jax.random.split(key, steps)
    ]
    size = max([1, *map(len, draw)])
    return np.stack(
        [np.pad(d, (0, size - len(d)), constant_values=count) for d in draw]
    )


def shuffled_batches(key: jax.Array, count: int, size: int, steps: int) -> np.ndarray:
    """Draws batches in epochs of a new order each, like (T, B) `poisson_batches`.

    Every epoch has each record once; what is left over after its full batches is left
    out of it.

    Args:
      key: random key.
      count: number of records N.
      size: of a batch, B, at most N.
      steps: number of batches T.
    """
    each = count // size
    keys = jax.random.split(key, -(-steps // each))
    order = jax.vmap(lambda k: jax.random.permutation(k, count))(keys)
    batches = jnp.reshape(order[:, : each * size], (-1, size))
    return np.asarray(batches[:steps])
