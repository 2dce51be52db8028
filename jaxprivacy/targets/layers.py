"""The layers of a program: products and convolutions of records with one kernel.

A layer is a site at which a single array of the parameters, as it is or reshaped,
transposed, sliced or cast, is multiplied with what the layers before it put out. Its
input h, which is their output after activation and pooling, and the gradient delta of
the loss by its result are what a white-box attacker sees of it. Whatever library wrote
the model, layers are met in order of execution and told by the array's path.

No layers, so that gradient norms alone speak of them: embeddings, normalisation, loops,
kernels made of several arrays or computed from one, products with axes that neither
side sums over, convolutions of volumes, with dilated inputs or with groups of records;
and an array that is taken at several sites, as shared weights and the parts of a fused
projection are. What the outputs do not depend on is not part of the program.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import types
from jaxprivacy.targets import equations, plan, program as program_lib

# What leaves the elements of a result as they are, in another order or type.
_VIEWS = ("reshape", "transpose", "squeeze", "convert_element_type", "broadcast_in_dim")


class Found(NamedTuple):
    """A layer of a program, and where it is."""

    layer: types.Layer
    site: int  # its place among the program's


def layers(
    apply: program_lib.Apply, params: types.Params, x: types.Array
) -> tuple[types.Layer, ...]:
    """Lists the layers of a model, in order of execution; nothing is computed.

    Args:
      apply: the model, (params, x (B, *D)) -> outputs (B, ...).
      params: its parameters, or their shapes.
      x: records (N, *D), or their shape.

    Raises:
      InputError: see `program.trace`.
    """
    return tuple(each.layer for each in find(trace(apply, params, x)))


def trace(
    apply: program_lib.Apply, params: types.Params, x: types.Array
) -> program_lib.Program:
    """Traces a model alone: the loss is the sum of its outputs, the labels are none."""

    def total(out, y):
        return sum(jnp.sum(o) for o in jax.tree.leaves(out)).astype(jnp.float32)

    return program_lib.trace(apply, params, x, jax.ShapeDtypeStruct((1,), int), total)


def receivers(
    apply: program_lib.Apply, params: types.Params, x: types.Array
) -> dict[str, str | None]:
    """Finds the first later layer that each layer's output reaches, if there is one.

    That layer's input is what the model makes of the output: after normalisation and
    activation, and where paths join, of the other paths too. It need not be the next
    one that is run: a shortcut's convolution takes the block's input.

    Args:
      apply: as `layers` takes it.
      params: as `layers` takes them.
      x: as `layers` takes it.

    Returns:
      Path -> path; None for the last layer, whose output is the model's.
    """
    program = trace(apply, params, x)
    found, reached = find(program), {}
    for i, each in enumerate(found):
        outputs = program.sites[each.site].eqn.outvars
        of = equations.depends(program.main, outputs)
        later = (
            other.layer.path
            for other in found[i + 1 :]
            if not of.isdisjoint(equations.variables(program.sites[other.site].eqn))
        )
        reached[each.layer.path] = next(later, None)
    return reached


def hidden(program: program_lib.Program) -> set[str]:
    """The paths of the layers whose input the parameters have a part in.

    The input of the others is the record itself, or what a fixed function makes of it.
    """
    learned = [v for site in program.sites for v in site.eqn.outvars]
    of = equations.depends(program.main, learned)
    return {
        layer.path
        for layer, place in find(program)
        if program.sites[place].eqn.invars[program.sites[place].data[0]] in of
    }


def find(program: program_lib.Program) -> tuple[Found, ...]:
    """The layers of a program, in order of execution."""
    uses, whole = _uses(program), {}
    for leaf, places in uses.items():
        if len(places) == 1 and len(program.sites[places[0]].roots) == 1:
            whole[places[0]] = leaf
    alone = [leaf for leaf, places in uses.items() if len(places) == 1]
    made = {v: eqn for eqn in program.main for v in eqn.outvars}
    found = []
    for place, leaf in whole.items():
        site = program.sites[place]
        root = site.eqn.invars[site.roots[0]]
        indices = np.zeros(program.leaves[leaf].shape, bool)
        if len(site.data) != 1 or root not in plan.views_of(program, leaf, indices):
            continue
        form = _form(site)
        if form is not None:
            path = program.leaves[leaf].path
            bias = _sibling(program, path, alone)
            use = bias is not None and _is_bias(program, place, uses[bias][0], made)
            if use:  # One number for each feature.
                use = math.prod(program.leaves[bias].shape) == form["features"]
            found.append(Found(types.Layer(_name(path), use_bias=use, **form), place))
    return tuple(sorted(found, key=lambda each: each.site))


def _uses(program: program_lib.Program) -> dict[int, list[int]]:
    """The sites of each leaf, all leaves that share a site's root left out."""
    roots = [
        program_lib.reached(program, i) if leaf.learned else set()
        for i, leaf in enumerate(program.leaves)
    ]
    counts = {}
    for some in roots:
        for v in some:
            counts[v] = counts.get(v, 0) + 1
    return {
        i: program_lib.sites_of(program, some)
        for i, some in enumerate(roots)
        if some and all(counts[v] == 1 for v in some)
    }


def _name(path: str) -> str:
    """A layer's path from that of its kernel: as Linen and NNX call the module."""
    keys = path.split("/")
    if keys[0] == "params":
        keys = keys[1:]
    if keys[-2:] == ["kernel", "value"]:
        keys = keys[:-1]
    return "/".join(keys[:-1] if keys[-1:] == ["kernel"] else keys)


def _sibling(
    program: program_lib.Program, path: str, among: Sequence[int]
) -> int | None:
    """The leaf that is called `bias` beside a kernel."""
    keys = path.split("/")
    place = -2 if keys[-1] == "value" else -1
    keys[place] = "bias"
    paths = {program.leaves[i].path: i for i in among}
    return paths.get("/".join(keys))


def _is_bias(program, place, added, made) -> bool:
    """Whether what one site does is to add to the result of another."""
    site, result = program.sites[added], program.sites[place].eqn.outvars[0]
    if site.eqn.primitive.name != "add" or len(site.data) != 1:
        return False
    of = site.eqn.invars[site.data[0]]
    while of is not result:
        eqn = made.get(of)
        if eqn is None or eqn.primitive.name not in _VIEWS:
            return False
        of = eqn.invars[0]
    return True


def _form(site: program_lib.Site) -> dict[str, Any] | None:
    """What a layer is like, or None if the site is none."""
    make = {"dot_general": _product, "conv_general_dilated": _convolution}
    name = site.eqn.primitive.name
    return make[name](site) if name in make else None


def _product(site: program_lib.Site) -> dict[str, Any] | None:
    _, batch = site.eqn.params["dimension_numbers"]
    if any(batch):
        return None
    kernel = site.eqn.invars[site.roots[0]].aval
    h = site.eqn.invars[site.data[0]].aval
    inputs = math.prod(h.shape[a] for a in contracted(site)[1])
    return {"kind": "dense", "features": kernel.size // max(1, inputs)}


def contracted(site: program_lib.Site) -> tuple[Sequence[int], Sequence[int]]:
    """The axes that a product sums over: of the kernel, and of the input."""
    axes, _ = site.eqn.params["dimension_numbers"]
    return axes[site.roots[0]], axes[site.data[0]]


def _convolution(site: program_lib.Site) -> dict[str, Any] | None:
    params = site.eqn.params
    numbers = params["dimension_numbers"]
    h, kernel = (v.aval.shape for v in site.eqn.invars)
    window = tuple(kernel[axis] for axis in numbers.rhs_spec[2:])
    described = (
        site.roots == (1,)
        and len(window) in (1, 2)
        and h[numbers.lhs_spec[0]] == 1
        and params["batch_group_count"] == 1
        and set(params["lhs_dilation"]) == {1}
    )
    if not described:
        return None
    alone = len(window) == 1  # A row of an image of one row.

    def pair(values, beside):
        return (beside, *values) if alone else tuple(values)

    return {
        "kind": "conv",
        "features": kernel[numbers.rhs_spec[0]],
        "window": pair(window, 1),
        "strides": pair(params["window_strides"], 1),
        "padding": pair(map(tuple, params["padding"]), (0, 0)),
        "dilation": pair(params["rhs_dilation"], 1),
        "groups": params["feature_group_count"],
    }
