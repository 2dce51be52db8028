"""White-box capture: every layer's input and error signal, for a whole batch at once.

The gradient of an example's loss with respect to a Dense or Conv kernel is a sum, over
the positions at which the kernel is applied, of outer products of the layer's input h
and the gradient delta of the loss with respect to the layer's output. One forward and
one backward pass over the batch give (h, delta) of every layer and example; the
gradients themselves, `in * out` numbers an example and layer, are never needed
(paper B computes them one example at a time; Goodfellow 2015, arXiv:1510.01799, uses
the same identity for gradient norms).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxprivacy import types
from jaxprivacy.models import convolution, interception
from jaxprivacy.models.interception import Layer
from jaxprivacy.training import losses


class Capture(NamedTuple):
    """What one forward and one backward pass over a batch reveal."""

    logits: jax.Array  # (B, K)
    loss: jax.Array  # (B,)
    inputs: dict[str, jax.Array]  # path -> h (B, ...), the layer's input
    deltas: dict[str, jax.Array]  # path -> (B, ...), d loss / d (the layer's output)


def capture(
    apply: interception.Apply,
    params: types.Params,
    x: jax.Array,
    y: jax.Array,
    loss: losses.Loss = losses.cross_entropy,
) -> Capture:
    """Captures (h, delta) of every Dense and Conv layer of any Linen model, unchanged.

    Layers are met by interception, so `apply` may nest modules, add residuals, reuse
    names in different scopes. Other layers with parameters (normalisation, embeddings,
    DenseGeneral) are passed through and not captured; layers inside lifted
    transformations (nn.scan, nn.remat, nn.vmap, nn.jit) are not supported. The examples
    must not mix: BatchNorm in training mode makes `delta` a sum over examples.

    Args:
      apply: (params, x) -> logits (B, K); calls Linen modules.
      params: what `apply` takes.
      x: (B, *D).
      y: (B,) labels.
      loss: (logits, y) -> (B,).

    Raises:
      InputError: `loss` refuses the labels; the default, which knows their values
        outside `jax.jit` only, takes the integers 0 to K - 1 and makes of others NaN.
      ValueError: a layer is called twice, or has a form that is not captured.
    """
    zeros = {
        layer.path: jnp.zeros(out.shape, out.dtype)
        for layer, out in interception.trace(apply, params, x)
    }

    def total_loss(perturbations):
        inputs = {}

        def perturb(path, h, out):
            inputs[path] = h
            return out + perturbations[path]

        logits = interception.call(apply, params, x, perturb)
        values = loss(logits, y)
        return values.sum(), (logits, values, inputs)

    deltas, (logits, values, inputs) = jax.grad(total_loss, has_aux=True)(zeros)
    return Capture(logits, values, inputs, deltas)


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
