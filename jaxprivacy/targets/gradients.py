"""Norms and clipped sums of each record's gradient, for any JAX function."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxprivacy import checks, types
from jaxprivacy.targets import (
    capture as capture_lib,
    equations,
    inputs,
    norms as norms_lib,
    plan as plan_lib,
    program as program_lib,
)

# Bytes that the values of the records in work may take together. On a CPU more than the
# caches hold is slower, and above 32 MiB the memory is asked for anew in each run.
AT_ONCE = {"cpu": 2**24}
OTHERWISE = 2**29
LEAST, MOST = 8, 512  # records at once: the weights are read for each lot of them


def gradient_norms(
    apply: program_lib.Apply,
    params: types.Params,
    x: types.Array,
    y: types.Array,
    *,
    loss: program_lib.Loss | None = None,
    at_once: int | None = None,
) -> jax.Array:
    """L2 norm of each record's gradient by all parameters together: (N,) float32.

    Exact for any function of JAX: Linen and NNX modules, other libraries' pure
    functions, bare functions. Each record is looked at alone, as `apply(params,
    x[n:n+1])`. Traced anew by every call: wrap repeated calls in `jax.jit`.

    Args:
      apply: the model, (params, (B, *D)) -> outputs (B, ...), without randomness.
      params: a tree of arrays; those of real numbers have gradients.
      x: (N, *D) records.
      y: (N, ...) labels.
      loss: of one record, (output, label) -> (). Default: cross-entropy of outputs (K,)
        and labels 0 to K - 1; of one output the logistic loss, labels 0 and 1.
      at_once: records that pass the model together, which bounds the memory. Default:
        8 to 512, as many as the caches of a CPU or half a GiB of another device hold.

    Raises:
      InputError: the shapes do not fit together, no parameter is a real number, the
        loss is not one number a record; and outside `jax.jit`, where values can be
        looked at: a label the outputs do not tell apart, an output that is NaN or
        depends on other records than its own.
    """
    squared = _by_leaf(apply, params, x, y, loss, at_once)
    return jnp.sqrt(sum(squared.values()))


def gradient_norms_by_leaf(
    apply: program_lib.Apply,
    params: types.Params,
    x: types.Array,
    y: types.Array,
    *,
    loss: program_lib.Loss | None = None,
    at_once: int | None = None,
) -> dict[str, jax.Array]:
    """Like `gradient_norms`, of each array of the parameters.

    Returns:
      The array's path in the tree ("params/Dense_0/kernel") -> (N,) float32.
    """
    squared = _by_leaf(apply, params, x, y, loss, at_once)
    return {path: jnp.sqrt(values) for path, values in squared.items()}


def clipped_gradient(
    apply: program_lib.Apply,
    params: types.Params,
    x: types.Array,
    y: types.Array,
    *,
    max_norm: float,
    mask: types.Array | None = None,
    loss: program_lib.Loss | None = None,
    at_once: int | None = None,
) -> types.Params:
    """The sum over the records of their gradients, each clipped to a norm.

    A gradient g becomes g min(1, max_norm / |g|), |g| being over all parameters (Abadi
    et al., arXiv:1607.00133, algorithm 1). One backward pass; no single record's
    gradient is kept (book-keeping, arXiv:2210.00038).

    Args:
      apply: as `gradient_norms` takes it, like the other arguments.
      params: likewise.
      x: likewise.
      y: likewise.
      max_norm: above 0; infinity clips nothing.
      mask: (N,) weights, 0 for records that fill a batch up. Default: 1.
      loss: likewise.
      at_once: likewise.

    Returns:
      A tree like `params`, with zeros of `float0` where `jax.grad` has them.

    Raises:
      InputError: like `gradient_norms`, and for `max_norm`.
    """
    inputs.check_max_norm(max_norm)
    work = _prepare(apply, params, x, y, loss, at_once, mask)
    program = work.program

    def of_chunk(x, y, mask):
        captured, measured = _measure(work, x, y)
        norm = jnp.sqrt(sum(measured.squared.values()))
        weights = mask * jnp.minimum(1.0, max_norm / norm)
        summed = norms_lib.weighted_sum(
            program, work.plan, work.env, captured, measured.kept, weights
        )
        return summed, (captured.loss, captured.undefined)

    def step(total, chunk):
        summed, seen = of_chunk(*chunk)
        return jax.tree.map(jnp.add, total, summed), seen

    shapes, _ = jax.eval_shape(of_chunk, *(a[0] for a in work.chunks))
    zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)
    total, seen = lax.scan(step, zeros, work.chunks)
    inputs.check_values(*(_flat(a, len(x)) for a in seen))
    found = norms_lib.by_leaves(program, work.values, total)
    gradients = [
        found[i] if leaf.learned else np.zeros(leaf.shape, jax.dtypes.float0)
        for i, leaf in enumerate(program.leaves)
    ]
    return jax.tree.unflatten(jax.tree.structure(params), gradients)


class _Work(NamedTuple):
    """A call's program and records, in chunks."""

    program: program_lib.Program
    plan: plan_lib.Plan
    values: list[jax.Array]  # of the leaves
    env: equations.Env
    chunks: tuple[jax.Array, jax.Array, jax.Array]  # x, y, mask, (chunks, B, ...) each


def _prepare(apply, params, x, y, loss, at_once, mask=None) -> _Work:
    """Checks the arguments, traces the program and cuts the records into chunks."""
    x, y = inputs.check_records(x, y)
    loss = inputs.check_model(apply, params, x, y, loss)
    program = program_lib.trace(apply, params, x, y, loss)
    values = [jnp.asarray(v) for v in jax.tree.leaves(params)]
    if at_once is None:
        memory = AT_ONCE.get(jax.default_backend(), OTHERWISE)
        at_once = int(np.clip(memory // capture_lib.size(program), LEAST, MOST))
    at_once = checks.positive_integer("at_once", at_once)
    count = -(-len(x) // at_once)
    size = -(-len(x) // count)

    def cut(a):
        # Records of the first chunk fill the last one up; their mask is 0.
        filled = jnp.concatenate([a, a[: count * size - len(a)]])
        return filled.reshape(count, size, *a.shape[1:])

    real = jnp.ones(len(x)) if mask is None else jnp.asarray(mask, jnp.float32)
    filling = (0, count * size - len(x))
    chunks = cut(x), cut(y), jnp.pad(real, filling).reshape(count, size)
    env = program_lib.prepare(program, values)
    return _Work(program, plan_lib.plan(program), values, env, chunks)


def _measure(work: _Work, x: jax.Array, y: jax.Array):
    """Captures a chunk of records and measures their gradients."""
    captured = capture_lib.capture(work.program, work.env, x, y)
    return captured, norms_lib.measure(
        work.program, work.plan, work.env, work.values, captured
    )


def _by_leaf(apply, params, x, y, loss, at_once) -> dict[str, jax.Array]:
    """Squared norms of each record and leaf."""
    work = _prepare(apply, params, x, y, loss, at_once)

    def one(chunk):
        captured, measured = _measure(work, *chunk[:2])
        return measured.squared, (captured.loss, captured.undefined)

    squared, seen = lax.map(one, work.chunks)
    inputs.check_values(*(_flat(a, len(x)) for a in seen))
    paths = [leaf.path for leaf in work.program.leaves]
    return {paths[i]: _flat(values, len(x)) for i, values in squared.items()}


def _flat(a: jax.Array, count: int) -> jax.Array:
    """(chunks, B) -> (N,)."""
    return a.reshape(-1)[:count]
