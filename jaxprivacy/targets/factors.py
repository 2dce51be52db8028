"""Gradients as sums of outer products: at products, convolutions and embeddings.

The gradient of one record by a kernel is the sum, over the positions s at which the
kernel is applied, of left_s right_s^T: `left` is what the kernel is multiplied with,
`right` the gradient by what comes out. Neither sum nor product is needed for its norm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

from jaxprivacy.targets import patches
from jaxprivacy.targets.program import Site


class Factor(NamedTuple):
    """One record's gradient at one site: the sum over s of left[s] right[s]^T."""

    left: jax.Array  # (S, G, I) in G groups of features; or (S,) rows of an embedding
    right: jax.Array  # (S, G, O)


class Form(NamedTuple):
    """How the gradient by a site's root is a sum of outer products."""

    # The root's elements, as an array of indices, in the order (G, I, O).
    arrange: Callable[[np.ndarray], np.ndarray]
    # (h, delta) -> the factor
    factor: Callable[[jax.Array, jax.Array], Factor]
    positions: int  # S
    rows: bool = False  # whether `left` holds rows' numbers


def form_of(site: Site, root: int) -> Form | None:
    """The form of a site's gradient by its operand at the place `root`, if it has one.

    A root that is multiplied with elements, added, looped over and so on has none.
    """
    make = {
        "dot_general": _of_product,
        "conv_general_dilated": _of_convolution,
        "gather": _of_embedding,
    }.get(site.eqn.primitive.name)
    if make is None or len(site.roots) != 1 or len(site.data) != 1:
        return None
    return make(site.eqn, root)


def _of_product(eqn: core.JaxprEqn, root: int) -> Form:
    contracted, batch = eqn.params["dimension_numbers"]
    other = 1 - root
    ranks = [len(v.aval.shape) for v in eqn.invars]
    free = [
        [a for a in range(rank) if a not in (*contracted[i], *batch[i])]
        for i, rank in enumerate(ranks)
    ]
    shapes = [v.aval.shape for v in eqn.invars]

    def size(operand, axes):
        return math.prod(shapes[operand][a] for a in axes)

    groups, inputs = size(other, batch[other]), size(other, contracted[other])
    positions = size(other, free[other])

    def arrange(indices):
        order = (*batch[root], *contracted[root], *free[root])
        return indices.transpose(order).reshape(groups, inputs, -1)

    def factor(h, delta):
        order = (*free[other], *batch[other], *contracted[other])
        left = h.transpose(order).reshape(positions, groups, inputs)
        if root == 1:
            right = delta.reshape(groups, positions, -1).transpose(1, 0, 2)
        else:
            right = delta.reshape(groups, -1, positions).transpose(2, 0, 1)
        return Factor(left, right)

    return Form(arrange, factor, positions)


def _of_convolution(eqn: core.JaxprEqn, root: int) -> Form | None:
    params = eqn.params
    if root != 1 or params["batch_group_count"] != 1:
        return None
    groups = params["feature_group_count"]
    kernel, (out,) = eqn.invars[1].aval.shape, eqn.outvars
    features = kernel[params["dimension_numbers"].rhs_spec[0]]
    positions = out.aval.size // features

    def arrange(indices):
        return patches.matrix(indices, params).transpose(1, 0, 2)

    def factor(h, delta):
        left = patches.gather(h, kernel, params)
        right = patches.features_last(delta, params)
        return Factor(
            left.reshape(positions, groups, -1), right.reshape(positions, groups, -1)
        )

    return Form(arrange, factor, positions)


def _of_embedding(eqn: core.JaxprEqn, root: int) -> Form | None:
    numbers, shape = eqn.params["dimension_numbers"], eqn.invars[0].aval.shape
    axes, sizes = numbers.start_index_map, list(shape)
    if root != 0 or len(axes) != 1 or numbers.operand_batching_dims:
        return None
    axis = axes[0]
    sizes[axis] = 1
    taken = tuple(eqn.params["slice_sizes"]) == tuple(sizes)
    if numbers.collapsed_slice_dims != (axis,) or not taken:
        return None
    indices = eqn.invars[1].aval
    positions, last = math.prod(indices.shape[:-1]), shape[axis] - 1
    clipped = eqn.params["mode"] == lax.GatherScatterMode.CLIP

    def arrange(elements):
        return np.moveaxis(elements, axis, 0).reshape(1, last + 1, -1)

    def factor(h, delta):
        rows = h.reshape(positions)
        offsets = numbers.offset_dims
        places = [a for a in range(delta.ndim) if a not in offsets]
        right = delta.transpose((*places, *offsets)).reshape(positions, 1, -1)
        if not clipped:  # Nothing was read outside, so nothing goes back.
            inside = (rows >= 0) & (rows <= last)
            right = jnp.where(inside[:, None, None], right, 0)
        return Factor(jnp.clip(rows, 0, last), right)

    return Form(arrange, factor, positions, rows=True)


def swapped(factor: Factor) -> Factor:
    """The same gradient, transposed."""
    return Factor(factor.right, factor.left)


def joined(factors: list[Factor]) -> Factor:
    """The sum of gradients, as the positions of all of them."""
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *factors)


def is_formed(rows: bool, positions: int, inputs: int, outputs: int) -> bool:
    """Whether the gradient itself is no more work than products of all positions.

    It counts half: what is formed for its norm need not be computed to be clipped.
    """
    width = outputs + (0 if rows else inputs)
    return positions > 1 and 2 * positions * width > inputs * outputs


def squared_norm(dense: Factor | None, rows: Factor | None) -> jax.Array:
    """Squared L2 norm of a sum of outer products: ().

    |sum_s l_s r_s^T|^2 is the sum over s, t of (l_s . l_t)(r_s . r_t); with one
    position it is |l|^2 |r|^2.

    Args:
      dense: of products and convolutions, G groups; or None.
      rows: of embeddings, of the same array; G is 1 then.
    """
    if rows is None and len(dense.right) == 1:
        left, right = (jnp.sum(_wide(a[0]) ** 2, -1) for a in dense)
        return jnp.sum(left * right)
    total = jnp.zeros((), jnp.float32)
    if dense is not None:
        total += jnp.sum(_gram(dense.left, dense.left) * _gram(*[dense.right] * 2))
    if rows is not None:
        same = rows.left[:, None] == rows.left[None]
        total += jnp.sum(same * _gram(rows.right, rows.right))
    if rows is not None and dense is not None:
        across = _wide(dense.left[:, 0])[:, rows.left]  # (T, S)
        total += 2 * jnp.sum(across * _gram(dense.right, rows.right))
    return jnp.maximum(total, 0.0)  # The sum may round to just below 0.


def _wide(a: jax.Array) -> jax.Array:
    return a.astype(jnp.float32)


def _gram(a: jax.Array, b: jax.Array) -> jax.Array:
    """(S, G, I), (T, G, I) -> (G, S, T) float32."""
    return jnp.einsum("sgi,tgi->gst", a, b, preferred_element_type=jnp.float32)


def gradient(dense: Factor | None, rows: Factor | None, inputs: int) -> jax.Array:
    """A sum of outer products itself: (G, I, O) float32, with I `inputs`."""
    gradient = jnp.zeros((), jnp.float32)
    if dense is not None:
        how, a = "sgi,sgo->gio", dense
        if dense.left.shape[1] == 1:  # XLA moves data for an axis of one group.
            how, a = "si,so->io", [part[:, 0] for part in dense]
        found = jnp.einsum(how, *a, preferred_element_type=jnp.float32)
        gradient += found.reshape(-1, *found.shape[-2:])
    if rows is not None:
        empty = jnp.zeros((inputs, rows.right.shape[-1]), jnp.float32)
        gradient += empty.at[rows.left].add(_wide(rows.right[:, 0]))[None]
    return gradient
