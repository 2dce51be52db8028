"""Per-example loss and what is measured of a classifier."""

from __future__ import annotations

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxprivacy import types

Loss = Callable[[jax.Array, jax.Array], jax.Array]  # logits (B, K), y (B,) -> (B,)


def cross_entropy(logits: jax.Array, y: jax.Array) -> jax.Array:
    """Cross-entropy of each example in nats: (B, K), (B,) -> (B,)."""
    chex.assert_rank([logits, y], [2, 1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, y)


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean over the real records, 0 where there are none: (B,), (B,) -> ()."""
    return jnp.sum(values * mask) / jnp.maximum(jnp.sum(mask), 1)


def accuracy(
    model: types.Model, params: types.Params, batch: types.Batch, *, at_once: int = 1000
) -> jax.Array:
    """Share of real records whose largest logit is their label's: () in [0, 1].

    Args:
      model: the classifier.
      params: its parameters.
      batch: N records.
      at_once: records that pass the model together, which bounds the memory.
    """

    def right(x, y):
        return (jnp.argmax(model.apply(params, x), axis=-1) == y).astype(jnp.float32)

    count = len(batch.y)
    chunks = -(-count // at_once)
    if chunks == 1:
        return masked_mean(right(batch.x, batch.y), batch.mask)

    def cut(a):
        size = -(-count // chunks)
        a = jnp.pad(a, ((0, chunks * size - count),) + ((0, 0),) * (a.ndim - 1))
        return a.reshape(chunks, size, *a.shape[1:])

    x, y, mask = jax.tree.map(cut, batch)
    hits = lax.map(lambda chunk: right(*chunk), (x, y))
    return masked_mean(hits.reshape(-1), mask.reshape(-1))
