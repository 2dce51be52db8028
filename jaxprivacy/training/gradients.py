"""Gradient functions: what local training descends.

A gradient function is plain or private; no protocol has a flag for it.
"""

from __future__ import annotations

from collections.abc import Callable

import jax

from jaxprivacy import types
from jaxprivacy.training import losses

# (key, params, batch) -> (gradients, mean loss)
GradientFn = Callable[
    [jax.Array, types.Params, types.Batch], tuple[types.Params, jax.Array]
]


def plain(model: types.Model, loss: losses.Loss = losses.cross_entropy) -> GradientFn:
    """Returns the gradient of the mean loss over the batch's real records."""

    def mean_loss(params, batch):
        return losses.masked_mean(
            loss(model.apply(params, batch.x), batch.y), batch.mask
        )

    def gradient(key, params, batch):
        del key  # Nothing random in it; private gradient functions draw their noise.
        value, gradients = jax.value_and_grad(mean_loss)(params, batch)
        return gradients, value

    return gradient
