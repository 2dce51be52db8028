"""Canaries: mislabelled records, each of which a training is given or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import errors, types
from jaxprivacy.data import Dataset
from jaxprivacy.programs import chunks, compilation
from jaxprivacy.studies import privacy_settings, training
from jaxprivacy.targets import gradients as clipping
from jaxprivacy.training import gradients, local, losses

TESTED = 0.2  # share of the records
CHUNKS = 10  # of the training, after each of which progress is told


class Dealt(NamedTuple):
    """Who holds what, as indices into the data set."""

    canaries: np.ndarray  # (M,)
    labels: np.ndarray  # (M,) theirs, each wrong
    included: np.ndarray  # (M,) whether the training is given the canary
    trained: np.ndarray  # in every case
    tested: np.ndarray

    def batch(self, dataset: Dataset) -> types.Batch:
        """What the training is given."""
        return jax.tree.map(
            lambda *parts: jnp.concatenate(parts),
            training.batch(dataset, self.trained),
            jax.tree.map(lambda a: a[self.included], self.probes(dataset)),
        )

    def everyone(self, dataset: Dataset) -> types.Batch:
        """All that may be trained on, with the probability that it is for a mask."""
        held, probes = training.batch(dataset, self.trained), self.probes(dataset)
        return jax.tree.map(
            lambda *parts: jnp.concatenate(parts),
            held,
            probes._replace(mask=probes.mask / 2),
        )

    def probes(self, dataset: Dataset) -> types.Batch:
        """The canaries, with their labels."""
        found = training.batch(dataset, self.canaries)
        return found._replace(y=jnp.asarray(self.labels, found.y.dtype))


def deal(settings: privacy_settings.PrivacySettings, dataset: Dataset) -> Dealt:
    """Draws the canaries, their labels, and which of them are included.

    Raises:
      InputError: there are too few records for so many canaries.
    """
    rng = np.random.default_rng([settings.seed, 0xCA4A])
    count, classes = len(dataset.y), dataset.num_classes
    tested = max(1, round(TESTED * count))
    most = count - tested - 1
    if settings.canaries > most:
        raise errors.InputError(
            "canaries",
            settings.canaries,
            f"are 1 to {most}, as a fifth of the {count} records is for the test "
            "and one at least is no canary",
        )
    order = rng.permutation(count)
    canaries = order[tested : tested + settings.canaries]
    shift = rng.integers(1, classes, settings.canaries)
    return Dealt(
        canaries,
        (dataset.y[canaries] + shift) % classes,
        rng.random(settings.canaries) < 0.5,
        order[tested + settings.canaries :],
        order[:tested],
    )


class Scores(NamedTuple):
    """Of the canaries, (M,) each; higher means included."""

    loss_difference: np.ndarray  # what the training took off the loss
    gradient_product: np.ndarray  # of the canary's gradient and what was not expected


class Trained(NamedTuple):
    """A target, and what became of the canaries."""

    params: types.Params
    scores: Scores
    losses: np.ndarray  # (T,) of the batches


def train(
    gradient: gradients.GradientFn,
    model: types.Model,
    data: types.Batch,
    probes: types.Batch,
    batches: np.ndarray,
    expected: Callable[[types.Params], types.Params],
    *,
    learning_rate: float,
    max_norm: float,
    key: jax.Array,
    advance: Callable[[float], None],
) -> Trained:
    """Descends a gradient function on given batches, and scores the canaries.

    Args:
      gradient: what is released of each batch.
      model: the classifier.
      data: what it is trained on.
      probes: (M, ...) the canaries.
      batches: (T, B) indices into `data`; past its end: no record.
      expected: what an attacker who knows all but which canaries are included expects
        to be released at some parameters.
      learning_rate: of plain descent.
      max_norm: what a canary's gradient is clipped to before the product.
      key: randomness of initial parameters and noise.
      advance: told the share done.
    """

    def step(carry, inputs):
        params, product = carry
        key, indices = inputs
        released, loss = gradient(key, params, local.take(data, indices))
        known = expected(params)
        surprise = jax.tree.map(jnp.subtract, released, known)
        product += _products(model, params, surprise, probes, max_norm)
        descend = jax.tree.map(lambda p, g: p - learning_rate * g, params, released)
        return (descend, product), loss

    @compilation.compiled
    def run(carry, keys, batches):
        return jax.lax.scan(step, carry, (keys, batches))

    loss = compilation.compiled(lambda params: _losses(model, params, probes))
    key_init, key_noise = jax.random.split(key)
    start = compilation.initial(model.init, key_init)
    steps, batches = len(batches), jnp.asarray(batches)
    keys = jax.random.split(key_noise, steps)
    (params, product), logged = chunks.run(
        lambda carry, at: run(carry, keys[at], batches[at]),
        (start, jnp.zeros(len(probes.y))),
        steps,
        length=-(-steps // CHUNKS),
        advance=advance,
    )
    scores = Scores(np.asarray(loss(start) - loss(params)), np.asarray(product))
    return Trained(params, scores, logged)


def _losses(model, params, records):
    return losses.cross_entropy(model.apply(params, records.x), records.y)


def _products(model, params, released, probes, max_norm):
    """The product of a released gradient and each canary's clipped gradient: (M,).

    The derivative of a canary's loss along the released gradient is the product with
    the gradient as it is.
    """
    _, along = jax.jvp(lambda p: _losses(model, p, probes), (params,), (released,))
    norms = clipping.gradient_norms(model.apply, params, probes.x, probes.y)
    return along * jnp.minimum(1.0, max_norm / norms)
