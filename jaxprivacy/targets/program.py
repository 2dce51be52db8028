"""The loss of one record as a program: where its parameters meet the record's values.

Traced once for any function of JAX, whatever library its layers come from, and split in
two: the *prologue*, which depends on the parameters alone and is the same for every
record, and the *main part*, which depends on the record. What the prologue hands to the
main part are the *roots*: a kernel as it is, an embedding transposed, the third of a
fused projection, an exponential of a scale. An equation of the main part that takes a
root is a *site*; the gradient of a root is a sum over its sites of what each gives for
its other operands h and the gradient delta of the loss by the site's results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend import core

from jaxprivacy import errors, types
from jaxprivacy.targets import equations

Apply = Callable[[types.Params, jax.Array], Any]  # params, (B, *D) -> outputs (B, ...)
Loss = Callable[[Any, jax.Array], jax.Array]  # outputs and label of one record -> ()


class Leaf(NamedTuple):
    """An array among the parameters."""

    path: str  # of the tree's keys, "params/Dense_0/kernel"
    shape: tuple[int, ...]
    dtype: Any
    learned: bool  # of real numbers: what has a gradient


class Site(NamedTuple):
    """An equation at which roots meet what depends on the record."""

    eqn: core.JaxprEqn
    roots: tuple[int, ...]  # the places of the operands that are roots
    data: tuple[int, ...]  # the places of those that depend on the record: h
    results: tuple[int, ...]  # the places of the results that have a gradient: delta


class Program(NamedTuple):
    """The loss of one record, taken apart."""

    leaves: tuple[Leaf, ...]
    variables: tuple[core.Var, ...]  # of the leaves
    record: tuple[core.Var, core.Var]  # x (*D), y
    constants: equations.Env
    prologue: tuple[core.JaxprEqn, ...]
    main: tuple[core.JaxprEqn, ...]
    roots: tuple[core.Var, ...]
    shared: tuple[core.Var, ...]  # all that the main part takes from the prologue
    sites: tuple[Site, ...]
    loss: core.Var
    outputs: tuple[core.Var | core.Literal, ...]  # of the model


def trace(
    apply: Apply, params: types.Params, x: jax.Array, y: jax.Array, loss: Loss
) -> Program:
    """Traces the loss of one record; nothing is computed.

    Args:
      apply: the model.
      params: its parameters, a tree.
      x: (N, *D), of which the shape and the type count.
      y: (N, ...) likewise.
      loss: of one record.

    Raises:
      InputError: no leaf holds real numbers, or the loss depends on no record.
    """
    leaves, tree = leaves_of(params), jax.tree.structure(params)
    if not any(leaf.learned for leaf in leaves):
        raise errors.InputError(
            "params",
            found=f"{len(leaves)} arrays, none of real numbers",
            accepted=(
                "is a tree with at least one array of floats, by which gradients "
                "are taken"
            ),
        )

    def one(*args):
        *values, x, y = args
        params = jax.tree.unflatten(tree, values)
        out = jax.tree.map(lambda o: o[0], apply(params, x[None]))
        return loss(out, y), out

    shapes = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves]
    shapes += [jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for a in (x, y)]
    closed = equations.flatten(jax.make_jaxpr(one)(*shapes), shapes)
    return _split(closed, leaves)


def leaves_of(params: types.Params) -> tuple[Leaf, ...]:
    """Lists the arrays of a tree, in their order."""
    found, _ = jax.tree_util.tree_flatten_with_path(params)
    return tuple(_leaf(path, value) for path, value in found)


def _leaf(path: Sequence[Any], value: jax.Array) -> Leaf:
    value = value if hasattr(value, "dtype") else jnp.asarray(value)
    name = jax.tree_util.keystr(tuple(path), simple=True, separator="/")
    return Leaf(
        name, value.shape, value.dtype, jnp.issubdtype(value.dtype, jnp.floating)
    )


def _split(closed: core.ClosedJaxpr, leaves: tuple[Leaf, ...]) -> Program:
    jaxpr = closed.jaxpr
    *variables, x, y = jaxpr.invars
    loss, *outputs = jaxpr.outvars
    wanted = [v for v in jaxpr.outvars if isinstance(v, core.Var)]
    eqns = equations.needed(jaxpr.eqns, wanted)
    of_record = equations.depends(eqns, (x, y))
    if isinstance(loss, core.Literal) or loss not in of_record:
        raise errors.InputError(
            "loss",
            found="depends neither on the record nor on its label",
            accepted="are losses of one record, (output, label) -> ()",
        )
    weights = [v for v, leaf in zip(variables, leaves, strict=True) if leaf.learned]
    learned = equations.depends(eqns, weights) - of_record
    main = [e for e in eqns if not of_record.isdisjoint(equations.variables(e))]
    taken = [v for e in main for v in equations.variables(e)]
    taken += [v for v in outputs if isinstance(v, core.Var)]
    shared = tuple(dict.fromkeys(v for v in taken if v not in of_record))
    prologue = [e for e in eqns if of_record.isdisjoint(equations.variables(e))]
    learned = {v for v in learned if is_real(v)}
    sites = tuple(
        site
        for e in main
        if not learned.isdisjoint(equations.variables(e))
        and (site := _site(e, learned, of_record)).results
    )
    roots = dict.fromkeys(site.eqn.invars[i] for site in sites for i in site.roots)
    return Program(
        leaves,
        tuple(variables),
        (x, y),
        dict(zip(jaxpr.constvars, closed.consts, strict=True)),
        tuple(prologue),
        tuple(main),
        tuple(roots),
        shared,
        sites,
        loss,
        tuple(outputs),
    )


def is_real(v: core.Var) -> bool:
    """Whether a value is of real numbers, as gradients are."""
    return jnp.issubdtype(v.aval.dtype, jnp.floating)


def _site(eqn: core.JaxprEqn, learned: set[core.Var], of_record: set[core.Var]) -> Site:
    def places(among):
        return tuple(
            i
            for i, v in enumerate(eqn.invars)
            if not isinstance(v, core.Literal) and v in among
        )

    results = tuple(i for i, v in enumerate(eqn.outvars) if is_real(v))
    return Site(eqn, places(learned), places(of_record), results)


def prepare(program: Program, values: Sequence[Any]) -> equations.Env:
    """Runs the prologue: what the main part takes, from the leaves' values."""
    env = program.constants | dict(zip(program.variables, values, strict=True))
    for eqn in program.prologue:
        results = equations.evaluate(eqn, equations.operands(eqn, env))
        env |= dict(zip(eqn.outvars, results, strict=True))
    return {v: env[v] for v in program.shared}


def pull_back(
    program: Program,
    values: Sequence[Any],
    gradients: dict[core.Var, jax.Array],
    leaves: Sequence[int],
) -> list[jax.Array]:
    """Turns gradients by roots into gradients by leaves, through the prologue.

    Args:
      program: the program.
      values: of all leaves.
      gradients: of the roots that the leaves are part of, each in its root's type.
      leaves: places of the wanted leaves among all.
    """

    def roots(some):
        changed = list(values)
        for i, value in zip(leaves, some, strict=True):
            changed[i] = value
        env = prepare(program, changed)
        return [env[v] for v in gradients]

    _, back = jax.vjp(roots, [values[i] for i in leaves])
    return back(list(gradients.values()))[0]


def reached(program: Program, leaf: int) -> set[core.Var]:
    """The roots that depend on a leaf."""
    found = equations.depends(program.prologue, (program.variables[leaf],))
    return found & set(program.roots)


def sites_of(program: Program, roots: set[core.Var]) -> list[int]:
    """The places of the sites that take any of these roots."""
    return [
        place
        for place, site in enumerate(program.sites)
        if any(site.eqn.invars[i] in roots for i in site.roots)
    ]


def is_call(site: Site) -> bool:
    """Whether a site is a loop or call: its gradient runs the whole of it once more."""
    return any(True for _ in core.jaxprs_in_params(site.eqn.params))


def gradient_at(
    site: Site,
    env: equations.Env,
    data: Sequence[jax.Array],
    delta: Sequence[jax.Array],
) -> list[jax.Array]:
    """Gradients by a site's roots, of one record: one for each of its root operands.

    Args:
      site: the site.
      env: values of roots and constants, as `prepare` returns them.
      data: the operands h that depend on the record.
      delta: gradients of the loss by the site's results.
    """
    _, back = jax.vjp(lambda roots: _results(site, env, roots, data), _roots(site, env))
    return back(list(delta))[0]


def summed_at(
    site: Site,
    env: equations.Env,
    data: Sequence[jax.Array],
    delta: Sequence[jax.Array],
) -> list[jax.Array]:
    """Like `gradient_at`, summed over B records that stand in front, in one product."""

    def results(roots):
        return jax.vmap(lambda data: _results(site, env, roots, data))(tuple(data))

    _, back = jax.vjp(results, _roots(site, env))
    return back(list(delta))[0]


def _roots(site: Site, env: equations.Env) -> list[jax.Array]:
    return [env[site.eqn.invars[i]] for i in site.roots]


def _results(site, env, roots, data):
    """The results that have a gradient, of one record."""
    given = dict(zip(site.data, data, strict=True))
    given |= dict(zip(site.roots, roots, strict=True))
    operands = [
        given[i] if i in given else equations.read(env, v)
        for i, v in enumerate(site.eqn.invars)
    ]
    found = equations.evaluate_learned(site.eqn, operands, site.roots)
    return [found[i] for i in site.results]
