"""Dropout in a Linen classifier that was built without it, during training only."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxprivacy import errors, types

# (key, params, x (B, *D)) -> outputs (B, K)
RandomApply = Callable[[jax.Array, types.Params, jax.Array], jax.Array]


def with_dropout(model: types.Model, rate: float) -> RandomApply:
    """A model in which each input of its dense layers is dropped at random.

    Not those of its first layer, which are the record itself. What is kept is divided
    by the probability to be kept, so that the mean of an input does not change and the
    model as it is (`model.apply`) is the one to use when not training.

    Args:
      model: built of Linen layers.
      rate: the probability that a number is dropped, in [0, 1).

    Returns:
      (key, params, x) -> outputs; of a model without a dense layer beyond the first
      one, an InputError.

    Raises:
      InputError: `rate` is out of its range.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from
    overfitting", JMLR 2014, with the scaling at training time.
    """
    if not 0 <= rate < 1:
        raise errors.InputError("dropout", rate, "are 0 to below 1")

    def apply(key, params, x):
        layers = dropped = 0

        def intercept(call, args, kwargs, context):
            nonlocal layers, dropped
            is_dense = isinstance(context.module, nn.Dense)
            if context.method_name != "__call__":
                return call(*args, **kwargs)
            if is_dense and layers:
                key_layer = jax.random.fold_in(key, dropped)
                args = (_drop(key_layer, args[0], rate), *args[1:])
                dropped += 1
            layers += is_dense or isinstance(context.module, nn.Conv)
            return call(*args, **kwargs)

        if not rate:
            return model.apply(params, x)
        with nn.intercept_methods(intercept):
            outputs = model.apply(params, x)
        if not dropped:
            raise errors.InputError(
                "dropout",
                rate,
                "is 0 for a model without a Linen Dense layer after its first layer",
            )
        return outputs

    return apply


def _drop(key, values, rate):
    kept = jax.random.bernoulli(key, 1 - rate, values.shape)
    return jnp.where(kept, values / (1 - rate), 0)
