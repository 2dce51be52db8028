"""Per-example loss and what is measured of a classifier."""

from __future__ import annotations

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import optax

from jaxprivacy import types

Loss = Callable[[jax.Array, jax.Array], jax.Array]  # logits (B, K), y (B,) -> (B,)


def cross_entropy(logits: jax.Array, y: jax.Array) -> jax.Array:
    """Cross-entropy of each example in nats: (B, K), (B,) -> (B,)."""
    chex.assert_rank([logits, y], [2, 1])
    return optax.softmax_cross_entropy_with_integer_labels(logits, y)


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean over the real records, 0 where there are none: (B,), (B,) -> ()."""
    return jnp.sum(values * mask) / jnp.maximum(jnp.sum(mask), 1)


def accuracy(model: types.Model, params: types.Params, batch: types.Batch) -> jax.Array:
    """Share of real records whose largest logit is their label's: () in [0, 1]."""
    right = jnp.argmax(model.apply(params, batch.x), axis=-1) == batch.y
    return masked_mean(right.astype(jnp.float32), batch.mask)
