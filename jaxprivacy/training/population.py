"""Reference models: many models of one training, each on half of the records."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import types

# (key, records, whose mask is 0 where there is none) -> params
Train = Callable[[jax.Array, types.Batch], types.Params]


class Shares(NamedTuple):
    """What each of S reference models is trained on; every leaf has S in front."""

    key: jax.Array  # (S,), the same for a model in a larger pool
    indices: jax.Array  # (S, M) of the records, M the most of any model
    mask: jax.Array  # (S, M), 1 where there is a record


def shares(key: jax.Array, held: np.ndarray) -> Shares:
    """Gathers what is each model's own.

    Args:
      key: randomness of all trainings.
      held: (S, N) bool, which records each model is trained on.
    """
    most = held.sum(axis=1).max()
    order = np.argsort(~held, axis=1, kind="stable")[:, :most]
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(len(held)))
    mask = np.take_along_axis(held, order, axis=1)
    return Shares(keys, jnp.asarray(order), jnp.asarray(mask, jnp.float32))


def trainer(train: Train) -> Callable[[types.Batch, Shares], types.Params]:
    """The training of one reference model, for any map over models.

    Args:
      train: of one model.

    Returns:
      (all records (N, ...), its share without S) -> params.
    """

    def one(records, share):
        own = jax.tree.map(lambda a: a[share.indices], records)
        return train(share.key, own._replace(mask=own.mask * share.mask))

    return one
