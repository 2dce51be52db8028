"""The GAN attack of paper A: a participant that trains a generator on the shared model.

Hitaj, Ateniese, Perez-Cruz 2017, section 5 and Algorithm 1 (PAPERS rows A10 to A17).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxprivacy import types
from jaxprivacy.federated import roles
from jaxprivacy.models import generators
from jaxprivacy.training import losses


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


def generator_loss(
    discriminator: Callable[[jax.Array], jax.Array],
    images: jax.Array,
    target_class: int,
) -> jax.Array:
    """How little the shared model takes generated images for the target class.

    Cross-entropy of the target class: the generator wants its samples to be labelled
    as the victim labels its own (Algorithm 1, "update G based on the answer from D").
    """
    labels = jnp.full(images.shape[0], target_class)
    return losses.cross_entropy(discriminator(images), labels).mean()


def gan(
    participant: roles.Participant,
    model: types.Model,
    generator: Generator,
    optimizer: optax.GradientTransformation,
    *,
    target_class: int,
    fake_class: int,
    generator_steps: int,
    generator_batch: int,
    injected: int,
    influence: float = 1.0,
    start_round: int = 0,
    logged_samples: int = 64,
) -> roles.Participant:
    """Makes a participant train a generator and inject its samples.

    What the attacker sees: the shared model it is sent, like every participant; of the
    victim it knows the label. What it does, each round: takes the shared model as the
    discriminator, trains its generator to produce what the model takes for the target
    class, labels samples as the artificial class, adds them to its own records and
    trains on these as it is told to. To tell the target class from the artificial one
    the victim must then reveal more of it.

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
      start_round: rounds of honest training before the attack (row A17).
      logged_samples: samples of each round that are kept in `info["samples"]`.
    """

    def init(key, params, data):
        key_inner, key_generator = jax.random.split(key)
        generator_params = generator.init(key_generator)
        return State(
            participant.init(key_inner, params, data),
            generator_params,
            optimizer.init(generator_params),
            jnp.zeros((), jnp.int32),
        )

    def train_generator(key, state, received):
        def step(carry, key):
            params, opt_state = carry
            z = generators.sample_noise(key, generator_batch)

            def loss(params):
                images = generator.sample(params, z)
                return generator_loss(
                    lambda x: model.apply(received, x), images, target_class
                )

            value, grads = jax.value_and_grad(loss)(params)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), value

        return lax.scan(
            step,
            (state.params, state.opt_state),
            jax.random.split(key, generator_steps),
        )

    def inject(key, params, data, active):
        images = generator.sample(params, generators.sample_noise(key, injected))
        mask = jnp.full(injected, active * influence, data.mask.dtype)
        fakes = types.Batch(
            lax.stop_gradient(images),
            jnp.full(injected, fake_class, data.y.dtype),
            mask,
        )
        return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), data, fakes)

    def step(key, state, received, data):
        key_train, key_inject, key_inner, key_log = jax.random.split(key, 4)
        active = (state.round >= start_round).astype(jnp.float32)
        trained, values = train_generator(key_train, state, received)
        params, opt_state = jax.tree.map(
            lambda new, old: jnp.where(active > 0, new, old),
            trained,
            (state.params, state.opt_state),
        )
        merged = inject(key_inject, params, data, active)
        inner, update, info = participant.step(key_inner, state.inner, received, merged)
        noise = generators.sample_noise(key_log, logged_samples)
        info = {
            **info,
            "generator_loss": values.mean(),
            "samples": generator.sample(params, noise),
        }
        return State(inner, params, opt_state, state.round + 1), update, info

    return roles.Participant(init, step)
