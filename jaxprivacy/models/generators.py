"""The DCGAN generators of paper A."""

from __future__ import annotations

import math
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxprivacy.models import convolution

NOISE_SIZE = 100  # Paper A: z is 100-dimensional, uniform.

_init = nn.initializers.normal(0.02)


class BatchStandardize(nn.Module):
    """Batch normalisation by the statistics of the batch at hand, always.

    The generator is only ever run on batches, so no running averages are kept and
    its state is its parameters alone.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, H, W, C)."""
        scale = self.param("scale", _scale_init, (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        return jax.nn.standardize(x, axis=(0, 1, 2), epsilon=1e-5) * scale + bias


def _scale_init(key, shape, dtype=jnp.float32):
    """N(1, 0.02), DCGAN's initialisation of batch normalisation."""
    return 1 + _init(key, shape, dtype)


class Generator(nn.Module):
    """DCGAN generator: noise to images by transposed convolutions.

    The first transposed convolution sees a 1 x 1 input, so it is a linear layer
    followed by a reshape. Batch normalisation and ReLU on all but the last, which
    ends in tanh. Weights are drawn from N(0, 0.02) (PAPERS rows A10, A11).
    """

    channels: Sequence[int]  # of every layer but the last
    first: tuple[int, int]  # height and width after the first layer
    image_shape: Sequence[int]  # (H, W, C)

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """(B, 100) -> (B, H, W, C) in [-1, 1]."""
        height, width = self.first
        z = nn.Dense(
            height * width * self.channels[0], use_bias=False, kernel_init=_init
        )(z)
        x = z.reshape(-1, height, width, self.channels[0])
        x = nn.relu(BatchStandardize()(x))
        for features in self.channels[1:]:
            x = convolution.ConvTranspose(features, kernel_init=_init)(x)
            x = nn.relu(BatchStandardize()(x))
        x = convolution.ConvTranspose(self.image_shape[-1], kernel_init=_init)(x)
        return crop(jnp.tanh(x), self.image_shape)


def crop(x: jax.Array, image_shape: Sequence[int]) -> jax.Array:
    """Cuts the centre of the wanted size out of (B, H, W, C)."""
    top = (x.shape[1] - image_shape[0]) // 2
    left = (x.shape[2] - image_shape[1]) // 2
    return x[:, top : top + image_shape[0], left : left + image_shape[1]]


def generator(image_shape: Sequence[int]) -> Generator:
    """Paper A's generator for images of the given size.

    32 x 32 gives the MNIST generator (256, 128, 64 channels) and 64 x 64 the AT&T
    generator (512, 256, 128, 64). Other sizes get as many doublings as the smaller
    side calls for, at least two, and the result is cropped (28 of 32, say).
    """
    height, width, _ = image_shape
    doublings = max(2, math.ceil(math.log2(min(height, width) / 4)))
    first = (math.ceil(height / 2**doublings), math.ceil(width / 2**doublings))
    channels = [64 * 2**i for i in reversed(range(doublings))]
    return Generator(tuple(channels), first, tuple(image_shape))


def sample_noise(key: jax.Array, count: int) -> jax.Array:
    """Draws (count, 100) noise, uniform in [-1, 1]."""
    return jax.random.uniform(key, (count, NOISE_SIZE), minval=-1.0)
