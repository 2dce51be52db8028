"""Gradient ascent raises the targets' loss in what the server sends, every round."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxprivacy import types
from jaxprivacy.attacks import active
from jaxprivacy.federated import roles, simulate
from jaxprivacy.training import gradients, local
from tests import arrays

MODEL = types.Model(lambda key: None, lambda p, x: x @ p["w"] + p["b"])
PARAMS = {"w": arrays.normal(0, 2, 3), "b": arrays.normal(1, 3)}
TARGETS = types.Batch(
    arrays.normal(2, 4, 2), jnp.array([0, 2, 1, 1]), jnp.array([1.0, 1, 1, 0])
)
ascend = jax.jit(lambda params, rate: active.ascend(MODEL, params, TARGETS, rate))


@jax.jit
def loss(params):
    logits = TARGETS.x @ params["w"] + params["b"]
    log_p = jax.nn.log_softmax(logits)[jnp.arange(4), TARGETS.y]
    return -jnp.sum(log_p[:3]) / 3  # The fourth is padding.


def test_ascend_adds_the_gradient():
    gradient = jax.jit(jax.grad(loss))(PARAMS)
    want = jax.tree.map(lambda a, g: a + 0.7 * g, PARAMS, gradient)
    chex.assert_trees_all_close(ascend(PARAMS, 0.7), want, rtol=1e-5, atol=1e-6)
    assert loss(ascend(PARAMS, 0.7)) > loss(PARAMS) + 0.1


def test_rate_0_changes_nothing():
    chex.assert_trees_all_equal(ascend(PARAMS, 0.0), PARAMS)


def test_what_is_sent_is_raised_from_the_current_model():
    server = active.gradient_ascent(roles.averaging_server(), MODEL, TARGETS, 0.7)
    receive = jax.jit(server.receive)
    state, shared = jax.jit(server.init)(PARAMS), PARAMS
    for turn in range(3):
        chex.assert_trees_all_close(server.params(state), shared, rtol=1e-6)
        sent = ascend(shared, 0.7)
        for index in (0, 1):
            got = server.send(None, state, jnp.array(index))
            chex.assert_trees_all_close(got, sent, rtol=1e-5, atol=1e-6)
        updates = {"w": arrays.normal(turn, 2, 2, 3), "b": arrays.normal(turn, 2, 3)}
        stacked = jax.tree.map(lambda a: jnp.stack([a, a]), sent)
        state = receive(state, jnp.arange(2), stacked, updates)
        # The mean of local models: of what was sent, raised, and then trained.
        shared = jax.tree.map(lambda a, u: a + u.mean(axis=0), sent, updates)


def run(server):
    """Three rounds with two participants; the last round's local model is kept."""
    optimizer = optax.sgd(0.2)
    data = types.Batch(
        arrays.normal(4, 2, 4, 2), jnp.zeros((2, 4), int), jnp.ones((2, 4))
    )
    train = local.sgd(gradients.plain(MODEL), optimizer, epochs=1, batch_size=4)
    person = roles.honest_participant(train, optimizer)
    simulation = simulate.simulate(
        server, [simulate.Group(person, data)], observed_rounds=(2,)
    )
    state = simulation.init(jax.random.key(0), PARAMS)
    state, info = simulation.rounds(jax.random.key(0), state, jnp.arange(3))
    return server.params(state.server), state.snapshots, info


@pytest.fixture(scope="module")
def honest():
    return jax.jit(lambda: run(roles.averaging_server()))()


@pytest.fixture(scope="module")
def attacked():
    @jax.jit
    def at(rate):
        return run(
            active.gradient_ascent(roles.averaging_server(), MODEL, TARGETS, rate)
        )

    return at


def test_rate_0_is_the_honest_server(honest, attacked):
    chex.assert_trees_all_close(attacked(0.0), honest, rtol=1e-6, atol=1e-7)


def test_in_a_run_the_targets_loss_stays_higher(honest, attacked):
    raised = loss(attacked(0.7)[0])
    assert np.isfinite(raised)
    assert raised > loss(honest[0]) + 0.1
