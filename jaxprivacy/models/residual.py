"""ResNet for images of about 32 x 32 pixels, as paper B attacks it."""

from __future__ import annotations

import flax.linen as nn
import jax

from jaxprivacy import checks, errors
from jaxprivacy.models import image_layers

BLOCKS = ("", "basic", "bottleneck")
DEEP = 44  # layers from which bearpaw's first version takes bottleneck blocks


class ResidualBlock(nn.Module):
    """Two convolutions, or a bottleneck of three, around which the input is added."""

    features: int
    strides: int
    bottleneck: bool
    normalisation: str

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, H / strides, W / strides, features, or four times it)."""
        narrow, wide, strides = self.features, self.features, self.strides
        plan = [(narrow, 3, strides), (wide, 3, 1)]
        if self.bottleneck:
            wide = 4 * narrow
            plan = [(narrow, 1, 1), (narrow, 3, strides), (wide, 1, 1)]
        h = x
        for i, (features, size, stride) in enumerate(plan, start=1):
            h = image_layers.conv(features, size, stride, name=f"conv{i}")(h)
            h = image_layers.normalise(h, self.normalisation, name=f"bn{i}")
            if i < len(plan):
                h = nn.relu(h)
        if strides != 1 or x.shape[-1] != wide:
            x = image_layers.conv(wide, 1, strides, name="downsample_0")(x)
            x = image_layers.normalise(x, self.normalisation, name="downsample_1")
        return nn.relu(h + x)


class ResNet(nn.Module):
    """A convolution, three stages of residual blocks, the mean, and a linear layer.

    The layout and, `layer1.0.conv1` as `layer1_0/conv1`, the names of
    models/cifar/resnet.py of bearpaw/pytorch-classification (PAPERS row B1); the layers
    called `bn` are what `normalisation` says. The mean is taken over all that is left
    of the image: there, over 8 x 8, the same on 32 x 32.
    """

    blocks: int  # of each stage
    bottleneck: bool
    num_classes: int
    normalisation: str = "group"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, K) logits."""
        x = image_layers.conv(16, 3, name="conv1")(x)
        x = nn.relu(image_layers.normalise(x, self.normalisation, name="bn1"))
        for stage, features in enumerate((16, 32, 64), start=1):
            for i in range(self.blocks):
                x = ResidualBlock(
                    features,
                    2 if stage > 1 and i == 0 else 1,
                    self.bottleneck,
                    self.normalisation,
                    name=f"layer{stage}_{i}",
                )(x)
        return image_layers.linear(x.mean(axis=(1, 2)), self.num_classes, name="fc")


def resnet(
    depth: int, num_classes: int, *, block: str = "", normalisation: str = "group"
) -> ResNet:
    """The ResNet of a depth, in either of bearpaw's two countings.

    Args:
      depth: 6 n + 2 (8, 14, 20, ..., 110), or 9 n + 2 (11, 20, 29, ...) where `block`
        is "bottleneck"; each of the three stages has n blocks.
      num_classes: K.
      block: "basic" or "bottleneck" as in the repository's later versions. Empty for
        its first version, whose parameter counts its README states: n = (depth - 2) / 6
        blocks, bottlenecks from depth 44 on, so that its ResNet-110 with 1.70 M
        parameters on CIFAR-10 has 164 layers by the usual counting.
      normalisation: "group" or "batch", see `image_layers.normalise`.

    Raises:
      InputError: no network has this depth, or a name is not among those above.
    """
    checks.one_of("block", block, BLOCKS)
    checks.one_of("normalisation", normalisation, image_layers.NORMALISATIONS)
    period = 9 if block == "bottleneck" else 6
    if depth < period + 2 or (depth - 2) % period:
        raise errors.InputError(
            "depth",
            depth,
            f"for resnet{block and ' of block ' + block} are {period + 2}, "
            f"{2 * period + 2}, {3 * period + 2}, ... ({period} n + 2)",
        )
    bottleneck = block == "bottleneck" or (not block and depth >= DEEP)
    return ResNet((depth - 2) // period, bottleneck, num_classes, normalisation)
