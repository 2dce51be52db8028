"""The model whose updates are inverted."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxprivacy import types
from jaxprivacy.data import Dataset
from jaxprivacy.models import lenet, targets
from jaxprivacy.programs import compilation
from jaxprivacy.studies import inversion_settings, training
from jaxprivacy.training import gradients, local, losses

BATCH = 32  # of the training before the update
ACTIVATIONS = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}


class Target(NamedTuple):
    """A model as it is when the participant receives it."""

    model: types.Model
    params: types.Params
    last_bias: Callable[[types.Params], jax.Array]  # of a tree like params: (K,)


def target(
    settings: inversion_settings.InversionSettings,
    dataset: Dataset,
    learns: np.ndarray,
) -> Target:
    """Draws a model, and trains it if that is asked for.

    Args:
      settings: checked settings.
      dataset: the data.
      learns: the records that it is trained on.

    Raises:
      Diverged: naming the rate.
    """
    network = model(settings, dataset)
    params = compilation.initial(
        network.init, training.named_key(settings.seed, "model")
    )
    if settings.epochs:
        optimizer = optax.sgd(settings.learning_rate)
        train = local.sgd(
            gradients.plain(network),
            optimizer,
            epochs=settings.epochs,
            batch_size=BATCH,
        )
        key = training.named_key(settings.seed, "training")
        data = training.batch(dataset, learns)
        params, _, _ = compilation.compiled(train)(
            key, params, optimizer.init(params), data
        )
        training.check_finite(params, learning_rate=settings.learning_rate)
    last = max((name for name in params if name.startswith("Dense_")), key=_number)
    return Target(network, params, lambda tree: tree[last]["bias"])


def accuracies(
    target: Target, dataset: Dataset, learns: np.ndarray, attacked: np.ndarray
) -> dict[str, float]:
    """How often the model is right on what it learned from, and on the attacked."""
    accuracy = compilation.compiled(functools.partial(losses.accuracy, target.model))
    return {
        name: float(accuracy(target.params, training.batch(dataset, of)))
        for name, of in (("train_accuracy", learns), ("test_accuracy", attacked))
    }


def model(
    settings: inversion_settings.InversionSettings, dataset: Dataset
) -> types.Model:
    """The model that the settings name, or the usual one of the kind of data."""
    shape, classes = dataset.x.shape[1:], dataset.num_classes
    name = inversion_settings.model_name(settings, dataset)
    if name == "lenet":
        return targets.as_model(lenet.LeNet(classes), shape)
    if name == "cnn":
        return targets.as_model(targets.classifier(shape, classes), shape)
    module = targets.MLP(settings.mlp_widths, classes, ACTIVATIONS[settings.activation])
    return targets.as_model(module, shape)


def _number(name: str) -> int:
    return int(name.rpartition("_")[2])
