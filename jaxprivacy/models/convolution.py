"""Convolution, transposed convolution and pooling that stay fast inside loops.

XLA's CPU convolution inside `lax.scan` runs tens of times slower than a matmul over
patches (the row patches_in_loop of `benchmarks.run`), and every training loop
here is a scan. On the CPU the patches are gathered by slicing and multiplied once; on
other platforms XLA's convolution is called. `lax.platform_dependent` chooses when the
program is compiled, under `grad`, `vmap` and `scan` alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

Padding = str | Sequence[tuple[int, int]]


def explicit_padding(
    padding: Padding,
    spatial: Sequence[int],
    window: Sequence[int],
    strides: Sequence[int],
) -> tuple[tuple[int, int], ...]:
    """Returns the padding as pairs; `window` counts the dilation."""
    if isinstance(padding, str):
        return tuple(lax.padtype_to_pads(spatial, window, strides, padding))
    return tuple((low, high) for low, high in padding)


def patches(
    x: jax.Array,
    window: Sequence[int],
    strides: Sequence[int],
    padding: Padding,
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> jax.Array:
    """Gathers the patches that a 2-d convolution multiplies with its kernel.

    Args:
      x: images, (B, H, W, C).
      window: height and width of the kernel.
      strides: vertical and horizontal stride.
      padding: "SAME", "VALID" or pairs (before, after) for height and width.
      dilation: spacing of the kernel's elements.
      groups: feature groups, a divisor of C.

    Returns:
      (B, H', W', groups, h * w * C / groups): a dot product of the last axis with the
      kernel reshaped to (h * w * C / groups, features) is the convolution.
    """
    spans = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    pads = explicit_padding(padding, x.shape[1:3], spans, strides)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    x = x.reshape(*x.shape[:3], groups, -1)
    # A row of the window first, then its rows: h + w copies in place of h * w.
    for axis, k, d, span, stride in zip(
        (2, 1), window[::-1], dilation[::-1], spans[::-1], strides[::-1], strict=True
    ):
        length = (x.shape[axis] - span) // stride * stride + 1
        shifted = [
            lax.slice_in_dim(x, i * d, i * d + length, stride, axis) for i in range(k)
        ]
        x = jnp.concatenate(shifted, axis=-1)
    return x


def convolution_by_patches(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: Padding,
    dilation: Sequence[int] = (1, 1),
    groups: int = 1,
) -> jax.Array:
    """Convolves (B, H, W, C) with a kernel (h, w, C / groups, features)."""
    gathered = patches(x, kernel.shape[:2], strides, padding, dilation, groups)
    features = kernel.shape[-1]
    if groups == 1:
        # With matrices as operands, XLA does not transpose the error signal to
        # multiply it with the patches in the backward pass.
        rows = gathered.reshape(-1, gathered.shape[-1])
        out = rows @ kernel.reshape(-1, features)
        return out.reshape(*gathered.shape[:3], features)
    matrix = kernel.reshape(-1, groups, features // groups)
    out = jnp.einsum("bhwgi,igo->bhwgo", gathered, matrix)
    return out.reshape(*out.shape[:3], features)


def conv_general_dilated(
    lhs: jax.Array,
    rhs: jax.Array,
    window_strides: Sequence[int],
    padding: Padding,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    precision: Any = None,
) -> jax.Array:
    """`lax.conv_general_dilated` for `nn.Conv(conv_general_dilated=...)`.

    Takes the patches on the CPU where that is possible: two spatial dimensions, in
    Linen's order of axes, and no input dilation. Everything else is XLA's convolution.
    """

    def by_xla(lhs, rhs):
        return lax.conv_general_dilated(
            lhs,
            rhs,
            window_strides,
            padding,
            lhs_dilation=lhs_dilation,
            rhs_dilation=rhs_dilation,
            dimension_numbers=dimension_numbers,
            feature_group_count=feature_group_count,
            precision=precision,
        )

    def by_patches(lhs, rhs):
        dilation = tuple(rhs_dilation or (1, 1))
        return convolution_by_patches(
            lhs, rhs, window_strides, padding, dilation, feature_group_count
        )

    dilated_input = lhs_dilation is not None and any(d != 1 for d in lhs_dilation)
    if lhs.ndim != 4 or dilated_input:
        return by_xla(lhs, rhs)
    axes = [
        lax.conv_dimension_numbers(lhs.shape, rhs.shape, numbers)
        for numbers in (dimension_numbers, ("NHWC", "HWIO", "NHWC"))
    ]
    if axes[0] != axes[1]:
        return by_xla(lhs, rhs)
    return lax.platform_dependent(lhs, rhs, cpu=by_patches, default=by_xla)


def max_pool(x: jax.Array, window: int) -> jax.Array:
    """Maximum over windows of `window` x `window`, stride `window`, no padding.

    (B, H, W, C) -> (B, H // window, W // window, C). The gradient of a tie is shared
    by the tied elements, where `reduce_window` gives it to the first.
    """
    batch, height, width, channels = x.shape
    rows, columns = height // window, width // window
    x = x[:, : rows * window, : columns * window]
    x = x.reshape(batch, rows, window, columns, window, channels)
    return x.max(axis=(2, 4))


def transposed_convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Transposed convolution of stride 2, kernel 4 x 4, padding 1: doubles the size.

    Every input pixel is multiplied with the whole kernel, once, and the 4 x 4 results
    are added up where they overlap; no zeros are inserted and multiplied.

    Args:
      x: (B, H, W, C).
      kernel: (4, 4, C, features); output pixel (2 i - 1 + a, 2 j - 1 + b) receives
        `x[i, j] @ kernel[a, b]`, as in PyTorch's ConvTranspose2d(C, features, 4, 2, 1).

    Returns:
      (B, 2 H, 2 W, features).
    """
    channels, features = kernel.shape[2:]
    matrix = jnp.moveaxis(kernel, 2, 0).reshape(channels, 16 * features)
    taps = (x.reshape(-1, channels) @ matrix).reshape(*x.shape[:3], -1)
    return _overlap(_overlap(taps, 1), 2)


def _overlap(taps: jax.Array, axis: int) -> jax.Array:
    """Adds up along one direction: (B, H, W, 4 n) -> (B, 2 H, W, n) for axis 1.

    Tap a of input i falls on output 2 i - 1 + a: an even output 2 i gets tap 1 of i
    and tap 3 of i - 1, an odd one tap 2 of i and tap 0 of i + 1.
    """
    # Split, because the gradient of that is one concatenation; that of four slices
    # would be a sum of four arrays that are mostly padding.
    first, second, third, fourth = lax.split(taps, [taps.shape[-1] // 4] * 4, axis=3)

    def shift(a, by):
        edges = [(0, 0, 0)] * a.ndim
        edges[axis] = (by, -by, 0)
        return lax.pad(a, jnp.zeros((), a.dtype), edges)

    out = jnp.stack([second + shift(fourth, 1), third + shift(first, -1)], axis + 1)
    shape = list(out.shape)
    shape[axis : axis + 2] = [2 * shape[axis]]
    return out.reshape(shape)


class ConvTranspose(nn.Module):
    """Linen module of `transposed_convolution` with a bias."""

    features: int
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, 2 H, 2 W, features)."""
        shape = (4, 4, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return transposed_convolution(x, kernel) + bias
