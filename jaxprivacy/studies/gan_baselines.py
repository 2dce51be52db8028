"""What the GAN attack is compared with and trained beside it: an mlp, and DCGANs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from jaxprivacy.attacks import dcgan
from jaxprivacy.data import Dataset
from jaxprivacy.evaluation import reconstruction as evaluation
from jaxprivacy.models import targets
from jaxprivacy.studies import (
    bounds,
    collaboration,
    judge,
    settings as settings_lib,
)


def mlp_settings(settings: settings_lib.GanSettings) -> settings_lib.GanSettings:
    """The settings of the run that trains an mlp, which nobody attacks."""
    return dataclasses.replace(
        settings, model="mlp", start_round=settings.rounds, start_accuracy=0.0
    )


def mlp_run(settings: settings_lib.GanSettings, dataset: Dataset):
    """An mlp trained in the same way without attacker: where inversion works.

    Returns:
      (seats, key, advance, checkpoint=None) -> the model and its parameters.
    """
    settings = mlp_settings(settings)
    trained = collaboration.collaborative_run(settings, dataset, logged_samples=2)
    model = collaboration.model(settings, dataset)

    def run(who, key, advance=lambda share: None, checkpoint=None):
        differs = collaboration.swept(settings, "gan_no_influence")
        run = trained(who, differs, key, advance, checkpoint)
        return model, run.params

    return run


def plain_dcgan(
    settings: settings_lib.GanSettings, shape: tuple[int, ...]
) -> dcgan.Dcgan:
    """The DCGAN for images of a shape, with the attack's networks and batches."""
    return dcgan.dcgan(
        collaboration.linen_generator(shape),
        targets.as_model(targets.classifier(shape, 1), shape),
        batch_size=settings.generator_batch,
    )


def dcgans(
    settings: settings_lib.GanSettings,
    images: Sequence[np.ndarray],
    keys: Sequence[jax.Array],
    judges: Sequence[judge.Judge],
    advance,
) -> list[bounds.Bound]:
    """DCGANs on the victims' images of some runs, each until it stops improving."""
    shape = images[0].shape[1:]
    of_images = [j.look(x).features for j, x in zip(judges, images, strict=True)]

    def distance(run, samples):
        features = judges[run].look(samples).features
        return evaluation.frechet_distance(features, of_images[run])

    return bounds.train(
        plain_dcgan(settings, shape),
        collaboration.linen_generator(shape),
        images,
        keys,
        distance,
        most=settings.dcgan_steps,
        advance=advance,
    )


def bound_row(bound: bounds.Bound) -> dict:
    """How a DCGAN came to its best, in result.json."""
    return {
        "steps": bound.steps,
        "stopped": bound.stopped,
        "frechets": bound.distances,
    }
