"""What the published image classifiers are built of, initialised as in PyTorch.

Shared by AlexNet, ResNet and DenseNet in the layout of bearpaw/pytorch-classification.
"""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxprivacy import checks
from jaxprivacy.models import convolution

EPSILON = 1e-5  # PyTorch's, of either normalisation
GROUPS = 8  # of a group normalisation, at most
NORMALISATIONS = ("group", "batch")


def uniform(fan_in: int) -> nn.initializers.Initializer:
    """Draws from U(-b, b), b = 1 / sqrt(fan_in): PyTorch's default, biases too."""
    bound = fan_in**-0.5

    def draw(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return draw


def conv(features: int, size: int, strides: int = 1, *, name: str) -> nn.Conv:
    """A convolution without bias that keeps the image's size but for its strides.

    Weights are drawn from N(0, 2 / (size^2 features)), as in bearpaw's networks.
    """
    return nn.Conv(
        features,
        (size, size),
        strides,
        padding=size // 2,
        use_bias=False,
        kernel_init=nn.initializers.variance_scaling(2.0, "fan_out", "normal"),
        conv_general_dilated=convolution.conv_general_dilated,
        name=name,
    )


def linear(x: jax.Array, outputs: int, *, name: str) -> jax.Array:
    """A linear layer, initialised as in PyTorch: (B, F) -> (B, outputs)."""
    init = uniform(x.shape[-1])
    return nn.Dense(outputs, kernel_init=init, bias_init=init, name=name)(x)


def normalise(x: jax.Array, kind: str, *, name: str) -> jax.Array:
    """Normalises (B, H, W, C) without mixing examples, then scales and shifts channels.

    Args:
      x: the images.
      kind: "group": by the mean and variance of each example over groups of channels,
        gcd(C, 8) of them; "batch": batch normalisation as in evaluation, by averages
        that were taken elsewhere and that training here leaves as they are.
      name: of the layer.
    """
    if kind == "batch":
        return nn.BatchNorm(use_running_average=True, epsilon=EPSILON, name=name)(x)
    checks.one_of("normalisation", kind, NORMALISATIONS)
    groups = math.gcd(x.shape[-1], GROUPS)
    return nn.GroupNorm(groups, epsilon=EPSILON, name=name)(x)


def average_pool(x: jax.Array) -> jax.Array:
    """Mean over 2 x 2 windows: (B, H, W, C) -> (B, H // 2, W // 2, C)."""
    batch, height, width, channels = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    x = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
    return x.mean(axis=(2, 4))
