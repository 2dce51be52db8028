"""The upper bound of the GAN attack: a DCGAN on the victim's images, fully trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import types
from jaxprivacy.attacks import dcgan, gan
from jaxprivacy.models import generators
from jaxprivacy.programs import chunks, placement

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
    stopped: bool = False  # whether it had, before the last step that was allowed


def train(
    plain: dcgan.Dcgan,
    generator: gan.Generator,
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
      images: (N_i, *D) of each run.
      keys: of each run.
      distance: of samples to a run's images; the best look is kept.
      most: steps at most.
      advance: told the share done.

    Returns:
      Of each run, what was nearest: optimistic, as a bound may be.
    """
    counts, stacked = np.array([len(x) for x in images]), _padded(images)
    split = jnp.stack([jax.random.split(key, 3) for key in keys])
    key_init, key_steps, key_noise = split[:, 0], split[:, 1], split[:, 2]
    init = _spread(plain.init)
    descend = _spread(
        lambda indices, key, state, images, count: plain.steps(
            key, state, images, indices, count
        )
    )
    sample = _spread(
        lambda key, state: generator.sample(
            state.generator, generators.sample_noise(key, SAMPLES)
        )
    )
    found = [None] * len(images)

    def look(done, states, nothing):
        del nothing
        samples = np.asarray(sample((), (key_noise, states)))
        made = jax.device_get(states.generator)
        for i in range(len(images)):
            made_i = jax.tree.map(lambda a, i=i: a[i], made)
            found[i] = _better(found[i], distance(i, samples[i]), done, made_i)
        return all(_has_stopped(bound.distances) for bound in found)

    def step(states, indices):
        return descend((indices,), (key_steps, states, stacked, counts)), ()

    states = init((), (key_init,))
    chunks.run(step, states, most, length=CHECK, advance=advance, stop=look)
    return [b._replace(stopped=_has_stopped(b.distances)) for b in found]


def _spread(function):
    """One program over all runs, on all devices."""
    return placement.program(function, placement.SPREAD)


def _padded(images: Sequence[np.ndarray]) -> np.ndarray:
    """Stacks the images of all runs, (R, N, *D), so that all go in one program."""
    longest = max(map(len, images))
    return np.stack(
        [np.pad(x, [(0, longest - len(x)), *[(0, 0)] * (x.ndim - 1)]) for x in images]
    )


def _better(bound: Bound | None, now: float, steps: int, made) -> Bound:
    now = now if np.isfinite(now) else np.inf
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
