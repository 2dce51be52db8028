"""Federated training as the studies ask for it: keys, records, models and roles."""

from __future__ import annotations

import platform
import zlib
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxprivacy
from jaxprivacy import errors, types
from jaxprivacy.data import Dataset
from jaxprivacy.federated import roles
from jaxprivacy.models import targets
from jaxprivacy.studies.settings import Settings
from jaxprivacy.training import gradients, local, population


class Diverged(errors.InputError):
    """A training that left something that is no number."""


def named_key(seed: int, purpose: str) -> jax.Array:
    """A key for a purpose, by its name: one more attack changes no other's numbers."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(purpose.encode()))


def batch(dataset: Dataset, indices: np.ndarray) -> types.Batch:
    """Gathers records as a batch without padding."""
    x, y = jnp.asarray(dataset.x[indices]), jnp.asarray(dataset.y[indices])
    return types.Batch(x, y, jnp.ones(len(indices)))


def stack(dataset: Dataset, shares: Sequence[np.ndarray]) -> types.Batch:
    """Stacks participants' records (P, N, ...), padded to the largest share."""
    most = max(len(share) for share in shares)
    padded = np.stack([np.pad(share, (0, most - len(share))) for share in shares])
    mask = np.stack([np.arange(most) < len(share) for share in shares])
    stacked = batch(dataset, padded.reshape(-1))
    stacked = jax.tree.map(lambda a: a.reshape(*padded.shape, *a.shape[1:]), stacked)
    return stacked._replace(mask=jnp.asarray(mask, jnp.float32))


def model_name(settings: Settings, dataset: Dataset) -> str:
    """The model's name: as asked for, else by the kind of data."""
    return settings.model or ("cnn" if dataset.is_image else "mlp")


def target_model(settings: Settings, dataset: Dataset, outputs: int) -> types.Model:
    """The classifier that is trained and attacked."""
    shape, name = dataset.x.shape[1:], model_name(settings, dataset)
    if name == "alexnet":
        return targets.build(name, shape, outputs)
    if name == "cnn":
        return targets.as_model(targets.classifier(shape, outputs), shape)
    return targets.as_model(targets.MLP(settings.mlp_widths, outputs), shape)


def check_model(settings: Settings, dataset: Dataset) -> None:
    """Checks that the model takes the data.

    Raises:
      InputError: it does not.
    """
    if settings.model in ("cnn", "alexnet") and not dataset.is_image:
        raise errors.InputError(
            "model", settings.model, found="the data is a table", accepted="is mlp"
        )
    if model_name(settings, dataset) == "cnn":
        height, width = dataset.x.shape[1:3]
        if min(height, width) < targets.SMALLEST:
            raise errors.InputError(
                "model",
                "cnn",
                found=f"the images are {height} x {width}",
                accepted="are 4 x 4 and larger; `model`=mlp takes any size",
            )
    if settings.model == "alexnet":  # Refuses images that do not fit.
        target_model(settings, dataset, dataset.num_classes)


def begin(model: types.Model, key: jax.Array) -> tuple[types.Params, jax.Array]:
    """What the training of one model begins with, and the key of what follows."""
    key_init, key_run = jax.random.split(key)
    return model.init(key_init), key_run


def from_the_start(
    model: types.Model,
    gradient: gradients.GradientFn,
    optimizer: optax.GradientTransformation,
    *,
    epochs: int,
    batch_size: int,
) -> population.Train:
    """Builds the training of one model, (key, records) -> params.

    Args:
      model: the classifier.
      gradient: what is descended.
      optimizer: by which.
      epochs: passes over the records.
      batch_size: see `local.sgd`.
    """
    descend = local.sgd(gradient, optimizer, epochs=epochs, batch_size=batch_size)

    def train(key, records):
        params, key_run = begin(model, key)
        return descend(key_run, params, optimizer.init(params), records)[0]

    return train


def participant(settings: Settings, model: types.Model) -> roles.Participant:
    """The honest role: local epochs of SGD."""
    descent, decay = optax.sgd, settings.round_decay
    if decay < 1:
        descent = optax.inject_hyperparams(descent)
    optimizer = descent(settings.learning_rate, settings.momentum or None)
    train = local.sgd(
        gradients.plain(model),
        optimizer,
        epochs=settings.local_epochs,
        batch_size=settings.batch_size,
    )
    honest = roles.honest_participant(train, optimizer)
    return roles.decaying(honest, decay) if decay < 1 else honest


def check_finite(left: Any, **rates: float) -> None:
    """Checks what a training left: parameters, or what was computed with them.

    Args:
      left: a tree of arrays.
      **rates: the settings at fault where something in it is no number.

    Raises:
      Diverged: naming the rates.
    """
    if is_finite(left):
        return
    raise Diverged(
        tuple(rates),
        tuple(f"{rate:g}" for rate in rates.values()),
        found="the training diverges",
        accepted="are rates at which it does not",
    )


def is_finite(tree: Any) -> bool:
    """Whether a tree of arrays holds neither NaN nor infinity."""
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))


def versions() -> dict[str, str]:
    """The versions that a number depends on."""
    names = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy", "scikit-learn")
    found = {name: metadata.version(name) for name in names}
    return {
        "jaxprivacy": jaxprivacy.__version__,
        "python": platform.python_version(),
        "platform": jax.default_backend(),
        **found,
    }
