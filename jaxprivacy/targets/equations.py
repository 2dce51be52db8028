"""Equations of a jaxpr: evaluated one by one, with the calls among them inlined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from jax.extend import core

from jaxprivacy.targets import patches

Env = dict[core.Var, Any]

_ORIGIN = core.DebugInfo("capture", "evaluate", None, None)

# Calls whose body is all that they mean. `remat2` trades time for memory and changes no
# number. A `custom_jvp` or `custom_vjp` is no such call: its derivative is its own.
TRANSPARENT = ("jit", "pjit", "closed_call", "core_call", "remat2", "checkpoint")


def flatten(closed: core.ClosedJaxpr, shapes: Sequence[Any]) -> core.ClosedJaxpr:
    """Inlines the transparent calls of a jaxpr, and the branch of this platform.

    `lax.platform_dependent` is a `cond` over the index of a platform; what it calls for
    JAX's default backend takes its place. But where one of its branches is a single
    convolution, that one does on every platform: it says what layer this is, and
    `evaluate_learned` knows the fast way to do it.

    Args:
      closed: the program.
      shapes: of its arguments, `jax.ShapeDtypeStruct`s.
    """
    return jax.make_jaxpr(lambda *args: _inlined(closed, args))(*shapes)


def _inlined(closed: core.ClosedJaxpr, args: Sequence[Any]) -> list[Any]:
    jaxpr = closed.jaxpr
    env = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    env |= dict(zip(jaxpr.invars, args, strict=True))
    for eqn in jaxpr.eqns:
        if eqn.primitive.name == "platform_index":
            continue  # Only the branches below would read it.
        body, skipped = _body(eqn)
        if body is None:
            values = evaluate(eqn, operands(eqn, env))
        else:
            inner = [read(env, v) for v in eqn.invars[skipped:]]
            values = _inlined(body, inner)
        env |= dict(zip(eqn.outvars, values, strict=True))
    return [read(env, v) for v in jaxpr.outvars]


def _body(eqn: core.JaxprEqn) -> tuple[core.ClosedJaxpr | None, int]:
    """What a call runs, and how many of its operands the body does not take."""
    if eqn.primitive.name == "cond" and eqn.params.get("branches_platforms"):
        here = jax.default_backend()
        here = {"gpu": {"cuda", "rocm"}}.get(here, {here})
        branches, platforms = eqn.params["branches"], eqn.params["branches_platforms"]
        if platforms[-1] is None and _convolves(branches[-1]):
            return branches[-1], 1
        fits = [names is None or not here.isdisjoint(names) for names in platforms]
        return branches[fits.index(True)], 1
    if eqn.primitive.name not in TRANSPARENT:
        return None, 0
    body = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
    if isinstance(body, core.Jaxpr):
        body = core.ClosedJaxpr(body, ())
    return body, 0


def _convolves(body: core.ClosedJaxpr) -> bool:
    """Whether a body is one convolution and nothing else."""
    return [e.primitive.name for e in body.jaxpr.eqns] == ["conv_general_dilated"]


def read(env: Env, atom: core.Var | core.Literal) -> Any:
    """The value of an operand."""
    return atom.val if isinstance(atom, core.Literal) else env[atom]


def operands(eqn: core.JaxprEqn, env: Env) -> list[Any]:
    """The values of all operands, literals included."""
    return [read(env, atom) for atom in eqn.invars]


def variables(eqn: core.JaxprEqn) -> list[core.Var]:
    """The operands that are no literals."""
    return [atom for atom in eqn.invars if not isinstance(atom, core.Literal)]


def evaluate(eqn: core.JaxprEqn, values: Sequence[Any]) -> list[Any]:
    """Binds an equation to the values of its operands and returns its results."""
    # A program of one equation: how primitives are bound is JAX's own business.
    inputs = [core.Var(atom.aval) for atom in eqn.invars]
    alone = eqn.replace(invars=inputs)
    jaxpr = core.Jaxpr((), inputs, eqn.outvars, [alone], eqn.effects, _ORIGIN)
    return jax.core.eval_jaxpr(jaxpr, (), *values)


def evaluate_learned(
    eqn: core.JaxprEqn, values: Sequence[Any], learned: Sequence[int]
) -> list[Any]:
    """Like `evaluate`, where the operands at the places `learned` are weights.

    On the CPU a convolution with such a kernel is a matmul over patches: XLA's own is
    many times slower inside a loop (see `models.convolution`), as are the gradients
    of each example's kernel, and records are processed in loops.
    """
    if (
        eqn.primitive.name == "conv_general_dilated"
        and tuple(learned) == (1,)
        and eqn.params["batch_group_count"] == 1
        and jax.default_backend() == "cpu"
    ):
        return [patches.convolve(*values, eqn.params)]
    return evaluate(eqn, values)


def depends(
    eqns: Sequence[core.JaxprEqn], sources: Sequence[core.Var]
) -> set[core.Var]:
    """All variables that depend on any of `sources`, these included."""
    found = set(sources)
    for eqn in eqns:
        if not found.isdisjoint(variables(eqn)):
            found |= set(eqn.outvars)
    return found


def needed(
    eqns: Sequence[core.JaxprEqn], wanted: Sequence[core.Var]
) -> list[core.JaxprEqn]:
    """The equations on which any of the wanted variables depends, in their order."""
    used, kept = set(wanted), []
    for eqn in reversed(eqns):
        if not used.isdisjoint(eqn.outvars):
            kept.append(eqn)
            used |= set(variables(eqn))
    return kept[::-1]
