"""The GAN participant: honest until it starts, then its samples are of one class."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxprivacy import types
from jaxprivacy.attacks import gan
from jaxprivacy.federated import roles
from jaxprivacy.models import generators
from jaxprivacy.training import gradients, local
from tests import arrays

MODEL = types.Model(lambda key: None, lambda w, x: x @ w)
# Class 1 is the largest around (-1, 0.5).
RECEIVED = np.array([[2, -2, 0, 1], [0, 1, 2, -2]], np.float32)
DATA = types.Batch(
    arrays.normal(1, 5, 2),
    jnp.array([0, 1, 2, 0, 1]),
    jnp.array([1.0, 1, 1, 1, 0]),
)
SLOPE = arrays.normal(2, generators.NOISE_SIZE, 2, scale=0.1)
GENERATOR = gan.Generator(
    lambda key: {"w": jax.random.uniform(key, (1, 2)), "b": jnp.zeros(2)},
    lambda params, z: jnp.tanh(z @ SLOPE * params["w"] + params["b"]),
)
KEY = jax.random.key(4)
FAST = jax.random.key(4, impl="unsafe_rbg")  # Draws that compile fast.


def attacker(participant, influence=1.0, start_round=0):
    return gan.gan(
        participant,
        MODEL,
        GENERATOR,
        optax.sgd(0.5),
        target_class=1,
        fake_class=3,
        generator_steps=4,
        generator_batch=6,
        injected=3,
        influence=influence,
        start_round=start_round,
        logged_samples=5,
    )


def test_generator_loss_by_hand():
    # Probabilities (1, 2, 5) / 8 and (1, 1, 2) / 4.
    logits = jnp.log(jnp.array([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]))
    for target, p in ((0, (1 / 8, 1 / 4)), (2, (5 / 8, 1 / 2))):
        got = gan.generator_loss(lambda x: x, logits, target)
        assert float(got) == pytest.approx(-np.log(p).mean(), rel=1e-6)


def spy_step(key, state, received, data):
    info = {"key": jax.random.key_data(key), "data": data}
    return state + 1, jax.tree.map(jnp.ones_like, received), info


SPY = roles.Participant(lambda key, params, data: jnp.array(7), spy_step)


@jax.jit
def init(key):
    return attacker(SPY).init(key, RECEIVED, DATA)


@jax.jit
def step(key, state, influence, start_round):
    return attacker(SPY, influence, start_round).step(key, state, RECEIVED, DATA)


def play(rounds, influence=1.0, start_round=0):
    """States before each round and after the last, and what was logged."""
    states, infos = [jax.device_get(init(FAST))], []
    for key in jax.random.split(FAST, rounds):
        out = step(key, states[-1], influence, start_round)
        state, update, info = jax.device_get(out)
        np.testing.assert_array_equal(update, np.ones((2, 4)))  # The inner role's.
        states.append(state)
        infos.append(info)
    return states, infos


@pytest.fixture(scope="module")
def late():
    """Four rounds of an attack that starts with the third."""
    return play(4, start_round=2)


def assert_trained(before, after):
    for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True):
        assert np.abs(a - b).max() > 1e-3


def test_injected_samples_are_of_the_artificial_class(late):
    states, infos = late
    for info in infos:
        merged = info["data"]
        own = jax.tree.map(lambda a: a[:5], merged)
        chex.assert_trees_all_equal(own, DATA)
        assert merged.x.shape == (8, 2)
        assert merged.y.dtype == DATA.y.dtype
        np.testing.assert_array_equal(merged.y[5:], [3, 3, 3])
        fakes = np.asarray(merged.x[5:])
        assert np.abs(fakes).max() <= 1
        assert len(np.unique(fakes, axis=0)) == 3
    # Other noise every round.
    first, second = (info["data"].x[5:] for info in infos[:2])
    assert np.abs(first - second).max() > 0.01


def test_before_the_start_it_is_honest(late):
    states, infos = late
    masks = [info["data"].mask[5:].tolist() for info in infos]
    assert masks == [[0, 0, 0], [0, 0, 0], [1, 1, 1], [1, 1, 1]]
    for state in states[1:3]:
        chex.assert_trees_all_equal(state.params, states[0].params)
        chex.assert_trees_all_equal(state.opt_state, states[0].opt_state)
    for before, after in zip(states[2:], states[3:], strict=False):
        assert_trained(before.params, after.params)
    assert [int(state.round) for state in states] == [0, 1, 2, 3, 4]
    assert [int(state.inner) for state in states] == [7, 8, 9, 10, 11]


@pytest.mark.parametrize("influence", [0.0, 1.0])
def test_influence_is_the_weight_of_the_samples(influence):
    states, infos = play(1, influence=influence)
    np.testing.assert_array_equal(infos[0]["data"].mask[5:], [influence] * 3)
    # With or without influence the generator is trained.
    assert_trained(states[0].params, states[1].params)


def test_the_generator_learns_against_the_shared_model():
    states, infos = play(8)
    values = [float(info["generator_loss"]) for info in infos]
    assert values[-1] < 0.6 * values[0]
    z = np.random.default_rng(3).uniform(-1, 1, (50, generators.NOISE_SIZE))

    @jax.jit
    def held_out(params):
        samples = GENERATOR.sample(params, z)
        return gan.generator_loss(lambda x: MODEL.apply(RECEIVED, x), samples, 1)

    assert held_out(states[-1].params) < 0.6 * held_out(states[0].params)


def test_samples_are_logged(late):
    states, infos = late
    for info in infos:
        samples = np.asarray(info["samples"])
        assert samples.shape == (5, 2)
        assert len(np.unique(samples, axis=0)) == 5


def test_the_logged_samples_are_those_of_the_trained_generator():
    """A generator that ignores the noise shows which parameters it is given."""
    constant = gan.Generator(
        lambda key: jnp.zeros(2), lambda w, z: jnp.broadcast_to(w, (len(z), 2))
    )
    role = gan.gan(
        SPY,
        MODEL,
        constant,
        optax.sgd(0.1),
        target_class=1,
        fake_class=3,
        generator_steps=1,
        generator_batch=2,
        injected=1,
        logged_samples=2,
    )
    state = role.init(FAST, RECEIVED, DATA)
    state, _, info = jax.jit(role.step)(FAST, state, RECEIVED, DATA)
    # One step: minus the rate times d loss / d x = W (p - e_1), with p uniform at 0.
    want = -0.1 * np.asarray(RECEIVED) @ (np.full(4, 0.25) - np.eye(4)[1])
    np.testing.assert_allclose(state.params, want, rtol=1e-5)
    np.testing.assert_allclose(info["samples"], [want, want], rtol=1e-5)
    np.testing.assert_allclose(info["data"].x[5:], [want], rtol=1e-5)
    assert float(info["generator_loss"]) == pytest.approx(np.log(4), rel=1e-5)


@pytest.fixture(scope="module")
def trainers():
    """An honest participant's step, and the same participant's under the attack."""
    optimizer = optax.sgd(0.3, momentum=0.9)
    train = local.sgd(gradients.plain(MODEL), optimizer, epochs=1, batch_size=2)
    honest = roles.honest_participant(train, optimizer)

    def inner_step(key, state, received, data):
        state, update, info = honest.step(key, state, received, data)
        return state, update, {**info, "key": jax.random.key_data(key)}

    inner = roles.Participant(honest.init, inner_step)

    def attack(key, influence):
        role = attacker(inner, influence)
        state = role.init(key, RECEIVED, DATA)
        state, update, info = role.step(key, state, RECEIVED, DATA)
        return state.inner, update, info

    def behave(key):
        return honest.step(key, honest.init(key, RECEIVED, DATA), RECEIVED, DATA)

    return jax.jit(behave), jax.jit(attack)


def test_without_influence_its_update_is_the_honest_one(trainers):
    behave, attack = trainers
    state, update, info = attack(KEY, 0.0)
    want = behave(jax.random.wrap_key_data(info["key"]))
    assert np.abs(want[1]).max() > 0.1
    chex.assert_trees_all_close(
        (state, update, {"loss": info["loss"]}), want, rtol=1e-6
    )


def test_with_influence_the_shared_model_learns_the_artificial_class(trainers):
    _, attack = trainers
    probabilities = []
    for influence in (0.0, 1.0):
        _, update, info = jax.device_get(attack(KEY, influence))
        p = np.exp(info["samples"] @ (RECEIVED + update))
        probabilities.append(np.mean(p[:, 3] / p.sum(axis=1)))
    without, with_influence = probabilities
    assert with_influence > without + 0.05
