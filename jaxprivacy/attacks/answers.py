"""What attacks take of a target's answers that are no class: in comparable numbers.

For the answers to a class see `statistics`. Each function is of one record at one
snapshot and returns what takes the same places in the features: what a network is told
of the label, the outputs, and statistics of which larger values speak for a member.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from jaxprivacy.attacks import statistics as statistics_lib
from jaxprivacy.attacks.statistics import MOST_LOG_ODDS, RANKED, Statistics
from jaxprivacy.training import losses

SMALLEST_ERROR = 1e-6  # of a standardised number: an error of rounding


class Answer(NamedTuple):
    """What is seen of one record's output."""

    label: jax.Array  # (K,) what a network is told of the label
    output: jax.Array  # (K,)
    statistics: Statistics | tuple  # () where nothing is taken but the loss
    # () the share of the answers that are right; NaN where none is right or wrong
    right: jax.Array


Norms = Mapping[str, jax.Array]  # path -> () squared norm of the record's gradient


def of_class(logits: jax.Array, label: jax.Array, norms: Norms) -> Answer:
    """The answer to one of K classes: (K,), ()."""
    chex.assert_rank([logits, label], [1, 0])
    logits = logits.astype(jnp.float32)
    return Answer(
        jax.nn.one_hot(label, max(len(logits), 2)),
        losses.probabilities(logits),
        statistics_lib.statistics(logits, label, norms),
        (losses.predicted(logits[None])[0] == label).astype(jnp.float32),
    )


def of_numbers(
    output: jax.Array, label: jax.Array, norms: Norms, mean: jax.Array, std: jax.Array
) -> Answer:
    """The answer of a regression: (*D), (*D), brought to the scale of the labels.

    Args:
      output: the numbers that the target gives.
      label: the true ones.
      norms: of the gradient.
      mean: (*D) of known labels.
      std: (*D) likewise, above 0.
    """
    chex.assert_equal_shape([output, label])
    found, true = (
        ((a.astype(jnp.float32) - mean) / std).ravel() for a in (output, label)
    )
    errors = -jnp.log(jnp.abs(found - true) + SMALLEST_ERROR)
    whole = -jnp.log(jnp.sqrt(jnp.mean((found - true) ** 2)) + SMALLEST_ERROR)
    ranked = jax.lax.top_k(errors, min(RANKED, len(errors)))[0]
    statistics = Statistics(whole[None], found, ranked, _log_norms(norms))
    return Answer(true, found, statistics, jnp.array(jnp.nan))


def of_labels(logits: jax.Array, label: jax.Array, norms: Norms) -> Answer:
    """The answers to L independent labels, 0 or 1 each: (L,), (L,)."""
    chex.assert_equal_shape([logits, label])
    logits, label = logits.astype(jnp.float32).ravel(), label.ravel()
    own = jnp.where(label == 1, logits, -logits)
    counted = jnp.ones_like(own, bool)
    return Answer(
        label.astype(jnp.float32),
        jax.nn.sigmoid(logits),
        _of_parts(own, jax.nn.log_sigmoid(own), counted, logits, norms),
        jnp.mean(own > 0),
    )


def of_tokens(logits: jax.Array, label: jax.Array, norms: Norms) -> Answer:
    """The answers to the tokens of a sequence: (T, V), (T,); below 0: padding.

    Taken is the log-odds of each token that truly comes, not those of all V: a
    vocabulary may be large. Padding shows nothing.
    """
    logits = logits.astype(jnp.float32).reshape(-1, logits.shape[-1])
    label = label.ravel()
    chex.assert_equal(len(label), len(logits))
    counted = label >= 0
    true = jnp.maximum(label, 0)
    odds = jax.vmap(statistics_lib.log_odds)(logits)
    own = jnp.take_along_axis(odds, true[:, None], axis=1)[:, 0] * counted
    right = (logits.argmax(axis=1) == true) & counted
    return Answer(
        counted.astype(jnp.float32),
        jax.nn.sigmoid(own) * counted,
        _of_parts(own, jax.nn.log_sigmoid(own), counted, own, norms),
        jnp.sum(right) / jnp.maximum(jnp.sum(counted), 1),
    )


def of_any(label: jax.Array) -> Answer:
    """An answer of which nothing is taken: its loss alone says how good it is."""
    del label
    nothing = jnp.zeros(1)
    return Answer(nothing, nothing, (), jnp.array(jnp.nan))


def _of_parts(own, log_probabilities, counted, shown, norms):
    """Statistics of a record of several answers.

    Its confidence is that of the mean answer; ranked are the answers of which the
    target is least sure, rising: those of a sequence that was learned by heart are few
    (Shi et al. 2024, arXiv:2310.16789, section 3: the least likely tokens).
    """
    mean = jnp.sum(log_probabilities * counted) / jnp.maximum(jnp.sum(counted), 1)
    # log(p / (1 - p)) of p = exp(mean), with all its digits where p is near 1.
    confidence = mean - jnp.log(-jnp.expm1(jnp.minimum(mean, -1e-30)))
    least = jnp.sort(jnp.where(counted, own, MOST_LOG_ODDS))[:RANKED]

    def clipped(a):
        return jnp.clip(a, -MOST_LOG_ODDS, MOST_LOG_ODDS)

    return Statistics(
        clipped(confidence)[None], clipped(shown), clipped(least), _log_norms(norms)
    )


def _log_norms(norms):
    return {path: statistics_lib.log_norm(s)[None] for path, s in norms.items()}
