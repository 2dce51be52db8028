"""Gradients of a layer from its input h and its error signal delta.

They are sums of outer products of the two over the positions at which the kernel is
applied: what of them is needed is computed, and the gradient itself only where that is
less work.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from jaxprivacy.models import convolution
from jaxprivacy.types import Layer


def positions(
    layer: Layer, h: jax.Array, delta: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Brings a layer's (h, delta) to the form in which gradients are outer products.

    Args:
      layer: the layer.
      h: its input, (B, ...).
      delta: the gradient with respect to its output, (B, ..., features).

    Returns:
      h as (B, S, G, I) and delta as (B, S, G, O): positions S (1 for a Dense layer on
      vectors, output pixels for a Conv), feature groups G, and I, O inputs and outputs
      of a group. The kernel's gradient is the sum over s of h[s] delta[s]^T.
    """
    batch = h.shape[0]
    if layer.kind == "conv":
        h = convolution.patches(
            h, layer.window, layer.strides, layer.padding, layer.dilation, layer.groups
        )
    h = h.reshape(batch, -1, layer.groups, h.shape[-1])
    return h, delta.reshape(batch, h.shape[1], layer.groups, -1)


def kernel_gradient(layer: Layer, h: jax.Array, delta: jax.Array) -> jax.Array:
    """Materialises each example's gradient of the kernel: (B, *kernel shape)."""
    h, delta = positions(layer, h, delta)
    gradient = jnp.einsum("bsgi,bsgo->bigo", h, delta)
    flat = gradient.reshape(h.shape[0], h.shape[-1], layer.features)
    if layer.kind == "dense":
        return flat
    return flat.reshape(h.shape[0], *layer.window, -1, layer.features)


def bias_gradient(layer: Layer, delta: jax.Array) -> jax.Array:
    """Each example's gradient of the bias: (B, ..., features) -> (B, features)."""
    return delta.reshape(delta.shape[0], -1, layer.features).sum(axis=1)


def squared_gradient_norm(layer: Layer, h: jax.Array, delta: jax.Array) -> jax.Array:
    """Squared L2 norm of each example's gradient of the layer, bias included: (B,).

    |sum_s h_s delta_s^T|^2 is the sum over s, t of (h_s . h_t)(delta_s . delta_t);
    with one position it is |h|^2 |delta|^2. Where that is more than the gradient itself
    (S^2 above I O: a convolution of large images), the gradient is formed.
    """
    h, d = positions(layer, h, delta)
    if h.shape[1] ** 2 > h.shape[-1] * d.shape[-1]:
        gradient = jnp.einsum("bsgi,bsgo->bgio", h, d)
        norm = jnp.sum(gradient**2, axis=(1, 2, 3))
    else:
        norm = jnp.einsum(
            "bgst,bgst->b",
            jnp.einsum("bsgi,btgi->bgst", h, h),
            jnp.einsum("bsgo,btgo->bgst", d, d),
        )
    if layer.use_bias:
        norm += jnp.sum(bias_gradient(layer, delta) ** 2, axis=-1)
    return jnp.maximum(norm, 0.0)  # The sum may round to just below 0.


def compact(layer: Layer, h: jax.Array, delta: jax.Array) -> dict[str, jax.Array]:
    """Keeps a layer's gradient in the smaller of its two forms.

    (h, delta) as captured, or the materialised gradient (B, G, I, O), which is smaller
    for a convolution with few channels and many positions.
    """
    positions_h, positions_delta = jax.eval_shape(
        lambda h, d: positions(layer, h, d), h, delta
    )
    _, _, groups, inputs = positions_h.shape
    materialised = groups * inputs * positions_delta.shape[-1]
    if math.prod(h.shape[1:]) + math.prod(delta.shape[1:]) <= materialised:
        return {"h": h, "delta": delta}
    return {"gradient": gradient_matrix(layer, {"h": h, "delta": delta})}


def gradient_matrix(layer: Layer, kept: dict[str, jax.Array]) -> jax.Array:
    """Materialises a gradient from either form: (B, G, I, O)."""
    if "gradient" in kept:
        return kept["gradient"]
    h, delta = positions(layer, kept["h"], kept["delta"])
    return jnp.einsum("bsgi,bsgo->bgio", h, delta)
