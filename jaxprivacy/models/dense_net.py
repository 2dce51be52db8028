"""DenseNet-BC for images of about 32 x 32 pixels, as paper B attacks it."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxprivacy import checks, errors
from jaxprivacy.models import image_layers

EXPANSION = 4  # a bottleneck's features, in growth rates
SMALLEST = 4  # pixels: what two 2 x 2 poolings leave something of


def check_image(shape: Sequence[int]) -> None:
    """Raises InputError if images (H, W, C) are too small."""
    if min(shape[:2]) < SMALLEST:
        raise errors.InputError(
            "model",
            "densenet",
            found=f"images of {shape[0]} x {shape[1]} pixels do not fit",
            accepted=f"are at least {SMALLEST} pixels each way",
        )


class DenseLayer(nn.Module):
    """A bottleneck whose output is appended to its input."""

    growth_rate: int
    normalisation: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, H, W, C + growth_rate)."""
        h = nn.relu(image_layers.normalise(x, self.normalisation, name="bn1"))
        h = image_layers.conv(EXPANSION * self.growth_rate, 1, name="conv1")(h)
        h = nn.relu(image_layers.normalise(h, self.normalisation, name="bn2"))
        h = image_layers.conv(self.growth_rate, 3, name="conv2")(h)
        return jnp.concatenate([x, h], axis=-1)


class Transition(nn.Module):
    """Compression of the channels and 2 x 2 average pooling between two blocks."""

    compression: int
    normalisation: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, H // 2, W // 2, C // compression)."""
        features = x.shape[-1] // self.compression
        x = nn.relu(image_layers.normalise(x, self.normalisation, name="bn1"))
        # A 1 x 1 convolution and a mean commute: the same function of fewer pixels.
        x = image_layers.average_pool(x)
        return image_layers.conv(features, 1, name="conv1")(x)


class DenseNet(nn.Module):
    """A convolution, three dense blocks with transitions, the mean, a linear layer.

    The layout and, `dense1.0.conv1` as `dense1_0/conv1`, the names of
    models/cifar/densenet.py of bearpaw/pytorch-classification (PAPERS row B1), without
    dropout; the layers called `bn` are what `normalisation` says. The mean is taken
    over all that is left of the image: there, over 8 x 8, the same on 32 x 32.
    """

    layers: int  # of each block
    growth_rate: int
    num_classes: int
    compression: int = 2
    normalisation: str = "group"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C), H and W of at least 4 -> (B, K) logits."""
        check_image(x.shape[1:])
        x = image_layers.conv(2 * self.growth_rate, 3, name="conv1")(x)
        for block in (1, 2, 3):
            for i in range(self.layers):
                name = f"dense{block}_{i}"
                x = DenseLayer(self.growth_rate, self.normalisation, name=name)(x)
            if block < 3:
                name = f"trans{block}"
                x = Transition(self.compression, self.normalisation, name=name)(x)
        x = nn.relu(image_layers.normalise(x, self.normalisation, name="bn"))
        return image_layers.linear(x.mean(axis=(1, 2)), self.num_classes, name="fc")


def densenet(
    depth: int,
    growth_rate: int,
    num_classes: int,
    *,
    compression: int = 2,
    normalisation: str = "group",
) -> DenseNet:
    """The DenseNet-BC of a depth.

    Args:
      depth: 6 n + 4 (10, 16, ..., 100, 190); each of the three blocks has n layers of
        two convolutions.
      growth_rate: channels that each layer adds.
      num_classes: K.
      compression: what a transition divides the channels by.
      normalisation: "group" or "batch", see `image_layers.normalise`.

    Raises:
      InputError: no network has this depth, or an argument is out of its range.
    """
    if depth < 10 or (depth - 4) % 6:
        raise errors.InputError(
            "depth", depth, "for densenet are 10, 16, 22, ... (6 n + 4)"
        )
    checks.positive_integer("growth_rate", growth_rate)
    checks.positive_integer("compression", compression)
    checks.one_of("normalisation", normalisation, image_layers.NORMALISATIONS)
    return DenseNet(
        (depth - 4) // 6, growth_rate, num_classes, compression, normalisation
    )
