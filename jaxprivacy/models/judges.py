"""The classifier that judges reconstructions: another architecture than the attacked.

Paper A's networks are 5 x 5 convolutions, max-pooling and tanh; what fools one of them
fools another of its kind. This one has strided 3 x 3 convolutions, normalised, and
ReLU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import flax.linen as nn
import jax

from jaxprivacy.models import convolution, image_layers

LARGEST = 4  # pixels of the last convolution's output, at most
WIDTHS = (32, 64, 128, 128)


class JudgeNetwork(nn.Module):
    """Convolutions of stride 2 down to some 4 x 4 pixels, then a dense layer."""

    strided: int  # convolutions
    features: int  # of the layer before the last
    classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, classes) logits."""
        for layer in range(self.strided):
            x = nn.Conv(
                WIDTHS[min(layer, len(WIDTHS) - 1)],
                (3, 3),
                strides=2,
                padding=1,
                conv_general_dilated=convolution.conv_general_dilated,
            )(x)
            x = image_layers.normalise(x, "group", name=f"norm_{layer}")
            x = nn.relu(x)
        x = x.reshape(x.shape[0], -1)
        x = nn.relu(nn.Dense(self.features)(x))
        return nn.Dense(self.classes)(x)


def judge_network(
    image_shape: Sequence[int], classes: int, features: int = 64
) -> JudgeNetwork:
    """Returns the judge's network for images (H, W, C) of a size."""
    doublings = max(1, math.ceil(math.log2(min(image_shape[:2]) / LARGEST)))
    return JudgeNetwork(doublings, features, classes)
