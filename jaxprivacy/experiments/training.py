"""Federated training as the studies run it: jitted in chunks of rounds."""

from __future__ import annotations

import math
import platform
import zlib
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxprivacy
from jaxprivacy import errors, types
from jaxprivacy.data import Dataset
from jaxprivacy.experiments.checkpoint import Checkpoint
from jaxprivacy.experiments.settings import Settings
from jaxprivacy.federated import roles, simulate
from jaxprivacy.models import targets
from jaxprivacy.training import gradients, local

MOST_SAVES = 10  # of a run, however short its chunks are


class Diverged(errors.InputError):
    """A training that left something that is no number."""


def named_key(seed: int, purpose: str) -> jax.Array:
    """A key for a purpose, by its name: one more attack changes no other's numbers."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(purpose.encode()))


def batch(dataset: Dataset, indices: np.ndarray) -> types.Batch:
    """Gathers records as a batch without padding."""
    x, y = jnp.asarray(dataset.x[indices]), jnp.asarray(dataset.y[indices])
    return types.Batch(x, y, jnp.ones(len(indices)))


def stack(dataset: Dataset, shares: Sequence[np.ndarray]) -> types.Batch:
    """Stacks participants' records (P, N, ...), padded to the largest share."""
    most = max(len(share) for share in shares)
    padded = np.stack([np.pad(share, (0, most - len(share))) for share in shares])
    mask = np.stack([np.arange(most) < len(share) for share in shares])
    stacked = batch(dataset, padded.reshape(-1))
    stacked = jax.tree.map(lambda a: a.reshape(*padded.shape, *a.shape[1:]), stacked)
    return stacked._replace(mask=jnp.asarray(mask, jnp.float32))


def model_name(settings: Settings, dataset: Dataset) -> str:
    """The model's name: as asked for, else by the kind of data."""
    return settings.model or ("cnn" if dataset.is_image else "mlp")


def target_model(settings: Settings, dataset: Dataset, outputs: int) -> types.Model:
    """The classifier that is trained and attacked."""
    shape = dataset.x.shape[1:]
    if model_name(settings, dataset) == "cnn":
        return targets.as_model(targets.classifier(shape, outputs), shape)
    return targets.as_model(targets.MLP(settings.mlp_widths, outputs), shape)


def participant(settings: Settings, model: types.Model) -> roles.Participant:
    """The honest role: local epochs of SGD."""
    optimizer = optax.sgd(settings.learning_rate, settings.momentum or None)
    train = local.sgd(
        gradients.plain(model),
        optimizer,
        epochs=settings.local_epochs,
        batch_size=settings.batch_size,
    )
    return roles.honest_participant(train, optimizer)


def chunk_length(total: int, chunks: int = 10) -> int:
    """The divisor of `total` nearest to total / chunks, so that all chunks are alike.

    Every length is a program of its own to compile.
    """
    small = [d for d in range(1, math.isqrt(total) + 1) if total % d == 0]
    divisors = small + [total // d for d in small]
    return min(divisors, key=lambda d: abs(d - total / chunks))


class Runner(NamedTuple):
    """A jitted run; swept settings are arguments, so one compilation serves all."""

    init: Callable  # (swept, key, params) -> state
    rounds: Callable  # (swept, key, state, indices of the rounds) -> (state, info)


def runner(make: Callable[..., simulate.Simulation]) -> Runner:
    """Jits the runs that `make(swept)` builds."""
    return Runner(
        jax.jit(lambda swept, *inputs: make(swept).init(*inputs)),
        jax.jit(lambda swept, *inputs: make(swept).rounds(*inputs)),
    )


def run(
    compiled: Runner,
    swept: Any,
    keys: tuple[jax.Array, jax.Array],
    params: types.Params,
    rounds: int,
    advance: Callable[[float], None],
    checkpoint: Checkpoint | None = None,
    axis: int = 0,
) -> tuple[simulate.State, dict]:
    """Runs all rounds in jitted chunks, telling `advance` the share done by each.

    With a checkpoint, the run goes on from what it holds, to the same numbers, and is
    saved between the chunks and at the end.

    Args:
      compiled: the run.
      swept: its arguments.
      keys: of the initial state and of the rounds.
      params: the initial shared model.
      rounds: how many.
      advance: told the share done.
      checkpoint: where the run is kept.
      axis: the axis of rounds in what is logged, where several runs go side by side.

    Returns:
      The final state and what was logged, stacked over the rounds.
    """
    key_init, key_rounds = keys
    state = compiled.init(swept, key_init, params)
    length, done, infos = chunk_length(rounds), 0, []

    def shapes(count):
        indices = jnp.arange(count)
        return jax.eval_shape(compiled.rounds, swept, key_rounds, state, indices)

    if checkpoint and (found := checkpoint.restore(shapes)):
        done, (kept, info) = found
        # Placed as before, or the rounds would be compiled anew.
        state, infos = jax.tree.map(_placed_as, kept, state), [info]
        advance(done / rounds)
    for start in range(done, rounds, length):
        indices = start + jnp.arange(length)
        state, info = compiled.rounds(swept, key_rounds, state, indices)
        infos.append(jax.tree.map(np.asarray, info))
        done = start + length
        if checkpoint and done * MOST_SAVES // rounds > start * MOST_SAVES // rounds:
            checkpoint.save(done, (state, _joined(infos, axis)))
        advance(length / rounds)
    return state, _joined(infos, axis)


def _placed_as(new: np.ndarray, old: jax.Array) -> jax.Array:
    """Puts an array where another one is, committed to its devices or not."""
    return jax.device_put(new, old.sharding if old.committed else None)


def _joined(infos: Sequence[dict], axis: int) -> dict:
    """What was logged, one after the other."""
    return jax.tree.map(lambda *parts: np.concatenate(parts, axis), *infos)


def check_finite(left: Any, **rates: float) -> None:
    """Checks what a training left: parameters, or what was computed with them.

    Args:
      left: a tree of arrays.
      **rates: the settings at fault where something in it is no number.

    Raises:
      Diverged: naming the rates.
    """
    if is_finite(left):
        return
    raise Diverged(
        tuple(rates),
        tuple(f"{rate:g}" for rate in rates.values()),
        found="the training diverges",
        accepted="are rates at which it does not",
    )


def is_finite(tree: Any) -> bool:
    """Whether a tree of arrays holds neither NaN nor infinity."""
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))


def versions() -> dict[str, str]:
    """The versions that a number depends on."""
    names = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn")
    found = {name: metadata.version(name) for name in names}
    return {
        "jaxprivacy": jaxprivacy.__version__,
        "python": platform.python_version(),
        "platform": jax.default_backend(),
        **found,
    }
