"""An ordinary DCGAN on the victim's own images: what a GAN could reach with the data.

No attack, but the upper bound that paper A compares its attack with (Hitaj, Ateniese,
Perez-Cruz 2017, section 6; PAPERS row A14). Radford, Metz, Chintala 2016, "Unsupervised
Representation Learning with Deep Convolutional Generative Adversarial Networks".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxprivacy import types
from jaxprivacy.attacks.gan import Generator
from jaxprivacy.models import generators


class State(NamedTuple):
    """Both networks and their optimizers' states."""

    generator: types.Params
    discriminator: types.Params
    generator_state: optax.OptState
    discriminator_state: optax.OptState


class Dcgan(NamedTuple):
    """The training as pure functions; `steps` may be called in chunks."""

    init: Callable[[jax.Array], State]  # key -> state
    # (key, state, images (N, *D), indices of the steps (R,), count=N) -> state; the
    # first `count` images are drawn from
    steps: Callable[..., State]


def discriminator_loss(on_real: jax.Array, on_fake: jax.Array) -> jax.Array:
    """Cross-entropy of real and generated images, logits (B,) each: () >= 0.

    Goodfellow et al. 2014, "Generative Adversarial Nets", equation 1, negated.
    """
    return jnp.mean(jax.nn.softplus(-on_real)) + jnp.mean(jax.nn.softplus(on_fake))


def generator_loss(on_fake: jax.Array) -> jax.Array:
    """The loss that does not saturate (ibid., section 3): logits (B,) -> () >= 0."""
    return jnp.mean(jax.nn.softplus(-on_fake))


def dcgan(
    generator: Generator,
    discriminator: types.Model,
    *,
    batch_size: int = 64,
    learning_rate: float = 2e-4,
) -> Dcgan:
    """Builds the training of a generator against a discriminator of real images.

    Args:
      generator: noise to images.
      discriminator: images to one logit, (B, *D) -> (B, 1). Here paper A's classifier;
        DCGAN's own has strided convolutions and batch normalisation (a deviation, so
        that the attack and its bound differ in what they see and not in networks).
      batch_size: images a step, drawn with replacement.
      learning_rate: of both, by Adam with b1 = 0.5.
    """
    optimizer = optax.adam(learning_rate, b1=0.5)

    def init(key):
        key_generator, key_discriminator = jax.random.split(key)
        networks = generator.init(key_generator), discriminator.init(key_discriminator)
        return State(*networks, *map(optimizer.init, networks))

    def logit(params, x):
        return discriminator.apply(params, x)[:, 0]

    def descend(loss, params, opt_state):
        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    def step(key, state, images, count):
        key_real, key_noise = jax.random.split(key)
        real = images[jax.random.randint(key_real, (batch_size,), 0, count)]
        z = generators.sample_noise(key_noise, batch_size)
        fake = generator.sample(state.generator, z)
        judged, judged_state = descend(
            lambda d: discriminator_loss(logit(d, real), logit(d, fake)),
            state.discriminator,
            state.discriminator_state,
        )
        made, made_state = descend(
            lambda g: generator_loss(logit(judged, generator.sample(g, z))),
            state.generator,
            state.generator_state,
        )
        return State(made, judged, made_state, judged_state)

    def steps(key, state, images, indices, count=None):
        count = len(images) if count is None else count

        def one(state, index):
            return step(jax.random.fold_in(key, index), state, images, count), None

        return lax.scan(one, state, indices)[0]

    return Dcgan(init, steps)
