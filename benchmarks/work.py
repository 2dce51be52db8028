"""What several rows train."""

from __future__ import annotations

import numpy as np
import optax

from jaxprivacy import types
from jaxprivacy.models import targets
from jaxprivacy.training import gradients, local

RATE = 0.1
IMAGE, CLASSES = (28, 28, 1), 11
PEER_NOTE = "a loop over models and steps; torch.autograd.grad, torch._foreach_add_"


def records(*count: int, shape: tuple[int, ...], classes: int) -> types.Batch:
    """Made-up records; the time does not depend on what they show."""
    draw = np.random.default_rng(0)
    x = draw.random((*count, *shape), np.float32)
    y = draw.integers(0, classes, count).astype(np.int32)
    return types.Batch(x, y, np.ones(count, np.float32))


def trainer(model: types.Model, epochs: int, batch_size: int) -> local.Train:
    return local.sgd(
        gradients.plain(model), optax.sgd(RATE), epochs=epochs, batch_size=batch_size
    )


def mnist() -> types.Model:
    return targets.as_model(targets.mnist_classifier(CLASSES), IMAGE)
