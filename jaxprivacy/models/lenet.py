"""The network on which gradient inversion is usually shown."""

from __future__ import annotations

import flax.linen as nn
import jax

from jaxprivacy.models import convolution

CHANNELS, STRIDES = 12, (2, 2, 1)
SPREAD = 0.5  # weights are uniform in [-0.5, 0.5)


def _uniform(key, shape, dtype=float):
    return jax.random.uniform(key, shape, dtype, -SPREAD, SPREAD)


class LeNet(nn.Module):
    """Three 5 x 5 convolutions with strides and sigmoids, then one linear layer.

    Without pooling and smooth everywhere, and drawn with large weights, so that the
    gradient says as much of the record as it can.

    Source: Zhu, Liu and Han, "Deep Leakage from Gradients", NeurIPS 2019, section 4.1,
    as their code has it.
    """

    num_classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, K) logits."""
        for stride in STRIDES:
            x = nn.Conv(
                CHANNELS,
                (5, 5),
                (stride, stride),
                padding=[(2, 2), (2, 2)],
                kernel_init=_uniform,
                bias_init=_uniform,
                conv_general_dilated=convolution.conv_general_dilated,
            )(x)
            x = jax.nn.sigmoid(x)
        x = x.reshape(x.shape[0], -1)
        return nn.Dense(self.num_classes, kernel_init=_uniform, bias_init=_uniform)(x)
