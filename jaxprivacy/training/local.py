"""Local training: epochs of mini-batch steps over one participant's records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxprivacy import types
from jaxprivacy.training import gradients as gradients_lib

# (key, params, optimizer state, data) -> (params, optimizer state, mean loss)
Train = Callable[
    [jax.Array, types.Params, Any, types.Batch],
    tuple[types.Params, Any, jax.Array],
]


def shuffled_batches(key: jax.Array, mask: jax.Array, batch_size: int) -> jax.Array:
    """Draws the order of one epoch.

    Real records come first, so that padding adds batches without records and changes
    no other (JAX's random bits for an index do not depend on the number drawn).

    Args:
      key: random key.
      mask: (N,), 1 for real records.
      batch_size: B.

    Returns:
      (ceil(N / B), B) indices, B at most N; N stands for "no record".
    """
    count = mask.shape[0]
    draws = jnp.where(mask > 0, jax.random.uniform(key, (count,)), 2.0)
    order = jnp.argsort(draws)
    batch_size = min(batch_size, count)
    steps = -(-count // batch_size)
    order = jnp.pad(order, (0, steps * batch_size - count), constant_values=count)
    return order.reshape(steps, batch_size)


def take(data: types.Batch, indices: jax.Array) -> types.Batch:
    """Gathers records; an index past the end gives a record with mask 0."""
    return jax.tree.map(
        lambda a: jnp.asarray(a).at[indices].get(mode="fill", fill_value=0), data
    )


def _numbered(key, count):
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))


def sgd(
    gradient: gradients_lib.GradientFn,
    optimizer: optax.GradientTransformation,
    *,
    epochs: int,
    batch_size: int,
) -> Train:
    """Builds `epochs` epochs of mini-batch descent.

    Args:
      gradient: plain or private gradient function.
      optimizer: any optax transformation.
      epochs: passes over the data.
      batch_size: B; the last batch of an epoch may hold fewer records.
    """

    def step(data, carry, key_and_indices):
        params, opt_state = carry
        key, indices = key_and_indices
        batch = take(data, indices)
        grads, loss = gradient(key, params, batch)
        updates, new_state = optimizer.update(grads, opt_state, params)
        new = (optax.apply_updates(params, updates), new_state)
        # Momentum and decay must not move on a batch of nothing but padding.
        count = jnp.sum(batch.mask)
        return jax.tree.map(lambda a, b: jnp.where(count > 0, a, b), new, carry), (
            loss * count,
            count,
        )

    def train(key, params, opt_state, data):
        key_order, key_steps = jax.random.split(key)
        order = jax.vmap(shuffled_batches, (0, None, None))(
            jax.random.split(key_order, epochs), data.mask, batch_size
        )
        steps = order.shape[1]
        order = order.reshape(-1, order.shape[-1])
        # Numbered within their epoch, which padding may lengthen.
        keys = jax.vmap(lambda key: _numbered(key, steps))(
            jax.random.split(key_steps, epochs)
        )
        keys = keys.reshape(epochs * steps, *keys.shape[2:])
        (params, opt_state), (losses, counts) = lax.scan(
            lambda carry, inputs: step(data, carry, inputs),
            (params, opt_state),
            (keys, order),
            # A turn of the loop copies the parameters that it still reads when it
            # writes the new ones, which is a part of the time of a step with one
            # record; of two steps a turn, neither needs the copy.
            unroll=2 if batch_size == 1 else 1,
        )
        return params, opt_state, losses.sum() / jnp.maximum(counts.sum(), 1)

    return train


def side_by_side(function: Callable, *args):
    """Maps over the first axis: on the CPU in a loop, on other platforms by `vmap`.

    For trainings of several models with the same program. One model's activations fit
    a CPU's caches and its products stay plain matrix products: a round of paper A's
    network takes 0.6 of the time, small networks about the same (BUILD_NOTES.md has the
    measurement).

    Args:
      function: what is done with one element; pure, and traced once a platform.
      *args: trees of arrays with a common first axis.
    """
    return lax.platform_dependent(
        *args,
        cpu=lambda *stacked: lax.map(lambda one: function(*one), stacked),
        default=jax.vmap(function),
    )
