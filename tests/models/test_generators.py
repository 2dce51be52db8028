"""Generators: paper A's channels, images of every size, values in [-1, 1]."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.models import convolution, generators
from tests import arrays


def shapes_of(image):
    module = generators.generator(image)
    z = jnp.zeros((3, generators.NOISE_SIZE))
    shapes = jax.eval_shape(module.init, jax.random.key(0), z)
    out = jax.eval_shape(module.apply, shapes, z)
    return shapes["params"], out.shape


@pytest.mark.parametrize(
    ("image", "channels"),
    [((32, 32, 1), [256, 128, 64]), ((64, 64, 1), [512, 256, 128, 64])],
)
def test_channels_of_paper_a(image, channels):
    params, out = shapes_of(image)
    assert out == (3, *image)
    assert params["Dense_0"]["kernel"].shape == (100, 4 * 4 * channels[0])
    for i, (before, after) in enumerate(
        zip(channels, [*channels[1:], image[-1]], strict=True)
    ):
        layer = params[f"ConvTranspose_{i}"]
        assert layer["kernel"].shape == (4, 4, before, after)
        # Batch normalisation on all but the last layer.
        assert params[f"BatchStandardize_{i}"]["scale"].shape == (before,)
    assert len(params) == 1 + 2 * len(channels)


@pytest.mark.parametrize(
    ("image", "first", "doublings"),
    [
        ((4, 4, 1), (1, 1), 2),
        ((8, 8, 1), (2, 2), 2),
        ((21, 21, 1), (3, 3), 3),
        ((22, 22, 3), (3, 3), 3),
        ((28, 28, 1), (4, 4), 3),
        ((32, 32, 3), (4, 4), 3),
        ((51, 51, 1), (4, 4), 4),
        ((52, 52, 1), (4, 4), 4),
        ((64, 64, 3), (4, 4), 4),
        ((20, 36, 3), (3, 5), 3),
        ((9, 70, 1), (3, 18), 2),
    ],
)
def test_images_of_every_size(image, first, doublings):
    module = generators.generator(image)
    assert tuple(module.first) == first
    assert len(module.channels) == doublings
    assert shapes_of(image)[1] == (3, *image)


def test_images_lie_in_the_range_and_differ():
    module = generators.Generator((4, 3), (2, 3), (7, 9, 2))
    z = arrays.normal(1, 5, generators.NOISE_SIZE)
    # Large weights drive the last layer into saturation.
    shapes = jax.eval_shape(module.init, jax.random.key(0), z)
    params = arrays.params_like(shapes, scale=5)
    images = jax.jit(module.apply)(params, z)
    chex.assert_shape(images, (5, 7, 9, 2))
    assert np.abs(images).max() <= 1
    assert np.abs(images).max() > 0.9
    assert np.abs(images[0] - images[1]).max() > 0.1


def test_generator_is_the_sequence_of_its_layers():
    module = generators.Generator((3, 2), (1, 2), (4, 8, 1))
    z = arrays.normal(1, 4, generators.NOISE_SIZE)

    def standardised(x, params):
        mean = x.mean((0, 1, 2))
        variance = ((x - mean) ** 2).mean((0, 1, 2))
        x = (x - mean) / jnp.sqrt(variance + 1e-5)
        return nn.relu(x * params["scale"] + params["bias"])

    def transposed(x, params):
        out = convolution.transposed_convolution(x, params["kernel"])
        return out + params["bias"]

    def by_layers(params, z):
        x = (z @ params["Dense_0"]["kernel"]).reshape(-1, 1, 2, 3)
        x = standardised(x, params["BatchStandardize_0"])
        x = transposed(x, params["ConvTranspose_0"])
        x = standardised(x, params["BatchStandardize_1"])
        return jnp.tanh(transposed(x, params["ConvTranspose_1"]))

    shapes = jax.eval_shape(module.init, jax.random.key(0), z)
    run = jax.jit(lambda p: (module.apply(p, z), by_layers(p["params"], z)))
    got, want = run(arrays.params_like(shapes))
    chex.assert_trees_all_close(got, want, rtol=1e-4, atol=1e-5)


def test_weights_start_as_dcgan_says():
    module = generators.Generator((16,), (2, 2), (4, 4, 1))
    z = jnp.zeros((2, generators.NOISE_SIZE))
    params = jax.jit(module.init)(jax.random.key(0), z)["params"]
    for draws, mean in (
        (params["Dense_0"]["kernel"], 0),
        (params["ConvTranspose_0"]["kernel"], 0),
        (params["BatchStandardize_0"]["scale"], 1),
    ):
        # N(mean, 0.02), to five standard errors.
        draws = np.asarray(draws)
        assert abs(draws.mean() - mean) < 5 * 0.02 / np.sqrt(draws.size)
        assert draws.std() == pytest.approx(0.02, rel=5 / np.sqrt(2 * draws.size))


def test_crop_takes_the_centre():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(
        generators.crop(x, (2, 2, 1))[0, :, :, 0], [[5, 6], [9, 10]]
    )
    np.testing.assert_array_equal(
        generators.crop(x, (4, 1, 1))[0, :, :, 0], [[1], [5], [9], [13]]
    )


def test_noise_is_uniform_in_the_range():
    z = np.asarray(
        jax.jit(generators.sample_noise, static_argnums=1)(jax.random.key(0), 50)
    )
    assert z.shape == (50, 100)
    assert -1 <= z.min() < -0.99
    assert 0.99 < z.max() <= 1
    # A uniform on [-1, 1] has variance 1 / 3; 5,000 draws.
    assert z.mean() == pytest.approx(0, abs=5 / np.sqrt(3 * 5000))
    assert z.var() == pytest.approx(1 / 3, abs=0.025)
