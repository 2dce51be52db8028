"""Reference models: many models of one training, each on half of the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import types

# (key, records) -> params; records are a batch whose mask is 0 where there is none.
Train = Callable[[jax.Array, types.Batch], types.Params]


class Population(NamedTuple):
    """Reference models and what each was trained on."""

    params: types.Params  # (S, ...)
    held: np.ndarray  # (S, N) bool


def shares(held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The records of each model: indices (S, M) and their mask, M the most of any."""
    most = held.sum(axis=1).max()
    order = np.argsort(~held, axis=1, kind="stable")[:, :most]
    return order, np.take_along_axis(held, order, axis=1).astype(np.float32)


def trainer(train: Train, records: types.Batch) -> Callable:
    """One reference model as a function of what is its own.

    Args:
      train: of one model.
      records: (N, ...) all records.

    Returns:
      (key, indices (M,), mask (M,)) -> params, for any map over models.
    """

    def one(key, indices, mask):
        own = jax.tree.map(lambda a: jnp.asarray(a)[indices], records)
        return train(key, own._replace(mask=own.mask * mask))

    return one


def keys(key: jax.Array, models: int) -> jax.Array:
    """A key for each model, the same for it in a larger pool: (S,)."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(models))


def chunks(models: int, at_once: int) -> Iterator[slice]:
    """Which models are trained together, one lot after the other."""
    for start in range(0, models, at_once):
        yield slice(start, min(start + at_once, models))
