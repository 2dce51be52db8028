"""The unsupervised attack on what was observed of a target."""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from jaxprivacy import errors
from jaxprivacy.attacks import features as features_lib, unsupervised
from jaxprivacy.models import attack_presets
from jaxprivacy.programs import chunks
from jaxprivacy.studies import whitebox_views as views_lib

CHUNK = 10  # epochs of the autoencoder


def scores(
    observer: views_lib.Observer,
    observation: views_lib.Observation,
    view: views_lib.View,
    where: np.ndarray,
    key: jax.Array,
    advance: Callable[[float], None],
    *,
    preset: attack_presets.Preset,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Trains the autoencoder on some records and clusters their numbers.

    Args:
      observer: of the study.
      observation: of the target.
      view: the features that are taken.
      where: the N records among those observed; of none is its membership given.
      key: of the autoencoder.
      advance: told the share done.
      preset: of the encoder, and its training.
      seed: of the clustering.

    Returns:
      The scores and the embeddings, each (N,).
    """
    streamed = views_lib.streams(observation, view)
    trained = observer.autoencoder(view, streamed)
    everything = np.arange(len(where))
    features = views_lib.subset(observer.inputs(observation, view), where)
    features = observer.fit(view, streamed).normalise(features, everything)
    basic = features_lib.take(observation.basic, where)
    targets = unsupervised.reconstruction_targets(basic)
    key_init, key_epochs = jax.random.split(key)
    state = trained.init(key_init, features)
    state, _ = chunks.run(
        lambda *of: trained.epochs(key_epochs, of[0], features, targets, of[1]),
        state,
        preset.epochs,
        length=CHUNK,
        advance=advance,
    )
    embedding = np.asarray(trained.embed(state.params, features))
    if not np.isfinite(embedding).all():
        raise errors.InputError(
            "attack_learning_rate",
            f"{preset.learning_rate:g}",
            found="the unsupervised attack diverges",
            accepted="are rates at which it does not",
        )
    norm = np.asarray(basic.norm).mean(axis=0)
    return unsupervised.cluster(embedding, norm, seed=seed), embedding
