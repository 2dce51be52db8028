"""The upper bound trains until it stops improving, and its best is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.attacks import dcgan
from jaxprivacy.attacks.gan import Generator
from jaxprivacy.studies import bounds

KEYS = list(jax.random.split(jax.random.key(0), 2))


def counting():
    """A training whose generator is the number of steps, and images' mean."""

    def init(key):
        return dcgan.State(jnp.zeros(2), None, None, None)

    def steps(key, state, images, indices, count):
        drawn = jnp.arange(len(images)) < count
        mean = jnp.where(drawn[:, None], images, 0).sum() / (count * images.shape[1])
        made = jnp.array([indices[-1] + 1.0, mean])
        return state._replace(generator=made)

    def sample(params, noise):
        return jnp.tile(params, (len(noise), 1))

    return dcgan.Dcgan(init, steps), Generator(None, sample)


def trained(distances, most=20 * bounds.CHECK):
    """Two runs whose distances at each look are given; the shares told."""
    shares = []
    images = [np.full((3, 4), 1.0), np.full((5, 4), 2.0)]

    def distance(run, samples):
        assert samples.shape == (bounds.SAMPLES, 2)
        assert samples[0, 1] == run + 1
        return distances[run][-(-int(samples[0, 0]) // bounds.CHECK) - 1]

    found = bounds.train(
        *counting(), images, KEYS, distance, most=most, advance=shares.append
    )
    return found, shares


def test_each_run_is_left_where_it_was_best():
    falling = [9.0, 8, 7, 6, 5, 4, 3, 2, 1.5, 1, 1, 1, 1, 1, 0.1]
    early = [9.0, 2, 3, 3, 3, 3, 0.1] + [0.1] * 8
    (one, two), shares = trained([falling, early])
    # Neither goes on after four looks without a better one.
    assert one.steps == 10 * bounds.CHECK and one.generator[0] == one.steps
    assert two.steps == 2 * bounds.CHECK and two.generator[0] == two.steps
    assert one.distances == falling[:14]
    assert two.distances == early[:6]
    assert one.stopped and two.stopped
    assert sum(shares) == pytest.approx(1)


def test_it_takes_no_more_steps_than_asked():
    falling = [1.0 / (look + 1) for look in range(20)]
    (one, _), shares = trained([falling, falling], most=3 * bounds.CHECK)
    assert one.distances == falling[:3] and one.steps == 3 * bounds.CHECK
    assert sum(shares) == pytest.approx(1)


def test_the_last_steps_may_be_fewer():
    (one, _), shares = trained([[3.0, 2.0]] * 2, most=bounds.CHECK + 7)
    assert one.steps == one.generator[0] == bounds.CHECK + 7 and not one.stopped
    assert sum(shares) == pytest.approx(1)


def test_what_is_no_number_is_never_the_best():
    (one, two), _ = trained(
        [[np.nan, 9.0, np.nan], [4.0, np.nan, 5.0]], 3 * bounds.CHECK
    )
    assert one.steps == 2 * bounds.CHECK and two.steps == bounds.CHECK


def test_better_by_next_to_nothing_is_no_better():
    slow = [1.0 - look / 10_000 for look in range(20)]
    (one, _), _ = trained([slow, slow])
    assert one.steps == bounds.CHECK and len(one.distances) == 1 + bounds.PATIENCE
