"""Capture: what one forward and one backward pass reveal at every site of a program.

A zero is added to the results of every site, and the loss is differentiated by these
zeros: that is delta, the gradient by the site's results. With the site's other operands
h it determines the gradients by all parameters (Goodfellow 2015, arXiv:1510.01799, for
dense layers; here for whatever the model is made of).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxprivacy.targets import equations
from jaxprivacy.targets.program import Program


class Capture(NamedTuple):
    """What is known of B records after one forward and one backward pass."""

    loss: jax.Array  # (B,) float32
    undefined: jax.Array  # (B,) whether an output of the model is NaN
    outputs: tuple[jax.Array, ...]  # of the model, (B, ...) each
    data: list[tuple[jax.Array, ...]]  # for each site its operands h, (B, ...) each
    deltas: list[tuple[jax.Array, ...]]  # for each site its results' gradients


def capture(
    program: Program, env: equations.Env, x: jax.Array, y: jax.Array
) -> Capture:
    """Captures (h, delta) at every site, for a whole batch at once.

    Args:
      program: the loss of one record.
      env: what `program.prepare` returns.
      x: (B, *D).
      y: (B, ...).
    """
    zeros = [
        tuple(_zeros(site.eqn.outvars[i].aval) for i in site.results)
        for site in program.sites
    ]

    def one(x, y):
        def value(perturbations):
            found, data = _run(program, env, x, y, perturbations)
            outputs = [equations.read(found, v) for v in program.outputs]
            undefined = jnp.stack([jnp.isnan(o).any() for o in outputs]).any()
            seen = found[program.loss], undefined, tuple(outputs), data
            return found[program.loss], seen

        deltas, (loss, *seen, data) = jax.grad(value, has_aux=True)(zeros)
        return Capture(loss.astype(jnp.float32), *seen, data, deltas)

    return jax.vmap(one)(x, y)


def _zeros(aval):
    return jnp.zeros(aval.shape, aval.dtype)


def _run(program, env, x, y, perturbations):
    """Runs the main part for one record: all its values, and the sites' operands h."""
    env = env | dict(zip(program.record, (x, y), strict=True))
    sites = {id(site.eqn): i for i, site in enumerate(program.sites)}
    data = []
    for eqn in program.main:
        operands = equations.operands(eqn, env)
        if id(eqn) not in sites:
            results = equations.evaluate(eqn, operands)
        else:
            place = sites[id(eqn)]
            site = program.sites[place]
            data.append(tuple(operands[i] for i in site.data))
            results = equations.evaluate_learned(eqn, operands, site.roots)
            for i, zero in zip(site.results, perturbations[place], strict=True):
                results[i] = results[i] + zero
        env |= dict(zip(eqn.outvars, results, strict=True))
    return env, data


def size(program: Program) -> int:
    """Bytes of all values that one record leaves behind, gradients not counted."""
    kept = [v.aval for eqn in program.main for v in eqn.outvars]
    return max(1, sum(a.size * a.dtype.itemsize for a in kept))
