"""The classifiers that are attacked."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxprivacy import types
from jaxprivacy.models import convolution

SMALLEST = 4  # pixels: what two 2 x 2 poolings leave something of


class MLP(nn.Module):
    """A fully connected classifier of tables or images.

    Tanh between the layers, as in the networks that paper B's authors use for
    Purchase-100 and Texas-100 (PAPERS row B4).
    """

    widths: Sequence[int]
    num_classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, *D) -> (B, K) logits."""
        x = x.reshape(x.shape[0], -1)
        for width in self.widths:
            x = jnp.tanh(nn.Dense(width)(x))
        return nn.Dense(self.num_classes)(x)


class ConvolutionalClassifier(nn.Module):
    """Paper A's classifier: convolution, tanh, max-pooling, then two linear layers.

    `mnist_classifier` and `att_classifier` below are the paper's two; `classifier`
    chooses for an image of any size. The log-softmax at the end of the paper's network
    is part of the loss here.
    """

    channels: Sequence[int]
    pools: Sequence[int]
    hidden: int
    outputs: int
    padding: str = "VALID"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, outputs) logits."""
        for features, pool in zip(self.channels, self.pools, strict=True):
            x = nn.Conv(
                features,
                (5, 5),
                padding=self.padding,
                conv_general_dilated=convolution.conv_general_dilated,
            )(x)
            # tanh rises, so it may follow the maximum: the same function of fewer.
            x = jnp.tanh(convolution.max_pool(x, pool))
        x = x.reshape(x.shape[0], -1)
        x = jnp.tanh(nn.Dense(self.hidden)(x))
        return nn.Dense(self.outputs)(x)


def mnist_classifier(outputs: int = 11) -> ConvolutionalClassifier:
    """Paper A's MNIST network: 105,707 parameters on 32 x 32 x 1 (PAPERS row A8)."""
    return ConvolutionalClassifier((32, 64), (3, 2), 200, outputs)


def att_classifier(outputs: int = 41) -> ConvolutionalClassifier:
    """Paper A's AT&T network: 478,665 parameters on 64 x 64 x 1 (PAPERS row A9)."""
    return ConvolutionalClassifier((32, 64, 128), (3, 2, 2), 400, outputs)


def classifier(image_shape: Sequence[int], outputs: int) -> ConvolutionalClassifier:
    """Paper A's network for images of the given size.

    From 52 pixels on the AT&T network, from 22 on the MNIST network. Neither fits
    smaller images: these get the MNIST network with padded convolutions and 2 x 2
    pooling (a deviation; on 8 x 8 the linear layer still has 256 inputs).

    Args:
      image_shape: (H, W, C), at least 4 x 4.
      outputs: K, or K + 1 with the artificial class of the GAN attack.
    """
    smallest = min(image_shape[:2])
    if smallest < SMALLEST:
        raise ValueError(f"image_shape={tuple(image_shape)}: at least 4 x 4 is needed")
    if smallest >= 52:
        return att_classifier(outputs)
    if smallest >= 22:
        return mnist_classifier(outputs)
    return ConvolutionalClassifier((32, 64), (2, 2), 200, outputs, padding="SAME")


def as_model(module: nn.Module, input_shape: Sequence[int]) -> types.Model:
    """Wraps a Linen module without further variable collections as pure functions.

    Args:
      module: maps (B, *D) to (B, K).
      input_shape: *D, the shape of one example.
    """

    def init(key):
        return module.init(key, jnp.zeros((1, *input_shape)))["params"]

    def apply(params, x):
        return module.apply({"params": params}, x)

    return types.Model(init, apply)
