"""How one model is trained under a defense: (key, records) -> params."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from scipy import stats

from jaxprivacy import types
from jaxprivacy.cards import defenses as cards
from jaxprivacy.defenses import accounting, dp_sgd, regularisers
from jaxprivacy.studies import training
from jaxprivacy.training import gradients, local, losses, population

# With a smaller probability a Poisson batch has more records than there is room for.
CUT = 1e-12
NAMES = (
    "none",
    "dp_sgd",
    "early_stopping",
    "weight_decay",
    "dropout",
    "label_smoothing",
    "mixup",
    "temperature",
)


class Recipe(NamedTuple):
    """Settings of one model's training."""

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    private_learning_rate: float  # of DP-SGD, which goes without momentum
    max_norm: float  # of a record's gradient in DP-SGD
    delta: float


class Noise(NamedTuple):
    """DP-SGD's sampling and noise, and what they guarantee."""

    rate: float  # the probability that a record is in a batch
    steps: int  # of one training, or of one round of it
    multiplier: float  # standard deviation over the clipping norm
    claim: accounting.Claim | None  # None: nothing is guaranteed


class Defended(NamedTuple):
    """A training, and what it releases."""

    train: population.Train
    release: Callable[[types.Params, jax.Array], jax.Array]  # (params, x) -> logits


def noise(epsilon: float, recipe: Recipe, count: int, rounds: int = 1) -> Noise:
    """The noise of DP-SGD that guarantees an epsilon.

    Args:
      epsilon: above 0; infinity goes without noise, and guarantees nothing.
      recipe: how a model is trained; its batch size is the mean of the Poisson batches.
      count: how many records a model is trained on, M.
      rounds: how many times the recipe is followed; all steps share the epsilon.

    Raises:
      InputError: no noise that is searched guarantees it.
    """
    rate = min(1.0, recipe.batch_size / count)
    steps = max(1, round(recipe.epochs / rate))
    if math.isinf(epsilon):
        return Noise(rate, steps, 0.0, None)
    every = rate, steps * rounds, recipe.delta
    multiplier = accounting.noise(epsilon, *every)
    claim = accounting.dp_sgd(multiplier, *every)
    return Noise(rate, steps, multiplier, claim)


def defended(
    chosen: cards.Chosen,
    recipe: Recipe,
    model: types.Model,
    validation: types.Batch,
    private: Noise | None = None,
) -> Defended:
    """Builds the training of one model under a defense.

    Args:
      chosen: the defense, one of `NAMES`, and its strength.
      recipe: how it is trained without it.
      model: the classifier.
      validation: records that no model is trained on and no attack is judged on; early
        stopping looks at their loss.
      private: of DP-SGD, what `noise` returns for its strength.
    """
    name, strength = chosen.card.name, chosen.strength
    if name == "dp_sgd":
        return Defended(_private(private, recipe, model), model.apply)
    optimizer = optax.sgd(recipe.learning_rate, recipe.momentum or None)
    gradient = gradients.plain(model)
    if name == "weight_decay":
        optimizer = optax.chain(optax.add_decayed_weights(strength), optimizer)
    elif name == "dropout":
        gradient = regularisers.dropout(model, strength)
    elif name == "label_smoothing":
        gradient = gradients.plain(model, losses.smoothed(strength))
    elif name == "mixup":
        gradient = regularisers.mixup(model, strength)
    if name == "early_stopping" and not math.isinf(strength):
        train = _stopping(model, gradient, optimizer, recipe, int(strength), validation)
    else:
        train = training.from_the_start(
            model,
            gradient,
            optimizer,
            epochs=recipe.epochs,
            batch_size=recipe.batch_size,
        )
    divisor = strength if name == "temperature" else None
    return Defended(train, _released(model, divisor))


def _released(model, temperature):
    if temperature is None:
        return model.apply
    return lambda params, x: model.apply(params, x) / temperature


def _stopping(model, gradient, optimizer, recipe, patience, validation):
    """Keeps the best epoch's model, as `regularisers.early_stop` chooses it.

    Epochs behind the one at which training stops are computed and left out: so all
    models are one program, whenever each of them stops.
    """
    epoch = local.sgd(gradient, optimizer, epochs=1, batch_size=recipe.batch_size)

    def loss(params):
        values = losses.cross_entropy(model.apply(params, validation.x), validation.y)
        return losses.masked_mean(values, validation.mask)

    def train(key, records):
        params, key_run = training.begin(model, key)

        def turn(carry, number):
            params, state, best, lowest, since = carry
            key = jax.random.fold_in(key_run, number)
            params, state, _ = epoch(key, params, state, records)
            value = loss(params)
            better = (value < lowest) & (since < patience)
            best = jax.tree.map(lambda a, b: jnp.where(better, a, b), params, best)
            # What has waited too long waits for ever.
            since = jnp.where(better, 0, since + 1)
            lowest = jnp.where(better, value, lowest)
            return (params, state, best, lowest, since), None

        start = (params, optimizer.init(params), params, jnp.inf, 0)
        last, _ = lax.scan(turn, start, jnp.arange(recipe.epochs))
        return last[2]

    return train


def private_descent(noise: Noise, recipe: Recipe, model: types.Model) -> local.Train:
    """DP-SGD whose Poisson batches and noise are those that the accountant takes.

    It has no state between calls; the loss that it returns is 0, as the true one would
    be no secret.

    Args:
      noise: what `noise` returns; of its steps, those of one call.
      recipe: the rate and the clipping norm.
      model: the classifier.
    """

    def train(key, params, opt_state, records):
        count = len(records.mask)
        room = min(
            count, int(stats.binom.isf(CUT / noise.steps, count, noise.rate)) + 1
        )
        gradient = dp_sgd.gradient(
            model,
            max_norm=recipe.max_norm,
            noise_multiplier=noise.multiplier,
            expected_batch=noise.rate * count,
        )

        def step(params, key):
            key_batch, key_noise = jax.random.split(key)
            drawn = jax.random.bernoulli(key_batch, noise.rate, (count,))
            (chosen,) = jnp.nonzero(
                drawn & (records.mask > 0), size=room, fill_value=count
            )
            found, _ = gradient(key_noise, params, local.take(records, chosen))
            # Of an empty batch too: that it is one would tell.
            rate = recipe.private_learning_rate
            return jax.tree.map(lambda a, b: a - rate * b, params, found), None

        params, _ = lax.scan(step, params, jax.random.split(key, noise.steps))
        return params, opt_state, jnp.zeros(())

    return train


def _private(noise, recipe, model):
    descend = private_descent(noise, recipe, model)

    def train(key, records):
        params, key_run = training.begin(model, key)
        return descend(key_run, params, (), records)[0]

    return train


def validation_share(everyone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parts a population: what early stopping looks at, and what attacks are given."""
    middle = len(everyone) // 2
    return everyone[:middle], everyone[middle:]
