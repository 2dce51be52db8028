"""The features of paper B's attack: what a white-box attacker sees of a record.

For each observed snapshot of the target's parameters: the loss, the output, the hidden
layers' outputs and the gradient of the loss with respect to every layer (paper B,
section II-A; PAPERS row B8), and the record's label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxprivacy import errors, types
from jaxprivacy.attacks import statistics as statistics_lib
from jaxprivacy.targets import layer_capture, layer_gradients
from jaxprivacy.training import losses

TINY = 1e-12  # added to a scale, of which nothing may be 0


class Measured(NamedTuple):
    """The features that have a scale, or what is known of the scale of each."""

    loss: jax.Array
    hidden: dict[str, jax.Array]
    gradients: dict[str, dict[str, jax.Array]]
    statistics: statistics_lib.Statistics | tuple = ()


class Scales(NamedTuple):
    """What `take` subtracts, and what it divides by."""

    shift: Measured
    scale: Measured


class Moments(NamedTuple):
    """First and second moments of features over snapshots and records, unit by unit."""

    mean: Measured
    mean_square: Measured


class Features(NamedTuple):
    """Features of N records at T snapshots."""

    label: jax.Array  # (N, K) one-hot
    loss: jax.Array  # (T, N, 1)
    output: jax.Array  # (T, N, K) probabilities
    hidden: dict[str, jax.Array]  # path -> (T, N, W)
    # path -> {"h", "delta"}, each (T, N, ...), or {"gradient": (T, N, G, I, O)}
    gradients: dict[str, dict[str, jax.Array]]
    norm: jax.Array  # (T, N) L2 norm of the gradient of all captured layers
    # (T, N, L) the same of each layer alone, in order of their calls
    layer_norms: jax.Array | tuple = ()
    # What `take` brings to scale: a second copy of all features could be too large. ()
    # in what it returns.
    scales: Scales | tuple = ()
    statistics: statistics_lib.Statistics | tuple = ()


class Source(NamedTuple):
    """Records whose features are computed when they are taken.

    Takes the place of `Features` where those of all records would not fit in memory.
    """

    snapshots: types.Params  # (T, ...)
    x: jax.Array  # (N, *D)
    y: jax.Array  # (N,)
    scales: Scales


# (snapshots (T, ...), x (B, *D), y (B,)) -> features of the batch
Extractor = Callable[[types.Params, jax.Array, jax.Array], Features]


def extractor(
    model: types.Model,
    *,
    hidden: Sequence[str],
    gradients: Sequence[types.Layer],
    loss: losses.Loss = losses.cross_entropy,
) -> Extractor:
    """Builds what computes the features of one batch at every snapshot.

    Args:
      model: the target.
      hidden: paths of the layers before which the hidden output is taken: the input of
        a layer is what the layers before it put out, after activation and pooling.
      gradients: the layers whose gradients are taken.
      loss: (logits, y) -> (B,).

    Returns:
      (snapshots, x, y) -> features; empty dictionaries where no hidden outputs or
      gradients are asked for (the black-box attack). It raises InputError for a model
      without layers.
    """
    kept = {layer.path for layer in gradients}

    def of_one(output, label):
        return loss(output[None], label[None])[0]

    def per_snapshot(params, x, y):
        layers, seen = layer_capture.layered(model.apply, params, x, y, of_one)
        _check_layers(layers)
        pairs = [
            (layer, seen.inputs[layer.path], seen.deltas[layer.path])
            for layer in layers
        ]
        squares = [layer_gradients.squared_gradient_norm(*pair) for pair in pairs]
        return Features(
            label=jax.nn.one_hot(y, seen.logits.shape[-1]),
            loss=seen.loss[:, None],
            output=losses.probabilities(seen.logits),
            hidden={path: seen.inputs[path].reshape(len(y), -1) for path in hidden},
            gradients={
                p[0].path: layer_gradients.compact(*p)
                for p in pairs
                if p[0].path in kept
            },
            norm=jnp.sqrt(sum(squares)),
            layer_norms=jnp.sqrt(jnp.stack(squares, axis=-1)),
            statistics=jax.vmap(statistics_lib.statistics)(
                seen.logits,
                y,
                {p[0].path: s for p, s in zip(pairs, squares, strict=True)},
            ),
        )

    def batch(snapshots, x, y):
        features = lax.map(lambda params: per_snapshot(params, x, y), snapshots)
        return features._replace(label=features.label[0])

    return batch


def _check_layers(layers: Sequence[types.Layer]) -> None:
    if not layers:
        raise errors.InputError(
            "model",
            found="no product or convolution with a single kernel is in it",
            accepted="are models with at least one such layer",
        )


def extract(
    model: types.Model,
    snapshots: types.Params,
    x: jax.Array,
    y: jax.Array,
    *,
    hidden: Sequence[str],
    gradients: Sequence[types.Layer],
    loss: losses.Loss = losses.cross_entropy,
    feature_batch: int = 256,
) -> Features:
    """Computes the features of records at every snapshot.

    Args:
      model: the target.
      snapshots: its parameters, stacked (T, ...).
      x: records, (N, *D).
      y: their labels, (N,).
      hidden: see `extractor`.
      gradients: see `extractor`.
      loss: (logits, y) -> (B,).
      feature_batch: records captured at once; sets the memory beside the features.

    Raises:
      InputError: labels that the model's outputs do not tell apart, see
        `losses.cross_entropy`.
    """
    batch = extractor(model, hidden=hidden, gradients=gradients, loss=loss)
    if loss is losses.cross_entropy:  # Inside the loop over batches they are traced.
        one = jax.eval_shape(batch, snapshots, x[:1], y[:1])
        losses.check_labels(y, one.output.shape[-1])
    return _in_batches(lambda x, y: batch(snapshots, x, y), (x, y), feature_batch)


def _in_batches(function, records, size):
    """Maps over batches of records and joins what comes out, (T, N, ...).

    Every batch has `size` records, so that one program serves all; the last overlaps
    the one before it.
    """
    count = len(records[1])
    size = min(size, count)
    starts = jnp.minimum(jnp.arange(-(-count // size)) * size, count - size)

    def one(start):
        return function(*(lax.dynamic_slice_in_dim(a, start, size) for a in records))

    shapes = jax.eval_shape(one, starts[0])
    out = jax.tree.map(
        lambda a: jnp.zeros(_with_records(a.shape, count), a.dtype),
        shapes._replace(label=()),
    )
    labels = jnp.zeros((count, *shapes.label.shape[1:]), shapes.label.dtype)

    def step(carry, start):
        features = one(start)
        stacked, labels = carry
        stacked = jax.tree.map(
            lambda a, b: lax.dynamic_update_slice_in_dim(a, b, start, 1),
            stacked,
            features._replace(label=()),
        )
        labels = lax.dynamic_update_slice_in_dim(labels, features.label, start, 0)
        return (stacked, labels), None

    (stacked, labels), _ = lax.scan(step, (out, labels), starts)
    return stacked._replace(label=labels)


def _with_records(shape, count):
    return (shape[0], count, *shape[2:])


def take(features: Features, indices: jax.Array) -> Features:
    """Gathers records, N -> B behind any snapshot axis, and brings them to scale."""
    bare = features._replace(label=(), scales=())
    taken = jax.tree.map(lambda a: a[:, indices], bare)
    taken = taken._replace(label=features.label[indices])
    return _scaled(taken, features.scales) if features.scales else taken


def computing_take(batch: Extractor) -> Callable[[Source, jax.Array], Features]:
    """Like `take`, of a `Source`: computes the features of the records asked for."""

    def computed(source, indices):
        features = batch(source.snapshots, source.x[indices], source.y[indices])
        return _scaled(features, source.scales)

    return computed


def moments(features: Features, known: jax.Array) -> Moments:
    """Computes the moments of loss, hidden outputs, gradients and statistics.

    Args:
      features: of N records.
      known: indices of the attack-training records; no others set the scale.
    """
    return _moments(jax.tree.map(lambda a: a[:, known], _measured(features)))


def computing_moments(
    batch: Extractor,
    snapshots: types.Params,
    x: jax.Array,
    y: jax.Array,
    *,
    feature_batch: int = 256,
) -> Moments:
    """Like `moments`, of a `Source`: never holds more than a batch's features.

    Args:
      batch: of `extractor`.
      snapshots: (T, ...).
      x: the attack-training records, (N, *D).
      y: their labels, (N,).
      feature_batch: records captured at once; N modulo it are left out, unless N is
        smaller.
    """
    size = min(feature_batch, len(y))
    starts = jnp.arange(len(y) // size) * size

    def one(start):
        part = [lax.dynamic_slice_in_dim(a, start, size) for a in (x, y)]
        return _moments(_measured(batch(snapshots, *part)))

    return jax.tree.map(lambda a: a.mean(axis=0), lax.map(one, starts))


def root_mean_square(moments: Moments) -> Scales:
    """Divides loss, hidden outputs and gradients by one number each.

    A deviation from paper B, which feeds them as they are: gradients of a trained model
    are orders of magnitude smaller than the other features, and with weights from
    N(0, 0.01) their components hardly train (BUILD_NOTES.md has the comparison).
    """
    scale = jax.tree.map(lambda a: jnp.sqrt(a.mean()) + TINY, moments.mean_square)
    shift = jax.tree.map(jnp.zeros_like, scale)
    return Scales(shift, scale)


def standard(moments: Moments) -> Scales:
    """Brings every unit to mean 0 and standard deviation 1, a unit that varies.

    But the W units of a hidden output to 1 / sqrt(W), so that they weigh as much as one
    statistic: at 1 they are learned by heart before the rest is learned. And a gradient
    is divided by its root mean square as a whole: its units keep their proportions and
    their zero, so that outer products of its two factors stay the gradient. A unit
    that is 0 on all known records stays 0, whatever it is on others.
    """
    mean, square = moments
    variance = jax.tree.map(lambda m, s: s - m**2, mean, square)
    # The difference of two float32 numbers: below, it is their rounding.
    # A unit that is 0 on all known records has no scale, whatever it is on others.
    scale = jax.tree.map(
        lambda v, s: jnp.where(
            s > 0, jnp.sqrt(jnp.maximum(v, 1e-6 * s)) + TINY, jnp.inf
        ),
        variance,
        square,
    )
    whole = root_mean_square(moments)
    hidden = {path: a * jnp.sqrt(a.size) for path, a in scale.hidden.items()}
    return Scales(
        mean._replace(gradients=whole.shift.gradients),
        scale._replace(hidden=hidden, gradients=whole.scale.gradients),
    )


def _measured(features):
    return Measured(
        features.loss, features.hidden, features.gradients, features.statistics
    )


def _moments(measured):
    def over_records(a):  # (T, N, ...): of each unit.
        return a.mean(axis=(0, 1))

    return Moments(
        jax.tree.map(over_records, measured),
        jax.tree.map(lambda a: over_records(a**2), measured),
    )


def _scaled(features, by):
    scaled = jax.tree.map(
        lambda a, shift, scale: (a - shift) / scale, _measured(features), *by
    )
    return features._replace(**scaled._asdict())
