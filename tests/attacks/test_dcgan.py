"""The DCGAN by hand on a constant generator and a linear discriminator."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import types
from jaxprivacy.attacks import dcgan, gan
from tests import arrays
from tests.launch import launched

RATE, STEPS = 0.02, 30
KEY = jax.random.key(3)
CENTRE = np.array([0.6, -0.6], np.float32)
IMAGES = CENTRE + arrays.normal(0, 7, 2, scale=0.05)  # Fewer than a batch.
GENERATOR = gan.Generator(
    lambda key: jnp.zeros(2), lambda c, z: c + 0.05 * z[:, :2] * (1 + c)
)
LINEAR = types.Model(
    lambda key: {"w": jnp.zeros((2, 1)), "b": jnp.zeros(1)},
    lambda params, x: x @ params["w"] + params["b"],
)


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


@pytest.fixture(scope="module")
def trained():
    """key, indices of the steps, state (None: a new one) -> state."""
    plain = dcgan.dcgan(GENERATOR, LINEAR, batch_size=16, learning_rate=RATE)
    init, steps = jax.jit(plain.init), jax.jit(plain.steps)

    def train(key, indices, state=None):
        state = init(key) if state is None else state
        return steps(key, state, IMAGES, jnp.asarray(indices))

    return train


def test_discriminator_loss_by_hand():
    # On real images D is 1/2 and 3/4, on generated ones 1/4 and 0.9.
    real, fake = jnp.log(jnp.array([1.0, 3.0])), jnp.log(jnp.array([1 / 3, 9.0]))
    got = dcgan.discriminator_loss(real, fake)
    want = -np.log([1 / 2, 3 / 4]).mean() - np.log([3 / 4, 0.1]).mean()
    assert float(got) == pytest.approx(want, rel=1e-5)


def test_generator_loss_by_hand():
    got = dcgan.generator_loss(jnp.log(jnp.array([1 / 3, 9.0])))
    assert float(got) == pytest.approx(-np.log([1 / 4, 0.9]).mean(), rel=1e-5)


def test_losses_do_not_overflow():
    far = jnp.array([1e4, -1e4])
    assert np.isfinite(dcgan.discriminator_loss(far, far))
    assert np.isfinite(dcgan.generator_loss(far))


def test_the_first_step_by_hand(trained):
    """Adam's first step is the rate times the gradient's sign.

    The discriminator starts at 0, where it tells the generator nothing; after its own
    step it points from the samples to the images, and the generator follows.
    """
    state = trained(KEY, [0])
    towards = RATE * np.sign(CENTRE)
    w = state.discriminator["w"][:, 0]
    np.testing.assert_allclose(w, towards, rtol=1e-3)
    np.testing.assert_allclose(state.generator, towards, rtol=1e-3)


def test_the_generator_moves_to_the_images(trained):
    state = trained(KEY, range(STEPS))
    distance = np.linalg.norm(state.generator - CENTRE)
    assert distance < 0.5 * np.linalg.norm(CENTRE)


def test_chunks_equal_an_uncut_run(trained):
    uncut = trained(KEY, range(20))
    state = None
    for chunk in (range(10), range(10, 20)):
        state = trained(KEY, chunk, state)
    chex.assert_trees_all_close(state, uncut, rtol=1e-6)


def test_the_key_and_the_number_of_a_step_decide(trained):
    first = trained(KEY, range(10))
    chex.assert_trees_all_equal(trained(KEY, range(10)), first)
    for key, indices in ((KEY, range(10, 20)), (jax.random.key(4), range(10))):
        with pytest.raises(AssertionError):
            chex.assert_trees_all_close(trained(key, indices), first, rtol=1e-4)


def test_both_networks_are_drawn_by_keys_of_their_own():
    drawn = gan.Generator(lambda key: jax.random.key_data(key), GENERATOR.sample)
    judge = types.Model(lambda key: jax.random.key_data(key), LINEAR.apply)
    plain = dcgan.dcgan(drawn, judge)
    first, second = (plain.init(jax.random.key(seed)) for seed in (0, 1))
    keys = [
        *(state.generator for state in (first, second)),
        *(state.discriminator for state in (first, second)),
    ]
    assert len({tuple(np.asarray(key)) for key in keys}) == 4
