"""AlexNet for images of about 32 x 32 pixels, as paper B attacks it."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax

from jaxprivacy import errors
from jaxprivacy.models import convolution, image_layers

SIZES = (29, 60)  # pixels: what one stride of 4 and three poolings make 1 x 1

# Features, kernel size, stride, pooling window.
_LAYERS = (
    (64, 11, 4, 2),
    (192, 5, 1, 2),
    (384, 3, 1, 1),
    (256, 3, 1, 1),
    (256, 3, 1, 2),
)
_NAMES = (0, 3, 6, 8, 10)  # where they stand in bearpaw's `features`


def check_image(shape: Sequence[int]) -> None:
    """Raises InputError if images (H, W, C) are too small or too large."""
    if not all(SIZES[0] <= size <= SIZES[1] for size in shape[:2]):
        raise errors.InputError(
            "model",
            "alexnet",
            found=f"images of {shape[0]} x {shape[1]} pixels do not fit",
            accepted=f"are {SIZES[0]} to {SIZES[1]} pixels each way",
        )


class AlexNet(nn.Module):
    """Five convolutions with ReLU, three of them max-pooled, and one linear layer.

    PAPERS row B2 with a ReLU after every convolution, as in models/cifar/alexnet.py of
    bearpaw/pytorch-classification: 2,495,396 parameters on 32 x 32 x 3 with 100
    classes. Parameters bear that file's names, `features.3` as `features_3`.
    """

    num_classes: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C), H and W of 29 to 60 pixels -> (B, K) logits."""
        check_image(x.shape[1:])
        for index, (features, size, stride, pool) in zip(_NAMES, _LAYERS, strict=True):
            init = image_layers.uniform(size**2 * x.shape[-1])
            x = nn.Conv(
                features,
                (size, size),
                stride,
                padding=size // 2,
                kernel_init=init,
                bias_init=init,
                conv_general_dilated=convolution.conv_general_dilated,
                name=f"features_{index}",
            )(x)
            # ReLU rises, so it may follow the maximum: the same function of fewer.
            x = nn.relu(convolution.max_pool(x, pool))
        x = x.reshape(x.shape[0], -1)
        return image_layers.linear(x, self.num_classes, name="classifier")
