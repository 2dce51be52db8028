"""What a record's outputs and gradients say in numbers that can be compared.

A probability near 1 has no digits left and a gradient's norm spans orders of magnitude;
their log-odds and logarithms have neither fault. Each function is of one record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

RANKED = 10  # classes whose log-odds are kept in falling order
SMALLEST_NORM = 1e-6  # a gradient of rounding errors
MOST_LOG_ODDS = 100.0  # in either direction


class Statistics(NamedTuple):
    """Statistics of N records at T snapshots; a vector each."""

    confidence: jax.Array  # (T, N, 1) log-odds of the record's own class
    log_odds: jax.Array  # (T, N, K) of every class
    ranked: jax.Array  # (T, N, min(K, 10)) the largest of them, falling
    log_norms: Mapping[str, jax.Array]  # path -> (T, N, 1) of the layer's gradient


def log_odds(logits: jax.Array) -> jax.Array:
    """The logarithms of p / (1 - p) of every class: (K,) -> (K,).

    From the logits, so that it neither saturates nor ties where p is 0 or 1 in float32.
    Carlini et al., "Membership Inference Attacks From First Principles", S&P 2022,
    section IV-A, scale confidences in this way.
    """
    chex.assert_rank(logits, 1)
    largest = jnp.arange(len(logits)) == logits.argmax()
    total = jax.nn.logsumexp(logits)
    # The largest probability may be 1 in float32: what is left of it is summed up.
    # Of all the others it is at most a half, and log(1 - p) has its digits.
    others = jnp.where(
        largest,
        jax.nn.logsumexp(jnp.where(largest, -jnp.inf, logits)),
        total + jnp.log1p(-jnp.minimum(jnp.exp(logits - total), 0.5)),
    )
    return jnp.clip(logits - others, -MOST_LOG_ODDS, MOST_LOG_ODDS)


def log_norm(squared_norm: jax.Array) -> jax.Array:
    """The logarithm of a norm, of which rounding errors are cut off: () -> ()."""
    chex.assert_rank(squared_norm, 0)
    return jnp.log(squared_norm + SMALLEST_NORM**2) / 2


def statistics(
    logits: jax.Array, label: jax.Array, squared_norms: Mapping[str, jax.Array]
) -> Statistics:
    """The statistics of one record at one snapshot.

    Args:
      logits: (K,); of a single one, the logit of class 1 of two.
      label: () its class.
      squared_norms: path -> () of the gradient of each layer.
    """
    if len(logits) == 1:
        logits = jnp.concatenate([jnp.zeros_like(logits), logits])
    odds = log_odds(logits)
    ranked = jax.lax.top_k(odds, min(RANKED, len(odds)))[0]
    norms = {path: log_norm(square)[None] for path, square in squared_norms.items()}
    return Statistics(odds[label][None], odds, ranked, norms)
