"""What an attack sees of a target: outputs and gradients of layers, at some rounds.

Features are kept for all records where they fit in memory, and computed for each batch
where they do not; an attack takes them from either.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import errors, types
from jaxprivacy.attacks import features as features_lib, unsupervised, whitebox
from jaxprivacy.models import attack_presets
from jaxprivacy.programs import compilation
from jaxprivacy.studies import attack_training, whitebox_parts, whitebox_settings
from jaxprivacy.targets import layer_capture


class View(NamedTuple):
    """The features that one attack takes; hashable."""

    output: bool
    loss: bool  # the loss and the label
    hidden: tuple[str, ...]  # of the layers before which the hidden output is taken
    gradients: tuple[types.Layer, ...]


BLACK_BOX = View(True, True, (), ())


def chosen(name: str, text: str, layers: Sequence[types.Layer]) -> list[int]:
    """Reads which layers are meant: all, none, paths, or numbers from the end.

    Args:
      name: for errors.
      text: "all", "none", or with commas: "-1" (the last layer), "Dense_0".
      layers: the target's, in order of their calls.

    Returns:
      Their numbers, from 0, rising.

    Raises:
      InputError: a layer that is not there.
    """
    whole = (whitebox_parts.ALL, whitebox_parts.NONE)
    if text in whole:
        return list(range(len(layers))) if text == whole[0] else []
    paths = [layer.path for layer in layers]
    numbers = {str(-i): len(layers) - i for i in range(1, len(layers) + 1)}
    found = set()
    for word in text.split(","):
        if word not in paths and word not in numbers:
            raise errors.InputError(
                name,
                text,
                f"are {', '.join(whole)}, numbers from the end (-1 to "
                f"-{len(layers)}), or of {', '.join(paths)}, with commas",
            )
        found.add(paths.index(word) if word in paths else numbers[word])
    return sorted(found)


def view(
    variant: whitebox_settings.Variant,
    layers: Sequence[types.Layer],
    receivers: Mapping[str, str | None],
    *,
    loss: bool = False,
) -> View:
    """Resolves what a variant sees of a target with these layers.

    The last layer's output are the class probabilities; with them come the loss and the
    label, which say nothing more of the model. Another layer's output is what the next
    layer that it reaches takes in: after activation and pooling, and in a residual
    block after the sum.

    Args:
      variant: which outputs and gradients.
      layers: the target's.
      receivers: of `layers.receivers`.
      loss: whether the loss and the label are seen in any case. The paper does not say
        whether they are in its comparisons of single layers.

    Raises:
      InputError: a layer that is not there, or nothing is seen at all.
    """
    outputs = chosen("layers", variant.layers, layers)
    gradients = chosen("gradients", variant.gradients, layers)
    if not outputs and not gradients:
        raise errors.InputError(
            ("layers", "gradients"),
            (variant.layers, variant.gradients),
            found="nothing is seen",
            accepted="is at least one layer",
        )
    last = len(layers) - 1
    received = [receivers[layers[i].path] for i in outputs if i < last]
    if None in received:
        unused = layers[outputs[received.index(None)]].path
        raise errors.InputError(
            "layers",
            variant.layers,
            found=f"no layer takes in what {unused} puts out",
            accepted="are the others",
        )
    return View(
        last in outputs,
        last in outputs or loss,
        tuple(dict.fromkeys(received)),
        tuple(layers[i] for i in gradients),
    )


def described(variant: whitebox_settings.Variant) -> dict[str, str]:
    """What a row of the result says of a variant."""
    return {"layers": variant.layers, "gradients": variant.gradients}


def union(views: Sequence[View]) -> View:
    """Everything that any of the views takes."""
    hidden = {path: None for view in views for path in view.hidden}
    gradients = {layer: None for view in views for layer in view.gradients}
    return View(True, True, tuple(hidden), tuple(gradients))


class Observation(NamedTuple):
    """A target as its attacker holds it, with the records that are attacked."""

    snapshots: types.Params  # (T, ...)
    x: jax.Array  # (N, *D)
    y: jax.Array  # (N,)
    basic: features_lib.Features  # without hidden outputs and gradients
    kept: features_lib.Features | None  # with all views'; None: too large to keep


def subset(inputs: Any, where: np.ndarray) -> Any:
    """What an attack takes, of some of the records."""
    if isinstance(inputs, features_lib.Source):
        return inputs._replace(x=inputs.x[where], y=inputs.y[where])
    return features_lib.take(inputs, where)


class Observer(NamedTuple):
    """Compiled observation of a target, and the attacks on what was observed."""

    # (snapshots (T, ...), x, y) -> observation
    observe: Callable[[types.Params, jax.Array, jax.Array], Observation]
    # The features without hidden outputs and gradients, of the same arguments.
    observe_basic: Callable[..., features_lib.Features]
    fit: Callable[..., attack_training.Fit]  # (view, streamed)
    autoencoder: Callable[..., unsupervised.Autoencoder]  # (view, streamed)
    # (observation, view) -> what the view's fit takes
    inputs: Callable[[Observation, View], Any]


def observer(
    model: types.Model,
    views: Sequence[View],
    preset: attack_presets.Preset,
    *,
    channels: Mapping[str, int],
    feature_batch: int,
    memory: float,
) -> Observer:
    """Builds what turns snapshots into what attacks take.

    Args:
      model: the target.
      views: of all attacks.
      preset: of their networks.
      channels: of `image_channels`.
      feature_batch: records captured at once.
      memory: bytes that the features of all records may take; above, an attack
        computes them batch by batch, whatever the number of records.
    """
    extract_all, extract_basic = (
        _extraction(model, view, feature_batch) for view in (union(views), BLACK_BOX)
    )

    def observe(snapshots, x, y):
        if _size(jax.eval_shape(extract_all, snapshots, x, y)) > memory:
            return Observation(snapshots, x, y, extract_basic(snapshots, x, y), None)
        kept = extract_all(snapshots, x, y)
        basic = kept._replace(hidden={}, gradients={})
        return Observation(snapshots, x, y, basic, kept)

    def options(view, streamed):
        return _options(model, view, channels, feature_batch if streamed else None)

    def fit(view, streamed):
        attack = whitebox.supervised(view.gradients, preset, **options(view, streamed))
        if not streamed:
            return attack_training.make_fit(attack, preset)
        moments = _computing_moments(_batch(model, view), feature_batch)
        return attack_training.make_fit(attack, preset, moments)

    def autoencoder(view, streamed):
        chosen = options(view, streamed)
        built = unsupervised.autoencoder(view.gradients, preset, **chosen)
        return compilation.each(built)

    return Observer(observe, extract_basic, _once(fit), _once(autoencoder), _inputs)


def _once(make):
    """Makes what it is asked for once for each view; not streamed unless told so."""
    made = functools.cache(make)
    return lambda view, streamed=False: made(view, streamed)


def _extraction(model, view, feature_batch):
    """Compiled: (snapshots (T, ...), x, y) -> what the view takes of all records."""
    return compilation.compiled(
        lambda snapshots, x, y: features_lib.extract(
            model,
            snapshots,
            x,
            y,
            hidden=view.hidden,
            gradients=view.gradients,
            feature_batch=feature_batch,
        )
    )


def image_channels(
    model: types.Model, params: types.Params, x: jax.Array
) -> dict[str, int]:
    """The channels C of the layers' inputs that are images: path -> C.

    Args:
      model: the target.
      params: its parameters, or their shapes.
      x: records, or their shape; nothing is computed.
    """
    seen = jax.eval_shape(
        lambda params, x: layer_capture.inputs(model.apply, params, x)[1], params, x[:1]
    )
    return {path: a.shape[-1] for path, a in seen.items() if a.ndim == 4}


def record_bytes(
    model: types.Model, views: Sequence[View], params: types.Params, x: np.ndarray
) -> int:
    """How much all views' features of one record at one snapshot take.

    Args:
      model: the target.
      views: of all attacks.
      params: its parameters, or their shapes.
      x: records.
    """
    snapshots = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct((1, *a.shape), a.dtype), params
    )
    y = jax.ShapeDtypeStruct((1,), jnp.int32)
    return _size(jax.eval_shape(_batch(model, union(views)), snapshots, x[:1], y))


def streams(observation: Observation, view: View) -> bool:
    """Whether the view's features are computed batch by batch."""
    return observation.kept is None and bool(view.hidden or view.gradients)


def _size(shapes):
    return sum(a.size * a.dtype.itemsize for a in jax.tree.leaves(shapes))


def _options(model, view, channels, feature_batch):
    """How an attack on a view is built; None: its features are kept, not computed."""
    options = {
        "use_output": view.output,
        "use_loss": view.loss,
        "use_label": view.loss,
        "hidden": view.hidden,
        "channels": channels,
    }
    if feature_batch is None:
        return options
    take = features_lib.computing_take(_batch(model, view))
    return options | {"take": take, "at_once": feature_batch}


def _batch(model, view):
    return features_lib.extractor(model, hidden=view.hidden, gradients=view.gradients)


def _computing_moments(batch, feature_batch):
    """The moments of a source's features, from the records known."""
    computed = compilation.compiled(
        functools.partial(features_lib.computing_moments, batch),
        static=["feature_batch"],
    )

    def moments(source, known):
        known = jnp.asarray(known)
        x, y = source.x[known], source.y[known]
        # Batches of one size that leave out next to none: the last records are all of
        # one kind, and a whole batch less of them would shift the scale.
        size = len(known) // -(-len(known) // feature_batch)
        return computed(source.snapshots, x, y, feature_batch=size)

    return moments


def _inputs(observation, view):
    if streams(observation, view):
        return features_lib.Source(
            observation.snapshots, observation.x, observation.y, ()
        )
    if not view.hidden and not view.gradients:
        return observation.basic
    kept = observation.kept
    return kept._replace(
        hidden={path: kept.hidden[path] for path in view.hidden},
        gradients={layer.path: kept.gradients[layer.path] for layer in view.gradients},
    )
