"""Which layers of a target an attack of its own model takes, so that memory holds them.

Paper B finds that the last layers say most (section IV, Table V): taken are the hidden
outputs before the last two layers and the gradient of the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxprivacy import types
from jaxprivacy.targets import (
    layer_capture,
    layer_gradients,
    layers as layers_lib,
    target as targets,
    tasks,
)

HIDDEN, GRADIENTS = 2, 1  # last layers of which they are taken
LARGEST = 65_536  # numbers of one record that a single one of them may be
MOST = 2**30  # bytes that all of them may take, of all records and snapshots
UNKNOWN = 100_000  # records of a stream that does not tell how many it has


class Taken(NamedTuple):
    """What is taken of a target's layers."""

    hidden: tuple[str, ...] = ()  # layers before which the hidden output is taken
    gradients: tuple[types.Layer, ...] = ()
    left: tuple[str, ...] = ()  # what was not taken, and why, in words


def taken(
    target: targets.Target,
    task: tasks.Task,
    x: np.ndarray,
    y: np.ndarray,
    records: int | None,
    snapshots: int,
) -> Taken:
    """Chooses among the last layers those that are small enough; nothing is computed.

    Args:
      target: the model.
      task: what it answers.
      x: records, of which the form counts.
      y: their labels, likewise.
      records: how many there are; None: unknown.
      snapshots: at which each is looked at.
    """
    if task.kind == tasks.OWN:
        return Taken()
    program = layers_lib.trace(target.apply, target.params, x)
    layers = [each.layer for each in layers_lib.find(program)]
    hidden, sizes = layers_lib.hidden(program), _sizes(target, task, layers, x, y)
    last = layers[-max(HIDDEN, GRADIENTS) :][::-1]  # The last one first.
    left, room = [], MOST

    def fits(what, path, size):
        nonlocal room
        in_all = 4 * size * snapshots * (records or UNKNOWN)
        if size <= LARGEST and in_all <= room:
            room -= in_all
            return True
        named = f"the {what} {path or 'its only layer'}"
        left.append(f"{named} ({size:,} numbers a record, {in_all:,} bytes in all)")
        return False

    gradients = tuple(
        layer
        for layer in last[:GRADIENTS]
        if fits("gradient of", layer.path, sizes.gradients[layer.path])
    )
    chosen = tuple(
        layer.path
        for layer in last[:HIDDEN]
        if layer.path in hidden
        and fits("hidden output before", layer.path, sizes.hidden[layer.path])
    )
    return Taken(chosen, gradients, tuple(left))


class _Sizes(NamedTuple):
    """Numbers of one record."""

    hidden: dict[str, int]
    gradients: dict[str, int]


def _sizes(target, task, layers: Sequence[types.Layer], x, y) -> _Sizes:
    def one(params, x, y):
        seen = layer_capture.capture(target.apply, params, x, y, task.loss)
        return seen.inputs, _gradients(seen, layers)

    found = jax.eval_shape(one, target.params, x[:1], y[:1])

    def size(kept):
        return sum(a.size for a in jax.tree.leaves(kept))

    return _Sizes(*({path: size(a) for path, a in some.items()} for some in found))


def _gradients(seen, layers) -> dict[str, dict[str, jax.Array]]:
    return {
        layer.path: layer_gradients.compact(
            layer, seen.inputs[layer.path], seen.deltas[layer.path]
        )
        for layer in layers
    }


def features(
    target: targets.Target,
    task: tasks.Task,
    of: Taken,
    params: types.Params,
    x: jax.Array,
    y: jax.Array,
) -> dict[str, Any]:
    """Hidden outputs and gradients of N records at one snapshot, for `Features`.

    Args:
      target: the model.
      task: what it answers.
      of: what is taken.
      params: the snapshot.
      x: (N, *D).
      y: (N, ...).
    """
    if not (of.hidden or of.gradients):
        return {"hidden": {}, "gradients": {}}
    seen = layer_capture.capture(target.apply, params, x, y, task.loss)
    found = {
        "hidden": {path: seen.inputs[path].reshape(len(x), -1) for path in of.hidden},
        "gradients": _gradients(seen, of.gradients),
    }
    return jax.tree.map(lambda a: a.astype(np.float32), found)


def told(of: Taken) -> str:
    """What the white-box attack takes, in a sentence for the report."""
    parts = [f"the hidden output before {path}" for path in of.hidden]
    parts += [f"the gradient of {layer.path}" for layer in of.gradients]
    sentence = (
        "The white-box attack takes the outputs, the loss, the norms of the gradients "
        "by each array of the parameters"
    )
    if parts:
        sentence += f", and of the model's layers {', '.join(parts)}"
    sentence += "."
    if of.left:
        sentence += f" Too large to be taken: {'; '.join(of.left)}."
    elif not parts:
        sentence += " No layer was found whose hidden output or gradient it could take."
    return sentence
