"""The unsupervised attack of paper B: an autoencoder, and two clusters of embeddings.

The attacker knows of no record whether it is a member (paper B, unsupervised attack and
Table XIV; PAPERS row B13).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxprivacy import errors, types
from jaxprivacy.attacks import features as features_lib, statistics, whitebox
from jaxprivacy.models import attack_networks, attack_presets

RECONSTRUCTED = 4  # numbers of a record at a snapshot
LANDMARKS = 1000  # embeddings that are clustered; the affinities take 8 MB
UNDECIDED = 0.5  # between the scores of the two clusters


class State(NamedTuple):
    """An autoencoder in training."""

    params: types.Params
    opt_state: optax.OptState


class Autoencoder(NamedTuple):
    """The attack's autoencoder as pure functions; `epochs` may be called in chunks."""

    # (key, features) -> state
    init: Callable[[jax.Array, whitebox.Inputs], State]
    # (key, state, features, targets (N, 4 T), epoch numbers (E,)) -> (state, info)
    epochs: Callable[..., tuple[State, dict]]
    # (params, features) -> (N,) embeddings
    embed: Callable[[types.Params, whitebox.Inputs], jax.Array]


def uncertainty(probabilities: jax.Array) -> jax.Array:
    """Normalised entropy of a prediction: H = -1/log K sum_k p_k log p_k, in [0, 1].

    Args:
      probabilities: (K,), K at least 2; 0 log 0 is 0.
    """
    chex.assert_rank(probabilities, 1)
    entropy = -jax.scipy.special.xlogy(probabilities, probabilities).sum()
    return entropy / jnp.log(probabilities.shape[0])


def reconstruction_targets(features: features_lib.Features) -> jax.Array:
    """Lists what the decoder reconstructs: (N, 4 T), snapshot after snapshot.

    At each snapshot whether the prediction is correct (0 or 1), the true class's
    probability, the prediction's uncertainty (in [0, 1]) and the logarithm of the
    gradient's L2 norm. The paper names these for one snapshot, and the norm itself;
    over several they are stacked, because how they change over the training tells
    members apart too. The norms of members and non-members differ by orders of
    magnitude: of the norm itself an autoencoder sees the few largest only.

    Args:
      features: of the target records; neither hidden outputs nor gradients are used.
    """
    right = features.output.argmax(axis=-1) == features.label.argmax(axis=-1)
    true_class = jnp.sum(features.output * features.label, axis=-1)
    entropy = jax.vmap(jax.vmap(uncertainty))(features.output)
    norm = jnp.log(features.norm + statistics.SMALLEST_NORM)
    four = jnp.stack([right, true_class, entropy, norm], axis=-1)  # (T, N, 4)
    return jnp.moveaxis(four, 0, 1).reshape(four.shape[1], -1)


def standardise(targets: jax.Array) -> jax.Array:
    """Brings each column to mean 0 and standard deviation 1: (N, M) -> (N, M).

    A column in which all records are equal becomes 0. A deviation from paper B, which
    says nothing of the scales: a gradient norm is unbounded, the other three lie in
    [0, 1], and the squared error would be that of the largest.
    """
    centred = targets - targets.mean(axis=0)
    deviation = jnp.sqrt(jnp.mean(centred**2, axis=0))
    # Of equal float32 numbers the mean can be off by a rounding.
    varies = deviation > 1e-6 * jnp.abs(targets).max(axis=0)
    return jnp.where(varies, centred / jnp.where(varies, deviation, 1.0), 0.0)


def autoencoder(
    layers: tuple[types.Layer, ...],
    preset: attack_presets.Preset = attack_presets.TABLE_XIV,
    *,
    take: whitebox.Take = features_lib.take,
    at_once: int = whitebox.SCORED_AT_ONCE,
    **chosen: Any,
) -> Autoencoder:
    """Builds the training of the autoencoder, and the embedding.

    What the attacker sees: the features of the target records, and of none whether it
    is a member. The encoder is the supervised attack's network; its one number must
    suffice to reconstruct four that differ between members and non-members. Trained by
    Adam on the mean squared error over all target records; `targets` are standardised
    over them (see `standardise`).

    Args:
      layers: those whose gradients are among the features.
      preset: sizes and training.
      take: gathers records, as in `whitebox.supervised`.
      at_once: records that are embedded together; bounds the memory.
      **chosen: which features are taken, as in `whitebox.network`.

    Raises:
      InputError: none of the features is taken.
    """
    # An anchor is fitted to known members, of whom there are none.
    preset = dataclasses.replace(preset, anchored=False)
    encoder = whitebox.network(layers, preset, **chosen)
    optimizer = optax.adam(preset.learning_rate)
    made = _Made(encoder, optimizer, take, at_once)

    def init(key, features):
        return _init(made, key, features)

    def epochs(key, state, features, targets, numbers):
        return _epochs(made, key, state, features, targets, numbers)

    def embed(params, features):
        return _embed(made, params, features)

    return Autoencoder(init, epochs, embed)


class _Made(NamedTuple):
    """What all functions of an autoencoder share."""

    encoder: attack_networks.AttackNetwork
    optimizer: optax.GradientTransformation
    take: whitebox.Take
    at_once: int


def _module(made, features):
    """The network that reconstructs four numbers at each snapshot of the features."""
    snapshots = features.loss.shape[0]
    return attack_networks.Autoencoder(made.encoder, RECONSTRUCTED * snapshots)


def _run(made, params, features, key=None):
    """Embeddings (B,) and reconstructions (B, 4 T); with a key, under dropout."""
    rngs = None if key is None else {"dropout": key}
    return _module(made, features).apply(
        {"params": params}, features, training=key is not None, rngs=rngs
    )


def _init(made, key, features):
    two = made.take(features, jnp.arange(2))
    params = _module(made, two).init(key, two, training=False)["params"]
    return State(params, made.optimizer.init(params))


def _step(made, features, targets, state, inputs):
    """One step of Adam on the squared error of a batch's reconstruction."""
    key, records = inputs
    batch = made.take(features, records)

    def loss(params):
        _, reconstruction = _run(made, params, batch, key)
        return jnp.mean((reconstruction - targets[records]) ** 2)

    value, grads = jax.value_and_grad(loss)(state.params)
    updates, opt_state = made.optimizer.update(grads, state.opt_state)
    return State(optax.apply_updates(state.params, updates), opt_state), value


def _batches(key, count, size):
    """An epoch's keys of dropout (M,), and its records (M, B) in random order."""
    steps = count // size
    key_order, key_dropout = jax.random.split(key)
    order = jax.random.permutation(key_order, count)
    return (
        jax.random.split(key_dropout, steps),
        order[: steps * size].reshape(steps, size),
    )


def _epochs(made, key, state, features, targets, numbers):
    targets = standardise(targets)
    size = min(made.encoder.preset.batch_size, len(targets))

    def epoch(state, number):
        state, values = lax.scan(
            lambda state, inputs: _step(made, features, targets, state, inputs),
            state,
            _batches(jax.random.fold_in(key, number), len(targets), size),
        )
        return state, {"loss": values.mean()}

    return lax.scan(epoch, state, numbers)


def _embed(made, params, features):
    return whitebox.in_chunks(
        lambda chunk: _run(made, params, made.take(features, chunk))[0],
        jnp.arange(whitebox.count(features)),
        made.at_once,
    )


def cluster(
    embedding: np.ndarray, gradient_norm: np.ndarray, *, seed: int = 0
) -> np.ndarray:
    """Scores records by spectral clustering of their embeddings: (N,), (N,) -> (N,).

    Of two clusters the one with the smaller mean gradient norm is said to be the
    members': their scores lie above 0.5, the others' below. Within a cluster records
    are ordered by their embeddings, towards the other cluster; the paper leaves it at
    the two clusters.

    Deviation from paper B, which clusters all embeddings: so that the affinities of
    many records fit in memory, at most 1,000 embeddings evenly spaced in rank are
    clustered, by the affinity exp(-d^2) of standardised embeddings, and a record
    belongs to the cluster of the nearest. (A graph of nearest neighbours would fit too,
    but of single numbers it is cut at the median, whatever their distribution.)

    Args:
      embedding: of `Autoencoder.embed`.
      gradient_norm: the records', larger where a gradient step would change more; of
        several snapshots, their mean.
      seed: of the clustering's starts.

    Returns:
      Numbers in (0, 1); all 0.5 if the embeddings are all equal.

    Raises:
      InputError: the arguments are not finite numbers of as many records.
    """
    embedding, norm = (np.asarray(a, np.float64) for a in (embedding, gradient_norm))
    if embedding.ndim != 1 or embedding.shape != norm.shape or not len(norm):
        raise errors.InputError(
            ("embedding", "gradient_norm"),
            found=f"shapes {embedding.shape}, {norm.shape}",
            accepted="are vectors of one number for each record",
        )
    for name, values in ("embedding", embedding), ("gradient_norm", norm):
        if not np.isfinite(values).all():
            bad = values[~np.isfinite(values)][0]
            raise errors.InputError(name, bad, "are finite numbers")
    deviation = embedding.std()
    if deviation <= 1e-6 * np.abs(embedding).max():
        return np.full(len(norm), UNDECIDED)
    places = (embedding - embedding.mean()) / deviation
    # Sorted, so that the order of the records has no part in it.
    ranks = np.linspace(0, len(places) - 1, min(LANDMARKS, len(places))).round()
    landmarks = np.sort(places)[ranks.astype(int)]
    in_second = _two_clusters(landmarks, seed)[_nearest(landmarks, places)]
    if in_second.all() or not in_second.any():
        return np.full(len(norm), UNDECIDED)
    member = in_second == (norm[in_second].mean() < norm[~in_second].mean())
    rises = places[member].mean() > places[~member].mean()
    oriented = places if rises else -places
    ranks = np.searchsorted(np.sort(oriented), oriented) + 0.5  # Ties are equal.
    return (member + ranks / len(ranks)) / 2


def _two_clusters(places, seed):
    """Spectral clustering of numbers: (M,) -> (M,) bool."""
    from sklearn.cluster import SpectralClustering

    clustering = SpectralClustering(2, gamma=1.0, random_state=seed)
    return clustering.fit_predict(places[:, None]) == 1


def _nearest(landmarks, places):
    """Index of the nearest landmark, of a rising list."""
    return np.searchsorted((landmarks[1:] + landmarks[:-1]) / 2, places)
