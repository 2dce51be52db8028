"""DP-SGD: clipped gradients, summed and noised, in place of the batch's gradient."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from jaxprivacy import checks, errors, types
from jaxprivacy.targets import gradients as clipping
from jaxprivacy.training import gradients, losses


def gradient(
    model: types.Model,
    *,
    max_norm: float,
    noise_multiplier: float,
    expected_batch: float,
) -> gradients.GradientFn:
    """Returns a gradient function whose gradients are clipped, summed and noised.

    Guaranteed, where every record is in a batch with the same probability and apart
    from all others: a Poisson-subsampled Gaussian mechanism of that noise multiplier,
    by adding or removing one record. The sum is divided by the batch size expected, not
    by the one drawn, which would tell of the records. Not guaranteed: anything of the
    loss that is returned beside it, which is exact, and not to be released.

    Args:
      model: the classifier; no record's output may depend on another record.
      max_norm: what each record's gradient, of all parameters together, is clipped to;
        infinity clips nothing, and goes without noise.
      noise_multiplier: standard deviation of the noise, in units of `max_norm`; 0 or
        more.
      expected_batch: how many records a batch has on average, above 0.

    Raises:
      InputError: one of them is out of its range.

    Source: Abadi et al., "Deep learning with differential privacy", CCS 2016,
    algorithm 1.
    """
    checks.at_least_zero("noise_multiplier", noise_multiplier)
    checks.positive("expected_batch", expected_batch)
    if not max_norm > 0 or (noise_multiplier and math.isinf(max_norm)):
        raise errors.InputError(
            "max_norm", max_norm, "are numbers above 0, and without noise inf"
        )
    deviation = noise_multiplier * max_norm if noise_multiplier else 0.0

    def private(key, params, batch):
        total = clipping.clipped_gradient(
            model.apply, params, *batch[:2], max_norm=max_norm, mask=batch.mask
        )
        found = jax.tree.map(
            lambda summed, noise: (summed + noise) / expected_batch,
            total,
            _noise(key, total, deviation),
        )
        values = losses.cross_entropy(model.apply(params, batch.x), batch.y)
        return found, losses.masked_mean(values, batch.mask)

    return private


def _noise(key, tree, deviation):
    """Normal noise like a tree of arrays."""
    leaves, structure = jax.tree.flatten(tree)
    keys = jax.random.split(key, len(leaves))
    return jax.tree.unflatten(
        structure,
        [
            deviation * jax.random.normal(k, leaf.shape, jnp.float32)
            for k, leaf in zip(keys, leaves, strict=True)
        ],
    )
