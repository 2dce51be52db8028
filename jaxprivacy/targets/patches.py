"""Convolutions in any form as matrix products over patches."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def gather(x: jax.Array, kernel: tuple[int, ...], params: dict[str, Any]) -> jax.Array:
    """Gathers what `lax.conv_general_dilated` multiplies with its kernel.

    Args:
      x: the left operand, in the order of axes that `params` states.
      kernel: shape of the right operand.
      params: of the equation: strides, padding, dilations, groups, dimension numbers.

    Returns:
      (N, *positions, groups, i): `i` runs over the window, row by row, then over the
      input features of a group.
    """
    numbers = params["dimension_numbers"]
    n, c, *spatial = numbers.lhs_spec
    window = [kernel[axis] for axis in numbers.rhs_spec[2:]]
    x = jnp.transpose(x, (n, *spatial, c))
    edges = [
        (low, high, gaps - 1)
        for (low, high), gaps in zip(
            params["padding"], params["lhs_dilation"], strict=True
        )
    ]
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *edges, (0, 0, 0)))
    x = x.reshape(*x.shape[:-1], params["feature_group_count"], -1)
    # A row of the window first, then its rows: h + w copies in place of h * w.
    for axis, k, dilation, stride in list(
        zip(
            range(1, 1 + len(window)),
            window,
            params["rhs_dilation"],
            params["window_strides"],
            strict=True,
        )
    )[::-1]:
        span = (k - 1) * dilation + 1
        length = (x.shape[axis] - span) // stride * stride + 1
        shifted = [
            lax.slice_in_dim(x, i * dilation, i * dilation + length, stride, axis)
            for i in range(k)
        ]
        x = jnp.concatenate(shifted, axis=-1)
    return x


def matrix(kernel: Any, params: dict[str, Any]) -> Any:
    """Brings a kernel (JAX or NumPy) to the form (i, groups, features of a group)."""
    features, inputs, *spatial = params["dimension_numbers"].rhs_spec
    kernel = kernel.transpose((*spatial, inputs, features))
    return kernel.reshape(
        math.prod(kernel.shape[:-1]), params["feature_group_count"], -1
    )


def features_last(out: jax.Array, params: dict[str, Any]) -> jax.Array:
    """Brings the axes of a result to the order (N, *positions, features)."""
    n, features, *spatial = params["dimension_numbers"].out_spec
    return jnp.transpose(out, (n, *spatial, features))


def convolve(x: jax.Array, kernel: jax.Array, params: dict[str, Any]) -> jax.Array:
    """Does what `lax.conv_general_dilated` does, without batch groups."""
    gathered = gather(x, kernel.shape, params)
    weights = matrix(kernel, params)
    how = {
        "precision": params["precision"],
        "preferred_element_type": params["preferred_element_type"],
    }
    *places, groups, size = gathered.shape
    if groups == 1:
        rows = gathered.reshape(-1, size)
        out = jnp.matmul(rows, weights[:, 0], **how)
    else:
        out = jnp.einsum("...gi,igo->...go", gathered, weights, **how)
    out = out.reshape(*places, -1)
    n, features, *spatial = params["dimension_numbers"].out_spec
    # The inverse of `features_last`.
    order = [0] * out.ndim
    for place, axis in enumerate((n, *spatial, features)):
        order[axis] = place
    return jnp.transpose(out, order)
