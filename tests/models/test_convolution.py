"""Convolutions by patches equal XLA's, and the naive loops of their definitions."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxprivacy.models import convolution
from tests import arrays

NHWC = ("NHWC", "HWIO", "NHWC")
close = {"rtol": 1e-5, "atol": 1e-5}

# image (H, W, C), kernel, strides, padding, dilation, groups
CONVOLUTIONS = {
    "1 x 1": ((3, 4, 2), (1, 1, 2, 3), (1, 1), "VALID", (1, 1), 1),
    "same, even window": ((5, 6, 1), (2, 4, 1, 3), (1, 1), "SAME", (1, 1), 1),
    "same, lower": ((5, 6, 2), (2, 2, 2, 2), (2, 1), "SAME_LOWER", (1, 1), 1),
    "stride skips the edge": ((6, 8, 1), (2, 2, 1, 2), (3, 3), "VALID", (1, 1), 1),
    "pairs": ((4, 5, 2), (3, 3, 2, 2), (1, 2), ((2, 0), (1, 3)), (1, 1), 1),
    "dilated": ((7, 8, 2), (3, 2, 2, 3), (1, 1), "VALID", (2, 3), 1),
    "dilated, same": ((6, 5, 1), (3, 2, 1, 2), (2, 1), "SAME", (2, 2), 1),
    "groups": ((5, 5, 4), (3, 3, 2, 6), (1, 1), "VALID", (1, 1), 2),
    "depthwise": ((5, 4, 3), (2, 2, 1, 6), (2, 1), "SAME", (1, 1), 3),
    "all at once": ((7, 8, 4), (2, 3, 2, 4), (2, 1), ((1, 0), (0, 2)), (2, 1), 2),
}


def with_gradients(function, x, kernel):
    """Value, and the gradients of a weighted sum of it."""
    out, pull = jax.vjp(function, x, kernel)
    weights = jnp.cos(jnp.arange(out.size, dtype=out.dtype)).reshape(out.shape)
    return out, pull(weights)


def operands(image, kernel, batch=2):
    return arrays.normal(0, batch, *image), arrays.normal(1, *kernel)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution_equals_xla_with_gradients(name):
    image, window, strides, padding, dilation, groups = CONVOLUTIONS[name]

    def by_xla(x, kernel):
        return lax.conv_general_dilated(
            x, kernel, strides, padding, None, dilation, NHWC, groups
        )

    def ours(x, kernel):
        return convolution.conv_general_dilated(
            x,
            kernel,
            strides,
            padding,
            rhs_dilation=dilation,
            dimension_numbers=NHWC,
            feature_group_count=groups,
        )

    @jax.jit
    def run(x, kernel):
        return [with_gradients(f, x, kernel) for f in (by_xla, ours)]

    want, got = run(*operands(image, window))
    chex.assert_trees_all_close(got, want, **close)


def test_patches_by_hand():
    # 1 2 3      windows of 2 x 2 at stride 1: rows of the window, then columns
    # 4 5 6
    x = jnp.arange(1.0, 7.0).reshape(1, 2, 3, 1)
    got = convolution.patches(x, (2, 2), (1, 1), "VALID")
    want = [[[[1, 2, 4, 5]], [[2, 3, 5, 6]]]]
    np.testing.assert_array_equal(got, [want])


def test_patches_of_groups_keep_their_channels():
    # Two pixels of four channels: group 0 has channels 0 and 1, group 1 the others.
    x = jnp.arange(8.0).reshape(1, 1, 2, 4)
    got = convolution.patches(x, (1, 2), (1, 1), "VALID", groups=2)
    np.testing.assert_array_equal(got, [[[[[0, 1, 4, 5], [2, 3, 6, 7]]]]])


@pytest.mark.parametrize(
    ("padding", "size", "window", "stride", "want"),
    [
        ("VALID", 5, 3, 2, (0, 0)),
        ("SAME", 5, 3, 2, (1, 1)),
        ("SAME", 6, 3, 2, (0, 1)),
        ("SAME", 6, 4, 1, (1, 2)),
        ([[2, 3]] * 2, 6, 4, 1, (2, 3)),
    ],
)
def test_explicit_padding_by_hand(padding, size, window, stride, want):
    got = convolution.explicit_padding(
        padding, (size, size), (window, window), (stride, stride)
    )
    assert got == (want, want)


def test_the_same_under_vmap_and_scan():
    """Participants train side by side, in a loop: kernels and images are stacked."""
    images, kernels = arrays.normal(0, 3, 2, 4, 5, 1), arrays.normal(1, 3, 2, 3, 1, 1)

    def descend(convolve, kernels, steps):
        def loss(kernel, x):
            out = convolve(x, kernel, (1, 1), "SAME", dimension_numbers=NHWC)
            return jnp.sum(jnp.tanh(out) ** 2)

        def step(kernels, _):
            value, gradient = jax.vmap(jax.value_and_grad(loss))(kernels, images)
            return kernels - 0.01 * gradient, value

        if steps is None:
            return lax.scan(step, kernels, length=2)
        values = []
        for _ in range(steps):
            kernels, value = step(kernels, None)
            values.append(value)
        return kernels, jnp.stack(values)

    looped = jax.jit(lambda w: descend(convolution.conv_general_dilated, w, None))
    unrolled = jax.jit(lambda w: descend(lax.conv_general_dilated, w, 2))
    chex.assert_trees_all_close(looped(kernels), unrolled(kernels), **close)


def test_other_convolutions_are_left_to_xla():
    flat, flat_kernel = operands((6, 2), (3, 2, 4))
    x, kernel = operands((3, 4, 2), (2, 3, 2, 4))

    def run(convolve):
        one = convolve(
            flat, flat_kernel, (2,), "SAME", dimension_numbers=("NHC", "HIO", "NHC")
        )
        two = convolve(
            x,
            kernel,
            (1, 1),
            ((1, 1), (2, 2)),
            lhs_dilation=(2, 3),
            dimension_numbers=NHWC,
        )
        return one, two

    functions = (convolution.conv_general_dilated, lax.conv_general_dilated)
    got, want = jax.jit(lambda: [run(f) for f in functions])()
    chex.assert_trees_all_close(got, want, **close)
    assert got[0].shape == (2, 3, 4)


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_only_the_cpu_takes_the_patches(platform):
    x, kernel = operands((4, 4, 1), (3, 3, 1, 2))

    @jax.jit
    def run(x, kernel):
        return convolution.conv_general_dilated(
            x, kernel, (1, 1), "VALID", dimension_numbers=NHWC
        )

    text = run.trace(x, kernel).lower(lowering_platforms=(platform,)).as_text()
    assert ("stablehlo.convolution" in text) == (platform != "cpu")


def test_linen_takes_it():
    def layer(**kwargs):
        return nn.Conv(4, (3, 3), strides=2, padding=1, feature_group_count=2, **kwargs)

    x, _ = operands((5, 6, 2), (1,))
    ours = layer(conv_general_dilated=convolution.conv_general_dilated)

    params = arrays.params_like(jax.eval_shape(layer().init, jax.random.key(0), x))
    run = jax.jit(lambda params: [m.apply(params, x) for m in (layer(), ours)])
    want, got = run(params)
    chex.assert_trees_all_close(got, want, **close)


@pytest.mark.parametrize(
    ("image", "window"),
    [((4, 6, 2), 2), ((5, 7, 1), 2), ((8, 10, 2), 3), ((3, 5, 1), 1)],
)
def test_max_pool_equals_xla_with_gradients(image, window):
    def by_xla(x, _):
        shape = (1, window, window, 1)
        return lax.reduce_window(x, -jnp.inf, lax.max, shape, shape, "VALID")

    def ours(x, _):
        return convolution.max_pool(x, window)

    # All elements differ, so that the gradient of a maximum is no matter of taste.
    size = 2 * int(np.prod(image))
    x = np.random.default_rng(0).permutation(size).reshape(2, *image)
    run = jax.jit(lambda x: [with_gradients(f, x, 0.0) for f in (ours, by_xla)])
    (got, (got_gradient, _)), (want, (want_gradient, _)) = run(x.astype(np.float32))
    np.testing.assert_array_equal(got, want)
    chex.assert_trees_all_close(got_gradient, want_gradient, rtol=1e-6)


def test_max_pool_shares_the_gradient_of_a_tie():
    x = jnp.array([[5.0, 5.0], [1.0, 0.0]]).reshape(1, 2, 2, 1)
    got = jax.grad(lambda x: convolution.max_pool(x, 2).sum())(x)
    np.testing.assert_allclose(got.reshape(-1), [0.5, 0.5, 0, 0])


@pytest.mark.parametrize("image", [(1, 1, 2), (3, 2, 2), (4, 5, 1)])
def test_transposed_convolution_scatters(image):
    x, kernel = operands(image, (4, 4, image[-1], 3))
    got = jax.jit(convolution.transposed_convolution)(x, kernel)
    height, width, _ = image
    # Output pixel (2 i - 1 + a, 2 j - 1 + b) receives x[i, j] @ kernel[a, b]; what
    # falls outside is dropped.
    want = np.zeros((2, 2 * height, 2 * width, 3), np.float32)
    for i, j, a, b in np.ndindex(height, width, 4, 4):
        row, column = 2 * i - 1 + a, 2 * j - 1 + b
        if 0 <= row < 2 * height and 0 <= column < 2 * width:
            want[:, row, column] += np.asarray(x[:, i, j]) @ np.asarray(kernel[a, b])
    np.testing.assert_allclose(got, want, **close)


def test_transposed_convolution_equals_xla_with_gradients():
    def by_xla(x, kernel):
        # XLA correlates with the kernel; scattering with it is the flipped kernel.
        pads = ((2, 2), (2, 2))
        return lax.conv_transpose(
            x, kernel[::-1, ::-1], (2, 2), pads, dimension_numbers=NHWC
        )

    functions = (convolution.transposed_convolution, by_xla)
    run = jax.jit(lambda x, w: [with_gradients(f, x, w) for f in functions])
    got, want = run(*operands((3, 4, 2), (4, 4, 2, 3)))
    chex.assert_trees_all_close(got, want, **close)


def test_transposed_convolution_layer_adds_its_bias():
    x, kernel = operands((2, 3, 2), (4, 4, 2, 3))
    bias = jnp.array([1.0, -2.0, 0.5])
    layer = convolution.ConvTranspose(3)
    shapes = jax.eval_shape(layer.init, jax.random.key(0), x)["params"]
    chex.assert_trees_all_equal_shapes(shapes, {"kernel": kernel, "bias": bias})

    @jax.jit
    def run(x):
        params = {"kernel": kernel, "bias": bias}
        plain = convolution.transposed_convolution(x, kernel)
        return layer.apply({"params": params}, x) - plain

    np.testing.assert_allclose(
        run(x), np.broadcast_to(bias, (2, 4, 6, 3)), rtol=1e-5, atol=1e-5
    )


def test_other_orders_of_axes_are_xlas():
    x, kernel = arrays.normal(0, 2, 3, 6, 5), arrays.normal(1, 4, 3, 3, 2)
    got = convolution.conv_general_dilated(x, kernel, (1, 1), "VALID")
    want = lax.conv_general_dilated(x, kernel, (1, 1), "VALID")
    chex.assert_trees_all_close(got, want, rtol=1e-6)
