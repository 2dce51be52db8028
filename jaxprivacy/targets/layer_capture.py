"""White-box capture: every layer's input and error signal, for a whole batch at once.

The gradient of an example's loss with respect to a layer's kernel is a sum, over the
positions at which the kernel is applied, of outer products of the layer's input h and
the gradient delta of the loss with respect to the layer's output. One forward and one
backward pass over the batch give (h, delta) of every layer and example; the gradients
themselves, `in * out` numbers an example and layer, are never needed (paper B computes
them one example at a time; Goodfellow 2015, arXiv:1510.01799, uses the same identity
for gradient norms).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxprivacy import types
from jaxprivacy.targets import (
    capture as capture_lib,
    inputs as inputs_lib,
    layers as layers_lib,
    patches,
    program as program_lib,
)
from jaxprivacy.training import losses


class Capture(NamedTuple):
    """What one forward and one backward pass over a batch reveal."""

    logits: jax.Array  # (B, K), or whatever the model puts out
    loss: jax.Array  # (B,) float32
    inputs: dict[str, jax.Array]  # path -> h (B, ...), the layer's input
    deltas: dict[str, jax.Array]  # path -> (B, ...), d loss / d (the layer's output)


def capture(
    apply: program_lib.Apply,
    params: types.Params,
    x: types.Array,
    y: types.Array,
    loss: program_lib.Loss = inputs_lib.cross_entropy,
) -> Capture:
    """Captures (h, delta) of every layer of any function of JAX, unchanged.

    Every record is looked at alone, so a BatchNorm in training mode sees batches of
    one. Which layers there are: see `layers`. Inputs and deltas of a dense layer are
    (B, ..., in) and (B, ..., out); those of a convolution are (B, H, W, C), whatever
    order of axes the model has. Traced anew by every call: wrap it in `jax.jit`.

    Args:
      apply: (params, x) -> outputs (B, ...), one array.
      params: what `apply` takes.
      x: (B, *D).
      y: (B, ...) labels.
      loss: of one record, (output, label) -> ().

    Raises:
      InputError: labels that the default loss does not tell apart: it takes the
        integers 0 to K - 1. Under `jax.jit`, where their values are not known, it makes
        of others NaN.
    """
    return layered(apply, params, x, y, loss)[1]


def layered(
    apply: program_lib.Apply,
    params: types.Params,
    x: types.Array,
    y: types.Array,
    loss: program_lib.Loss = inputs_lib.cross_entropy,
) -> tuple[tuple[types.Layer, ...], Capture]:
    """Like `capture`, with the layers in order of execution."""
    program = program_lib.trace(apply, params, x, y, loss)
    if loss is inputs_lib.cross_entropy:
        losses.check_labels(y, max(1, program.outputs[0].aval.size))
    values = [jnp.asarray(v) for v in jax.tree.leaves(params)]
    found = layers_lib.find(program)
    env = program_lib.prepare(program, values)
    seen = capture_lib.capture(program, env, jnp.asarray(x), jnp.asarray(y))
    h, deltas = {}, {}
    for layer, place in found:
        site = program.sites[place]
        (of,), (delta,) = seen.data[place], seen.deltas[place]
        bring = _convolved if layer.kind == "conv" else _multiplied
        path = layer.path
        h[path], deltas[path] = jax.vmap(lambda *a, b=bring, s=site: b(s, *a))(
            of, delta
        )
    found_layers = tuple(layer for layer, _ in found)
    return found_layers, Capture(seen.outputs[0], seen.loss, h, deltas)


def inputs(
    apply: program_lib.Apply, params: types.Params, x: types.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Outputs and hidden outputs of records: the forward pass alone.

    Args:
      apply: as `capture` takes it.
      params: likewise.
      x: (B, *D).

    Returns:
      The outputs (B, ...); path -> the layer's input (B, ...), in order of execution.
    """
    labels = jnp.zeros(len(x), jnp.int32)
    seen = capture(apply, params, x, labels, lambda out, y: jnp.sum(out))
    return seen.logits, seen.inputs


def _multiplied(site, h, delta):
    """One record's input and delta of a product, inputs and features last."""
    _, axes = layers_lib.contracted(site)
    free = [a for a in range(h.ndim) if a not in axes]
    places = [h.shape[a] for a in free]
    if places[:1] == [1]:  # The axis of the one record.
        places = places[1:]
    h = h.transpose((*free, *axes)).reshape(*places, -1)
    if site.roots == (0,):  # The kernel's axes stand before the others.
        ahead = delta.ndim - len(free)
        delta = delta.transpose((*range(ahead, delta.ndim), *range(ahead)))
    return h, delta.reshape(*places, -1)


def _convolved(site, h, delta):
    """One record's input and delta of a convolution: (H, W, C) each."""
    params = site.eqn.params
    n, channels, *spatial = params["dimension_numbers"].lhs_spec
    h = h.transpose((n, *spatial, channels))
    delta = patches.features_last(delta, params)
    if len(spatial) == 1:
        return h, delta  # The axis of the one record is that of the one row.
    return h[0], delta[0]
