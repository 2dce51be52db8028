"""The upper bound of the GAN attack: a DCGAN on the victim's images, fully trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import types
from jaxprivacy.attacks import dcgan
from jaxprivacy.attacks.gan import Generator
from jaxprivacy.experiments import spread
from jaxprivacy.models import generators

CHECK = 250  # steps between two looks at the samples
PATIENCE = 4  # looks without a better one, after which it has stopped improving
SAMPLES = 200  # looked at
BETTER = 0.95  # times the smallest distance is better

# (which of the runs, samples (S, *D)) -> their distance to its images
Distance = Callable[[int, np.ndarray], float]


class Bound(NamedTuple):
    """A DCGAN at its best, and how it came there."""

    generator: types.Params
    steps: int  # after which it was best
    distances: list[float]  # at every look, until it had stopped improving


def train(
    plain: dcgan.Dcgan,
    generator: Generator,
    images: Sequence[np.ndarray],
    keys: Sequence[jax.Array],
    distance: Distance,
    *,
    most: int,
    advance: Callable[[float], None],
) -> list[Bound]:
    """Trains DCGANs until their samples come no nearer to the images.

    Args:
      plain: the training.
      generator: its generator.
      images: (N_i, *D) of each run; more than the fewest are drawn from alike.
      keys: of each run.
      distance: of samples to a run's images; the best look is kept.
      most: steps at most.
      advance: told the share done.

    Returns:
      Of each run, what was nearest.
    """
    which = spread.repeated(len(images), jax.device_count())
    # Repeated to one number of images, so that all go in one program.
    longest = max(map(len, images))
    stacked = np.stack([np.resize(x, (longest, *x.shape[1:])) for x in images])[which]
    split = jnp.stack([jax.random.split(key, 3) for key in keys])[which]
    key_init, key_steps, key_noise = split[:, 0], split[:, 1], split[:, 2]
    length = min(CHECK, most)

    @jax.jit
    def init(keys):
        return spread.over_runs(plain.init, (), (keys,))

    @jax.jit
    def chunk(indices, keys, states, images):
        def one(indices, key, state, images):
            return plain.steps(key, state, images, indices)

        return spread.over_runs(one, (indices,), (keys, states, images))

    @jax.jit
    def sample(keys, states):
        def one(key, state):
            noise = generators.sample_noise(key, SAMPLES)
            return generator.sample(state.generator, noise)

        return spread.over_runs(one, (), (keys, states))

    states, found = init(key_init), [None] * len(images)
    for start in range(0, most, length):
        states = chunk(start + jnp.arange(length), key_steps, states, stacked)
        samples = np.asarray(sample(key_noise, states))
        made = jax.device_get(states.generator)
        for i in range(len(images)):
            now = distance(i, samples[i])
            made_i = jax.tree.map(lambda a, i=i: a[i], made)
            found[i] = _better(found[i], now, start + length, made_i)
        done = all(_has_stopped(bound.distances) for bound in found)
        left = most - start if done else length
        advance(min(left, most - start) / most)
        if done:
            break
    return found


def _better(bound: Bound | None, now: float, steps: int, made) -> Bound:
    if bound is None:
        return Bound(made, steps, [now])
    if _has_stopped(bound.distances):
        return bound
    distances = [*bound.distances, now]
    if now < BETTER * min(bound.distances):
        return Bound(made, steps, distances)
    return bound._replace(distances=distances)


def _has_stopped(distances: list[float]) -> bool:
    """Whether the last looks were no better than the best one before them."""
    if len(distances) <= PATIENCE:
        return False
    return min(distances[-PATIENCE:]) >= BETTER * min(distances[:-PATIENCE])
