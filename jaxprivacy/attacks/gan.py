"""The GAN attack of paper A: a participant that trains a generator on the shared model.

Each round it takes the shared model as the discriminator, trains its generator to
produce what the model takes for the target class, labels samples as the artificial
class, adds them to its own records and trains on these as it is told to. To tell the
target class from the artificial one the victim must then reveal more of it.

Hitaj, Ateniese, Perez-Cruz 2017, section 5 and Algorithm 1 (PAPERS rows A10 to A17).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxprivacy import types
from jaxprivacy.federated import roles
from jaxprivacy.models import generators
from jaxprivacy.training import local, losses

WATCHED = 512  # of its own records, on which the attacker measures accuracy


class Generator(NamedTuple):
    """A generator as two pure functions."""

    init: Callable[[jax.Array], types.Params]  # key -> params
    sample: Callable[[types.Params, jax.Array], jax.Array]  # params, z -> (B, *D)


class State(NamedTuple):
    """State of the dishonest participant."""

    inner: Any  # of the participant that it pretends to be
    params: types.Params  # of the generator
    opt_state: optax.OptState
    round: jax.Array  # () how many rounds it has taken part in
    started: jax.Array  # () whether the attack has begun


Discriminator = Callable[[jax.Array], jax.Array]  # (B, *D) -> (B, K) logits
# (discriminator, noise (B, Z), images (B, *D), target class) -> loss ()
Objective = Callable[[Discriminator, jax.Array, jax.Array, Any], jax.Array]


def generator_loss(
    discriminator: Discriminator, images: jax.Array, target_class: int | jax.Array
) -> jax.Array:
    """How little the shared model takes generated images for the target class.

    Cross-entropy of the target class: the generator wants its samples to be labelled
    as the victim labels its own (Algorithm 1, "update G based on the answer from D").
    """
    labels = jnp.full(images.shape[0], target_class)
    return losses.cross_entropy(discriminator(images), labels).mean()


def mode_seeking_loss(noise: jax.Array, images: jax.Array) -> jax.Array:
    """How little images differ where the noise does: (B, Z), (B, *D) -> ().

    The mean, over neighbours in the batch, of the L1 distance of noise over that of
    images. Added to the generator's loss it works against mode collapse.

    Source: Mao et al. 2019, "Mode Seeking Generative Adversarial Networks for Diverse
    Image Synthesis", equation 2 (as a ratio to descend, as in its published code).
    """
    apart = jnp.abs(images - jnp.roll(images, 1, axis=0)).reshape(len(images), -1)
    noise_apart = jnp.abs(noise - jnp.roll(noise, 1, axis=0))
    return jnp.mean(noise_apart.mean(axis=1) / (apart.mean(axis=1) + 1e-5))


def objective(mode_seeking: float | jax.Array = 0.0) -> Objective:
    """What the generator descends: paper A's loss, and additions to it.

    Args:
      mode_seeking: weight of `mode_seeking_loss`; 0 is the paper's algorithm.
    """

    def loss(discriminator, noise, images, target_class):
        value = generator_loss(discriminator, images, target_class)
        if isinstance(mode_seeking, float) and not mode_seeking:
            return value
        return value + mode_seeking * mode_seeking_loss(noise, images)

    return loss


PAPER = objective()


def gan(
    participant: roles.Participant,
    model: types.Model,
    generator: Generator,
    optimizer: optax.GradientTransformation,
    *,
    target_class: int | jax.Array,
    fake_class: int,
    generator_steps: int,
    generator_batch: int,
    injected: int,
    influence: float | jax.Array = 1.0,
    start_round: int = 0,
    start_accuracy: float = 0.0,
    loss: Objective = PAPER,
    logged_samples: int = 64,
) -> roles.Participant:
    """Makes a participant train a generator and inject its samples.

    What the attacker sees: the shared model it is sent, like every participant; of the
    victim it knows the label.

    Args:
      participant: the honest role that it pretends to play.
      model: the shared model, with an output for the artificial class.
      generator: noise to images.
      optimizer: the generator's.
      target_class: the victim's class that is reconstructed.
      fake_class: the artificial class, K for classes 0 to K - 1.
      generator_steps: steps of the generator a round (PAPERS row A15).
      generator_batch: samples a step.
      injected: samples added to the local records a round.
      influence: 1 injects the samples; 0 only trains the generator (row A21).
      start_round: rounds of honest training before the attack.
      start_accuracy: the attack waits until the shared model is right on this share of
        the attacker's own records, the first 512 of them (row A17; the paper's
        threshold is not known, and it asks it of the victim's model too, which the
        attacker cannot measure). Without records of its own it never waits.
      loss: what the generator descends; the paper's by default.
      logged_samples: samples of each round that are kept in `info["samples"]`.
    """
    begins = functools.partial(_begins, model, start_round, start_accuracy)
    steps = generator_steps, generator_batch
    descent = _Descent(model, generator, optimizer, loss, target_class, *steps)
    inject = functools.partial(_inject, generator, injected, fake_class, influence)

    def init(key, params, data):
        return _init(participant, generator, optimizer, key, params, data)

    def step(key, state, received, data):
        play = participant, begins, descent, inject, logged_samples
        return _step(*play, key, state, received, data)

    return roles.Participant(init, step)


class _Descent(NamedTuple):
    """How the generator is trained in a round."""

    model: types.Model
    generator: Generator
    optimizer: optax.GradientTransformation
    loss: Objective
    target_class: int | jax.Array
    steps: int
    batch: int


def _init(participant, generator, optimizer, key, params, data):
    key_inner, key_generator = jax.random.split(key)
    generator_params = generator.init(key_generator)
    return State(
        participant.init(key_inner, params, data),
        generator_params,
        optimizer.init(generator_params),
        jnp.zeros((), jnp.int32),
        jnp.zeros((), bool),
    )


def _begins(model, start_round, start_accuracy, state, received, data):
    """Whether the attack has begun, or begins now."""
    begun = state.round >= start_round
    if start_accuracy > 0:
        own = local.take(data, jnp.arange(min(WATCHED, len(data.y))))
        accuracy = losses.accuracy(model, received, own)
        begun &= (accuracy >= start_accuracy) | (own.mask.sum() == 0)
    return state.started | begun


def _train_generator(descent, key, received, params, opt_state):
    """Trains the generator for a round, with what was received as discriminator."""

    def discriminator(x):
        return descent.model.apply(received, x)

    def step(carry, key):
        params, opt_state = carry
        z = generators.sample_noise(key, descent.batch)

        def value(params):
            images = descent.generator.sample(params, z)
            return descent.loss(discriminator, z, images, descent.target_class)

        value, grads = jax.value_and_grad(value)(params)
        updates, opt_state = descent.optimizer.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    (params, opt_state), values = lax.scan(
        step, (params, opt_state), jax.random.split(key, descent.steps)
    )
    return params, opt_state, values.mean()


def _inject(generator, count, fake_class, influence, key, params, data, active):
    """The attacker's records with samples among them, labelled as the fake class."""
    images = generator.sample(params, generators.sample_noise(key, count))
    mask = jnp.full(count, active * influence, data.mask.dtype)
    fakes = types.Batch(
        lax.stop_gradient(images),
        jnp.full(count, fake_class, data.y.dtype),
        mask,
    )
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), data, fakes)


def _step(participant, begins, descent, inject, logged, key, state, received, data):
    """One round: trains the generator, then as a participant on what is injected."""
    key_train, key_inject, key_inner, key_log = jax.random.split(key, 4)
    started = begins(state, received, data)
    params, opt_state, value = lax.cond(
        started,
        lambda: _train_generator(
            descent, key_train, received, state.params, state.opt_state
        ),
        lambda: (state.params, state.opt_state, jnp.zeros(())),
    )
    merged = inject(key_inject, params, data, started.astype(jnp.float32))
    inner, update, info = participant.step(key_inner, state.inner, received, merged)
    noise = generators.sample_noise(key_log, logged)
    info = {
        **info,
        "generator_loss": value,
        "started": started,
        "samples": descent.generator.sample(params, noise),
    }
    new = State(inner, params, opt_state, state.round + 1, started)
    return new, update, info
