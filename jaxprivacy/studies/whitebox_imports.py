"""Targets that others trained, and targets for others."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import numpy as np

from jaxprivacy import errors, types
from jaxprivacy.data import Dataset
from jaxprivacy.models import torch_weights
from jaxprivacy.programs import compilation
from jaxprivacy.studies import (
    provenance,
    target_files,
    training,
    whitebox_kept,
    whitebox_settings,
    whitebox_targets,
)
from jaxprivacy.training import losses

PUBLISHED = ("alexnet", "resnet", "densenet")


def described(
    settings: whitebox_settings.WhiteboxSettings,
    dataset: Dataset,
    shares: Sequence[np.ndarray],
    seed: int,
) -> dict:
    """What an exported target says of itself: its network, and what it learned from."""
    return {
        "model": training.model_name(settings, dataset),
        **{name: getattr(settings, name) for name in _NETWORK},
        "input_shape": list(dataset.x.shape[1:]),
        "classes": dataset.num_classes,
        "data": provenance.fingerprint(dataset),
        "members": [
            f"{len(share)} records, {digest[:12]}"
            for share, digest in zip(shares, whitebox_kept.which(shares), strict=True)
        ],
        "seed": seed,
    }


def check_images(
    settings: whitebox_settings.WhiteboxSettings, dataset: Dataset
) -> None:
    """Checks that a PyTorch file's network can take the data.

    The public models take images in three colours, standardised by CIFAR's means.

    Raises:
      InputError: naming `import_target`.
    """
    name = training.model_name(settings, dataset)
    if name not in PUBLISHED or dataset.x.shape[-1] != 3:
        raise errors.InputError(
            "import_target",
            settings.import_target,
            found=(
                f"with `model`={name} on records of "
                f"{' x '.join(map(str, dataset.x.shape[1:]))}"
            ),
            accepted=(
                f"from a PyTorch file are {', '.join(PUBLISHED)}, on images in three "
                "colours"
            ),
        )


_NETWORK = ("mlp_widths", "depth", "growth_rate", "block", "normalisation")


def imported(
    settings: whitebox_settings.WhiteboxSettings,
    dataset: Dataset,
    shares: Sequence[np.ndarray],
    given: whitebox_targets.Given,
) -> whitebox_targets.Seen:
    """Loads the target in the place of training it.

    Args:
      settings: which target.
      dataset: what it was trained on in part.
      shares: the records that are taken for its members. A target of `export` says
        which they were; of a PyTorch file it is not known.
      given: the records that its accuracy is measured on.

    Raises:
      InputError: naming `import_target`.
    """
    network = whitebox_targets.model(settings, dataset)
    params = load(settings, dataset, shares, network)
    return seen(network, params, given, settings.rounds)


def seen(
    network: types.Model,
    params: types.Params,
    given: whitebox_targets.Given,
    rounds: int,
) -> whitebox_targets.Seen:
    """What is known of a target that was trained elsewhere.

    Args:
      network: the target.
      params: its parameters.
      given: the records that its accuracy is measured on.
      rounds: after how many its only snapshot is said to be taken.
    """

    @compilation.compiled
    def measure(params, train, test):
        def loss(batch):
            values = losses.cross_entropy(network.apply(params, batch.x), batch.y)
            return losses.masked_mean(values, batch.mask)

        return {
            "train_accuracy": losses.accuracy(network, params, train),
            "test_accuracy": losses.accuracy(network, params, test),
            "loss": loss(jax.tree.map(lambda a: a[:1000], train)),
        }

    measured = measure(params, given.train, given.test)
    info = {name: np.asarray(value)[None] for name, value in measured.items()}
    snapshots = jax.tree.map(lambda a: a[None], params)
    return whitebox_targets.Seen(snapshots, [rounds], info)


def load(
    settings: whitebox_settings.WhiteboxSettings,
    dataset: Dataset,
    shares: Sequence[np.ndarray],
    network: types.Model,
) -> types.Params:
    """Reads the target's parameters, for `network`; see `imported`."""
    if settings.imports_torch():
        return torch_weights.load(settings.import_target, network)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    wanted = described(settings, dataset, shares, settings.seed)
    return target_files.load(settings.import_target, shapes, wanted)


def export(
    settings: whitebox_settings.WhiteboxSettings,
    dataset: Dataset,
    shares: Sequence[np.ndarray],
    seed: int,
    seen: whitebox_targets.Seen,
) -> None:
    """Saves the trained target.

    Raises:
      InputError: naming `export_target`.
    """
    last = jax.tree.map(lambda a: np.asarray(a[-1]), seen.snapshots)
    description = described(settings, dataset, shares, seed)
    target_files.save(settings.export_target, last, description)
