"""Regularisers: trainings that fit single records less.

Gradient functions and a choice of rounds; `losses.smoothed` and weight decay, which is
optax's, are of their kind. None guarantees any privacy: how much each lowers an attack
is measured, not proved.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import checks, types
from jaxprivacy.models import dropout as dropout_lib
from jaxprivacy.training import gradients, losses


def mixup(
    model: types.Model,
    alpha: float,
    loss: losses.Loss = losses.cross_entropy,
) -> gradients.GradientFn:
    """Returns the gradient on convex combinations of pairs of a batch's records.

    Each real record is mixed with one of the real records of its batch, drawn by a
    permutation, with one weight for the batch; losses are mixed as labels would be.

    Args:
      model: the classifier; its inputs are numbers that may be averaged.
      alpha: the weight is drawn from Beta(alpha, alpha); 0 mixes nothing.
      loss: of each example.

    Raises:
      InputError: `alpha` is below 0 or not finite.

    Source: Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018,
    section 2.
    """
    if not checks.at_least_zero("alpha", alpha):
        return gradients.plain(model, loss)

    def mean_loss(params, key, batch):
        key_weight, key_pairs = jax.random.split(key)
        weight = jax.random.beta(key_weight, alpha, alpha)
        other = partners(key_pairs, batch.mask)
        logits = model.apply(params, mix(weight, batch.x, batch.x[other]))
        values = mix(weight, loss(logits, batch.y), loss(logits, batch.y[other]))
        return losses.masked_mean(values, batch.mask)

    def gradient(key, params, batch):
        batch = jax.tree.map(jnp.asarray, batch)
        value, found = jax.value_and_grad(mean_loss)(params, key, batch)
        return found, value

    return gradient


def mix(weight: jax.Array, first: jax.Array, second: jax.Array) -> jax.Array:
    """Returns `weight * first + (1 - weight) * second`."""
    return weight * first + (1 - weight) * second


def partners(key: jax.Array, mask: jax.Array) -> jax.Array:
    """A permutation of the real records among themselves.

    Args:
      key: randomness of the permutation.
      mask: (B,), 1 for real records.

    Returns:
      (B,) indices; that of a real record is a real record's.
    """
    draws = jnp.where(mask > 0, jax.random.uniform(key, mask.shape), 2.0)
    order = jnp.argsort(draws)  # Real ones first.
    rank = jnp.cumsum(mask > 0) - 1
    return jnp.where(mask > 0, order[rank], jnp.arange(mask.shape[0]))


def dropout(
    model: types.Model, rate: float, loss: losses.Loss = losses.cross_entropy
) -> gradients.GradientFn:
    """Returns the gradient of a model whose dense layers drop inputs at random.

    Args: see `models.dropout.with_dropout`; `loss` is of each example.

    Raises:
      InputError: `rate` is out of its range.
    """
    apply = dropout_lib.with_dropout(model, rate)

    def gradient(key, params, batch):
        dropped = types.Model(model.init, lambda params, x: apply(key, params, x))
        return gradients.plain(dropped, loss)(key, params, batch)

    return gradient


def early_stop(validation: Sequence[float], patience: int | None) -> int:
    """Chooses the round whose model is kept: the best before the loss stopped falling.

    Args:
      validation: (T,) losses of the rounds' models on records held back, which are
        neither members nor among the non-members that are judged.
      patience: after how many rounds without a lower loss training stops, at least 1;
        None: it goes on to the last round, whose model is kept.

    Returns:
      The index of the round. Of a loss that is NaN nothing is lower.

    Raises:
      InputError: `patience` is out of its range.

    Source: Prechelt, "Early stopping - but when?", 1998, with the best so far kept.
    """
    losses_of_rounds = np.asarray(validation, float)
    if patience is None:
        return len(losses_of_rounds) - 1
    checks.positive_integer("patience", patience)
    best, lowest = 0, np.inf
    for index, value in enumerate(losses_of_rounds):
        if value < lowest:
            best, lowest = index, value
        elif index - best >= patience:
            break
    return best
