"""The features of paper B's attack: what a white-box attacker sees of a record.

For each observed snapshot of the target's parameters: the loss, the output, the hidden
layers' outputs and the gradient of the loss with respect to every layer (paper B,
section II-A; PAPERS row B8), and the record's label.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxprivacy import types
from jaxprivacy.attacks import capture
from jaxprivacy.models import interception
from jaxprivacy.models.interception import Layer
from jaxprivacy.training import losses


class Features(NamedTuple):
    """Features of N records at T snapshots."""

    label: jax.Array  # (N, K) one-hot
    loss: jax.Array  # (T, N, 1)
    output: jax.Array  # (T, N, K) probabilities
    hidden: dict[str, jax.Array]  # path -> (T, N, W)
    # path -> {"h", "delta"}, each (T, N, ...), or {"gradient": (T, N, G, I, O)}
    gradients: dict[str, dict[str, jax.Array]]
    norm: jax.Array  # (T, N) L2 norm of the gradient of all captured layers


def extract(
    model: types.Model,
    snapshots: types.Params,
    x: jax.Array,
    y: jax.Array,
    *,
    hidden: Sequence[str],
    gradients: Sequence[Layer],
    loss: losses.Loss = losses.cross_entropy,
    feature_batch: int = 256,
) -> Features:
    """Computes the features of records at every snapshot.

    Args:
      model: the target.
      snapshots: its parameters, stacked (T, ...).
      x: records, (N, *D).
      y: their labels, (N,).
      hidden: paths of the layers before which the hidden output is taken: the input of
        a layer is what the layers before it put out, after activation and pooling.
      gradients: the layers whose gradients are taken.
      loss: (logits, y) -> (B,).
      feature_batch: records captured at once; sets the peak memory.

    Returns:
      The features; empty dictionaries where no hidden outputs or gradients are asked
      for (the black-box attack).
    """
    layers = interception.layers(
        model.apply, jax.tree.map(lambda a: a[0], snapshots), x[:1]
    )
    kept = {layer.path for layer in gradients}

    def per_record(params, x, y):
        seen = capture.capture(model.apply, params, x[None], y[None], loss)
        squares = [
            capture.squared_gradient_norm(
                layer, seen.inputs[layer.path], seen.deltas[layer.path]
            )
            for layer in layers
        ]
        features = Features(
            label=jax.nn.one_hot(y[None], seen.logits.shape[-1]),
            loss=seen.loss[:, None],
            output=jax.nn.softmax(seen.logits),
            hidden={path: seen.inputs[path].reshape(1, -1) for path in hidden},
            gradients={
                layer.path: compact(
                    layer, seen.inputs[layer.path], seen.deltas[layer.path]
                )
                for layer in layers
                if layer.path in kept
            },
            norm=jnp.sqrt(sum(squares)),
        )
        return jax.tree.map(lambda a: a[0], features)

    def per_snapshot(params):
        return lax.map(
            lambda xy: per_record(params, *xy), (x, y), batch_size=feature_batch
        )

    features = lax.map(per_snapshot, snapshots)
    return features._replace(label=features.label[0])


def compact(layer: Layer, h: jax.Array, delta: jax.Array) -> dict[str, jax.Array]:
    """Keeps a layer's gradient in the smaller of its two forms.

    (h, delta) as captured, or the materialised gradient (B, G, I, O), which is smaller
    for a convolution with few channels and many positions.
    """
    positions_h, positions_delta = jax.eval_shape(
        lambda h, d: capture.positions(layer, h, d), h, delta
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
    h, delta = capture.positions(layer, kept["h"], kept["delta"])
    return jnp.einsum("bsgi,bsgo->bgio", h, delta)


def take(features: Features, indices: jax.Array) -> Features:
    """Gathers records: N -> B, behind the snapshot axis where there is one."""
    stacked = jax.tree.map(lambda a: a[:, indices], features._replace(label=()))
    return stacked._replace(label=features.label[indices])


def normalise(features: Features, known: jax.Array) -> Features:
    """Divides loss, hidden outputs and gradients by their root mean square.

    A deviation from paper B, which feeds them as they are: gradients of a trained model
    are orders of magnitude smaller than the other features, and with weights from
    N(0, 0.01) their components hardly train (BUILD_NOTES.md has the comparison).

    Args:
      features: of N records.
      known: indices of the attack-training records; no others set the scale.
    """

    def divide(a):
        return a / (jnp.sqrt(jnp.mean(a[:, known] ** 2)) + 1e-12)

    return features._replace(
        loss=divide(features.loss),
        hidden=jax.tree.map(divide, features.hidden),
        gradients=jax.tree.map(divide, features.gradients),
    )
