"""Norms of each record's gradient, and sums of weighted gradients, from a capture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

from jaxprivacy.targets import equations, factors, program as program_lib
from jaxprivacy.targets.capture import Capture
from jaxprivacy.targets.plan import Group, Plan

AT_ONCE = 2**28  # bytes that the gradients of single records may take together


class Measured(NamedTuple):
    """Norms of B records' gradients by each leaf, and what was formed on the way."""

    squared: dict[int, jax.Array]  # leaf -> (B,) float32, squared L2 norms
    # Leaf -> the gradients themselves: (B, *shape), or (B, G, I, O) for each group of
    # its elements. Kept where the norm needs them and they are small.
    kept: dict[int, list[jax.Array]]


def measure(
    program: program_lib.Program,
    plan: Plan,
    env: equations.Env,
    values: Sequence[jax.Array],
    captured: Capture,
) -> Measured:
    """Measures the gradients of B records, leaf by leaf.

    Args:
      program: the loss of one record.
      plan: how each leaf's norm is found.
      env: what `program.prepare` returns.
      values: of the leaves.
      captured: B records.
    """
    zero = jnp.zeros(captured.loss.shape, jnp.float32)
    found = Measured({}, {})
    for leaf, groups in plan.factored.items():
        parts = [_of_group(group, captured) for group in groups]
        found.squared[leaf] = sum((norm for norm, _ in parts), zero)
        if groups and all(gradient is not None for _, gradient in parts):
            found.kept[leaf] = [gradient for _, gradient in parts]
    simple = [i for i in plan.formed if i not in plan.fallback]
    for leaves in (simple, plan.fallback):
        if leaves:
            norms, gradients = _formed(program, leaves, env, values, captured)
            found.squared.update(zip(leaves, norms, strict=True))
            if gradients is not None:
                pairs = zip(leaves, gradients, strict=True)
                found.kept.update((i, [gradient]) for i, gradient in pairs)
    return found


def _of_group(group: Group, captured: Capture) -> tuple[jax.Array, jax.Array | None]:
    """Squared norms (B,); the gradients (B, G, I, O) if they were formed and fit."""

    def joined(data, deltas):
        dense, rows = [], []
        for piece, (h,), (delta,) in zip(group.pieces, data, deltas, strict=True):
            factor = piece.form.factor(h, delta)
            if piece.transpose:
                factor = factors.swapped(factor)
            (rows if piece.form.rows else dense).append(factor)
        return (
            factors.joined(dense) if dense else None,
            factors.joined(rows) if rows else None,
        )

    def form(*args):
        return factors.gradient(*joined(*args), group.elements.shape[1])

    places = [piece.site for piece in group.pieces]
    args = [captured.data[i] for i in places], [captured.deltas[i] for i in places]
    if not group.formed:
        size = 2 * group.elements.shape[0] * group.positions**2
        return _map(lambda *a: factors.squared_norm(*joined(*a)), args, size), None
    size = group.elements.size
    if _turns(args, size) > 1:
        return _map(lambda *a: _square(form(*a)), args, size), None
    gradients = jax.vmap(form)(*args)
    return jax.vmap(_square)(gradients), gradients


def _square(a: jax.Array) -> jax.Array:
    return jnp.sum(jnp.square(a.astype(jnp.float32)))


def _formed(program, leaves, env, values, captured):
    """Squared norms (B,) of leaves, and their gradients if they fit."""
    roots = set().union(*(program_lib.reached(program, i) for i in leaves))
    places = program_lib.sites_of(program, roots)

    def form(data, deltas):
        gradients = {}
        for i, h, delta in zip(places, data, deltas, strict=True):
            site = program.sites[i]
            add(gradients, site, program_lib.gradient_at(site, env, h, delta))
        gradients = {v: g for v, g in gradients.items() if v in roots}
        return program_lib.pull_back(program, values, gradients, leaves)

    size = sum(math.prod(program.leaves[i].shape) for i in leaves)
    size += sum(root.aval.size for root in roots)
    args = [captured.data[i] for i in places], [captured.deltas[i] for i in places]
    if _turns(args, size) > 1:
        return _map(lambda *a: [_square(g) for g in form(*a)], args, size), None
    gradients = jax.vmap(form)(*args)
    return [jax.vmap(_square)(g) for g in gradients], gradients


def add(
    gradients: dict[core.Var, jax.Array],
    site: program_lib.Site,
    parts: Sequence[jax.Array],
) -> None:
    """Adds what a site gives to the gradients by its roots, in place."""
    for place, part in zip(site.roots, parts, strict=True):
        root = site.eqn.invars[place]
        gradients[root] = gradients[root] + part if root in gradients else part


def _turns(args: Any, size: int) -> int:
    """In how many turns `size` numbers a record stay within `AT_ONCE`."""
    count = len(jax.tree.leaves(args)[0])
    return -(-count // max(1, AT_ONCE // (4 * size)))


def _map(one: Callable, args: Any, size: int) -> Any:
    """`vmap`, in as many turns as `size` numbers a record need."""
    turns = _turns(args, size)
    if turns == 1:
        return jax.vmap(one)(*args)
    count = len(jax.tree.leaves(args)[0])
    return lax.map(lambda a: one(*a), args, batch_size=-(-count // turns))


class Summed(NamedTuple):
    """A sum of weighted gradients, float32, by leaves where known, else by roots."""

    by_leaf: dict[int, jax.Array]
    by_root: dict[int, jax.Array]  # the root's place -> its gradient


def weighted_sum(
    program: program_lib.Program,
    plan: Plan,
    env: equations.Env,
    captured: Capture,
    kept: dict[int, list[jax.Array]],
    weights: jax.Array,
) -> Summed:
    """The sum of B records' gradients, each times its weight.

    From h and delta, with one product a site and no backward pass (book-keeping,
    arXiv:2210.00038, section 3); from the gradients themselves where they are at hand.

    Args:
      program: the loss of one record.
      plan: how each leaf's norm was found.
      env: what `program.prepare` returns.
      captured: B records.
      kept: gradients, as `measure` returns them.
      weights: (B,).
    """
    by_leaf, by_root = {}, {}
    for i, parts in kept.items():
        sums = [jnp.tensordot(weights, _wide(part), 1) for part in parts]
        by_leaf[i] = _unarranged(program.leaves[i], plan.factored.get(i), sums)
    rest = [
        i for i, leaf in enumerate(program.leaves) if leaf.learned and i not in kept
    ]
    roots = set().union(*(program_lib.reached(program, i) for i in rest))
    for place in program_lib.sites_of(program, roots):
        site = program.sites[place]
        scaled = [
            delta * jnp.expand_dims(weights, range(1, delta.ndim)).astype(delta.dtype)
            for delta in captured.deltas[place]
        ]
        parts = program_lib.summed_at(site, env, captured.data[place], scaled)
        add(by_root, site, [_wide(part) for part in parts])
    places = {v: i for i, v in enumerate(program.roots)}
    return Summed(by_leaf, {places[v]: g for v, g in by_root.items() if v in roots})


def _wide(a: jax.Array) -> jax.Array:
    return a.astype(jnp.float32)


def _unarranged(leaf, groups, sums):
    """A leaf's gradient from those of its groups of elements."""
    if groups is None:
        return sums[0]
    order = np.concatenate([group.elements.reshape(-1) for group in groups])
    flat = jnp.concatenate([part.reshape(-1) for part in sums])
    size = math.prod(leaf.shape)
    if len(order) < size:  # Elements that nothing takes have no gradient.
        order = np.concatenate([order, np.setdiff1d(np.arange(size), order)])
        flat = jnp.pad(flat, (0, size - len(flat)))
    if not np.array_equal(order, np.arange(size)):
        flat = flat[np.argsort(order)]
    return flat.reshape(leaf.shape)


def by_leaves(
    program: program_lib.Program, values: Sequence[jax.Array], summed: Summed
) -> dict[int, jax.Array]:
    """Brings a sum of gradients to the leaves, in their types."""
    found = {
        i: gradient.astype(program.leaves[i].dtype)
        for i, gradient in summed.by_leaf.items()
    }
    rest = [i for i, leaf in enumerate(program.leaves) if leaf.learned]
    rest = [i for i in rest if i not in found]
    by_root = {
        program.roots[i]: gradient.astype(program.roots[i].aval.dtype)
        for i, gradient in summed.by_root.items()
    }
    gradients = program_lib.pull_back(program, values, by_root, rest)
    return found | dict(zip(rest, gradients, strict=True))
