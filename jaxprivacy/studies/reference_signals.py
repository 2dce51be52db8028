"""What who holds a model's parameters sees of each record: numbers of its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import types
from jaxprivacy.programs import compilation
from jaxprivacy.targets import directions, gradients

PROJECTIONS = 8
LEAST_NORM = 1e-30  # in float32 gradients of very sure models end in zeros


class Inside(NamedTuple):
    """Numbers of the gradients of N records by S models; of no gradient more."""

    norm: np.ndarray  # (S, N) minus the logarithm of the whole gradient's norm
    leaf_norms: np.ndarray  # (S, N, L) the same of each array of the parameters
    projection: np.ndarray  # (S, N, R) products with random directions, those of all
    update: np.ndarray  # (S, N) product with the model's way from its start

    def of(self, models: int | np.ndarray) -> Inside:
        """The same of one model, without S, or of some."""
        return Inside(*(a[models] for a in self))


def random_directions(key: jax.Array, params: types.Params, count: int) -> types.Params:
    """Draws directions in the space of parameters, of expected length 1: (R, ...).

    Args:
      key: randomness of the draw; the same key gives all models the same directions.
      params: of one model.
      count: R.
    """
    leaves, tree = jax.tree.flatten(params)
    size = sum(np.size(leaf) for leaf in leaves)
    keys = jax.random.split(key, len(leaves))
    drawn = [
        jax.random.normal(key, (count, *np.shape(leaf))) / np.sqrt(size)
        for key, leaf in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(tree, drawn)


def asker(
    apply: Callable, x: types.Array, y: np.ndarray, key: jax.Array
) -> Callable[[types.Params, types.Params], Inside]:
    """Builds what asks one model after another about the same records.

    Args:
      apply: (params, (B, *D)) -> logits (B, K).
      x: (N, *D).
      y: (N,) classes.
      key: randomness of the projection.

    Returns:
      (parameters of a model, those it started from) -> its signals, without S.
    """
    x, y = jnp.asarray(x), jnp.asarray(y)

    @compilation.compiled
    def ask(params, start, x, y):
        norms = gradients.gradient_norms_by_leaf(apply, params, x, y)
        by_leaf = jnp.stack(list(norms.values()), axis=-1)
        drawn = random_directions(key, params, PROJECTIONS)
        update = jax.tree.map(lambda a, b: (a - b)[None], params, start)
        along = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), drawn, update)
        return by_leaf, directions.gradient_products(apply, params, along, x, y)

    def signals(params, start):
        by_leaf, products = (
            np.asarray(a, np.float64) for a in ask(params, start, x, y)
        )
        whole = np.sqrt((by_leaf**2).sum(axis=-1))
        norm, leaf_norms = (
            -np.log(np.maximum(a, LEAST_NORM)) for a in (whole, by_leaf)
        )
        found = Inside(norm, leaf_norms, products[:-1].T, products[-1])
        return Inside(*(a.astype(np.float32) for a in found))

    return signals


def stacked(of: list[Inside]) -> Inside:
    """The signals of S models, each (S, N, ...)."""
    return Inside(*map(np.stack, zip(*of, strict=True)))
