"""The driver of long work: chunks with progress, checkpoints and early stops."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import types
from jaxprivacy.programs import checkpoint as checkpoint_lib, compilation

MOST_SAVES = 10  # of a run, however short its chunks are

Advance = Callable[[float], None]
# (state, indices of the steps (L,)) -> (state, what was logged, with L on one axis)
Step = Callable[[Any, jax.Array], tuple[Any, Any]]
# (steps done, state, all that was logged) -> whether that is enough
Stop = Callable[[int, Any, Any], bool]


def chunk_length(total: int, chunks: int = 10) -> int:
    """The divisor of `total` nearest to total / chunks, so that all chunks are alike.

    Every length is a program of its own to compile.
    """
    small = [d for d in range(1, math.isqrt(total) + 1) if total % d == 0]
    divisors = small + [total // d for d in small]
    return min(divisors, key=lambda d: abs(d - total / chunks))


def run(
    step: Step,
    state: Any,
    total: int,
    *,
    length: int,
    advance: Advance,
    checkpoint: checkpoint_lib.Checkpoint | None = None,
    stop: Stop | None = None,
    axis: int = 0,
) -> tuple[Any, Any]:
    """Runs steps (rounds, epochs, descents) in chunks.

    With a checkpoint, the run goes on from what it holds, to the same numbers, and is
    saved between the chunks, ten times at most, and at the end.

    Args:
      step: a chunk of steps, compiled; its numbers depend on the indices of the steps
        and not on how they are cut into chunks.
      state: before the first step, a tree of arrays.
      total: steps at most, at least 1.
      length: steps of a chunk; the last may have fewer.
      advance: told the share of `total` that was just done; the shares sum to 1.
      checkpoint: where the run is kept.
      stop: asked after each chunk whether to stop; with a checkpoint it must go by its
        arguments alone, as it is asked again when a run goes on.
      axis: the axis of steps in what is logged.

    Returns:
      The final state, and what was logged, joined over the steps, in the host's memory.
    """
    done, logs, stopped = 0, [], False
    found = checkpoint and checkpoint.restore(
        lambda count: jax.eval_shape(step, state, jnp.arange(count))
    )
    if found:
        done, (kept, log) = found
        # Placed as before, or the chunks would be compiled anew.
        state, logs = jax.tree.map(_placed_as, kept, state), [log]
        stopped = stop is not None and stop(done, state, log)
        advance(1.0 if stopped else done / total)
    while done < total and not stopped:
        start, done = done, min(done + length, total)
        state, log = step(state, jnp.arange(start, done))
        # Waited for, or what is told as done would only have been begun.
        logs.append(jax.tree.map(np.asarray, jax.block_until_ready((state, log))[1]))
        stopped = stop is not None and stop(done, state, joined(logs, axis))
        due = done * MOST_SAVES // total > start * MOST_SAVES // total
        if checkpoint and (due or stopped):
            checkpoint.save(done, (state, joined(logs, axis)))
        advance(((total if stopped else done) - start) / total)
    return state, joined(logs, axis)


def joined(logs: Sequence[Any], axis: int = 0) -> Any:
    """What chunks logged, one after the other."""
    return jax.tree.map(lambda *parts: np.concatenate(parts, axis), *logs)


def _placed_as(new: np.ndarray, old: jax.Array) -> jax.Array:
    """Puts an array where another one is, committed to its devices or not."""
    return jax.device_put(new, old.sharding if old.committed else None)


class Runner(NamedTuple):
    """A compiled run; swept settings are arguments, so one compilation serves all."""

    init: Callable  # (swept, key, params) -> state
    rounds: Callable  # (swept, key, state, indices of the rounds) -> (state, info)


def runner(make: Callable[..., Any]) -> Runner:
    """Compiles the runs that `make(swept)` builds, pairs of `init` and `rounds`."""
    return Runner(
        compilation.compiled(lambda swept, *inputs: make(swept).init(*inputs)),
        compilation.compiled(lambda swept, *inputs: make(swept).rounds(*inputs)),
    )


def run_rounds(
    runs: Runner,
    swept: Any,
    keys: tuple[jax.Array, jax.Array],
    params: types.Params,
    rounds: int,
    advance: Advance,
    checkpoint: checkpoint_lib.Checkpoint | None = None,
    axis: int = 0,
) -> tuple[Any, Any]:
    """Runs all rounds of a training in about ten chunks, all alike; see `run`.

    Args:
      runs: the compiled training.
      swept: its arguments.
      keys: of the initial state and of the rounds.
      params: the initial shared model.
      rounds: how many.
      advance: told the share done.
      checkpoint: where the run is kept.
      axis: the axis of rounds in what is logged, where several runs go side by side.

    Returns:
      The final state and what was logged, joined over the rounds.
    """
    key_init, key_rounds = keys
    return run(
        lambda state, indices: runs.rounds(swept, key_rounds, state, indices),
        runs.init(swept, key_init, params),
        rounds,
        length=chunk_length(rounds),
        advance=advance,
        checkpoint=checkpoint,
        axis=axis,
    )
