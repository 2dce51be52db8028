"""Norms of each record's gradient, and sums of weighted gradients, from a capture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend import core

from jaxprivacy.targets import equations, factors
from jaxprivacy.targets import program as program_lib
from jaxprivacy.targets.capture import Capture
from jaxprivacy.targets.plan import Group, Plan
from jaxprivacy.targets.program import Program

AT_ONCE = 2**28  # bytes that the gradients of single records may take together


def squared_norms(
    program: Program,
    plan: Plan,
    env: equations.Env,
    values: Sequence[jax.Array],
    captured: Capture,
) -> dict[int, jax.Array]:
    """Squared L2 norms of B records' gradients, leaf by leaf.

    Args:
      program: the loss of one record.
      plan: how each leaf's norm is found.
      env: what `program.prepare` returns.
      values: of the leaves.
      captured: B records.

    Returns:
      Leaf -> (B,) float32.
    """
    zero = jnp.zeros(captured.loss.shape, jnp.float32)
    found = {}
    for leaf, groups in plan.factored.items():
        found[leaf] = sum((_of_group(group, captured) for group in groups), zero)
    if plan.formed:
        norms = _formed(program, plan.formed, env, values, captured)
        found |= dict(zip(plan.formed, norms, strict=True))
    return found


def _of_group(group: Group, captured: Capture) -> jax.Array:
    groups, inputs, outputs = group.elements.shape
    places = [piece.site for piece in group.pieces]

    def one(data, deltas):
        dense, rows = [], []
        for piece, (h,), (delta,) in zip(group.pieces, data, deltas, strict=True):
            factor = piece.form.factor(h, delta)
            if piece.transpose:
                factor = factors.swapped(factor)
            (rows if piece.form.rows else dense).append(factor)
        return factors.squared_norm(
            factors.joined(dense) if dense else None,
            factors.joined(rows) if rows else None,
            inputs,
            outputs,
        )

    positions = sum(piece.form.positions for piece in group.pieces)
    size = groups * min(2 * positions**2, inputs * outputs)
    data = [captured.data[i] for i in places]
    return _map(one, (data, [captured.deltas[i] for i in places]), size)


def _formed(program, leaves, env, values, captured):
    """Squared norms (B,) of the leaves whose gradients are formed."""
    roots = set().union(*(program_lib.reached(program, i) for i in leaves))
    places = [
        i
        for i, site in enumerate(program.sites)
        if any(site.eqn.invars[p] in roots for p in site.roots)
    ]

    def one(data, deltas):
        gradients = {}
        for i, h, delta in zip(places, data, deltas, strict=True):
            site = program.sites[i]
            add(gradients, site, program_lib.gradient_at(site, env, h, delta))
        by_leaf = program_lib.pull_back(program, values, gradients, leaves)
        return [jnp.sum(jnp.square(g.astype(jnp.float32))) for g in by_leaf]

    size = sum(math.prod(program.leaves[i].shape) for i in leaves)
    size += sum(root.aval.size for root in roots)
    data = [captured.data[i] for i in places]
    return _map(one, (data, [captured.deltas[i] for i in places]), size)


def add(
    gradients: dict[core.Var, jax.Array],
    site: program_lib.Site,
    parts: Sequence[jax.Array],
) -> None:
    """Adds what a site gives to the gradients by its roots, in place."""
    for place, part in zip(site.roots, parts, strict=True):
        root = site.eqn.invars[place]
        gradients[root] = gradients[root] + part if root in gradients else part


def _map(one: Callable, args: Any, size: int) -> Any:
    """`vmap`, in as many turns as keeps `size` numbers a record within `AT_ONCE`."""
    count = len(jax.tree.leaves(args)[0])
    fits = max(1, AT_ONCE // (4 * size))
    if fits >= count:
        return jax.vmap(one)(*args)
    turns = -(-count // fits)
    return lax.map(lambda a: one(*a), args, batch_size=-(-count // turns))


def weighted_sum(
    program: Program, env: equations.Env, captured: Capture, weights: jax.Array
) -> dict[core.Var, jax.Array]:
    """The sum of B records' gradients by the roots, each times its weight.

    From h and delta, with one product a site and no gradient of a single record
    (book-keeping, arXiv:2210.00038, section 3).

    Args:
      program: the loss of one record.
      env: what `program.prepare` returns.
      captured: B records.
      weights: (B,).

    Returns:
      Root -> its gradient, float32.
    """
    total = {}
    for site, data, deltas in zip(
        program.sites, captured.data, captured.deltas, strict=True
    ):
        scaled = [
            delta * jnp.expand_dims(weights, range(1, delta.ndim)).astype(delta.dtype)
            for delta in deltas
        ]
        parts = program_lib.summed_at(site, env, data, scaled)
        add(total, site, [part.astype(jnp.float32) for part in parts])
    return total
