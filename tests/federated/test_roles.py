"""The contract of every role, and the honest ones by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxprivacy import types
from jaxprivacy.attacks import active, gan
from jaxprivacy.federated import dssgd, roles
from jaxprivacy.training import gradients, local
from tests import arrays
from tests.launch import launched

MODEL = types.Model(
    lambda key: {"w": jax.random.normal(key, (2, 3))}, lambda p, x: x @ p["w"]
)
PARAMS = {"w": arrays.normal(0, 2, 3)}
DATA = types.Batch(
    arrays.normal(1, 5, 2),
    jnp.array([0, 1, 0, 1, 0]),
    jnp.array([1.0, 1, 1, 1, 0]),
)
GENERATOR = gan.Generator(lambda key: jnp.ones((100, 2)), lambda w, z: z @ w)


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


@pytest.fixture(autouse=True)
def no_traces_yet():
    chex.clear_trace_counter()


def honest():
    optimizer = optax.sgd(0.1, momentum=0.9)
    train = local.sgd(gradients.plain(MODEL), optimizer, epochs=1, batch_size=2)
    return roles.honest_participant(train, optimizer)


def decaying(factor=0.5):
    optimizer = optax.inject_hyperparams(optax.sgd)(0.1, 0.9)
    train = local.sgd(gradients.plain(MODEL), optimizer, epochs=2, batch_size=2)
    return roles.decaying(roles.honest_participant(train, optimizer), factor)


def one_step():
    """An honest role without the loop of `honest`, which has a test of its own."""
    optimizer = optax.sgd(0.1, momentum=0.9)

    def train(key, params, opt_state, data):
        gradient, loss = gradients.plain(MODEL)(key, params, data)
        updates, opt_state = optimizer.update(gradient, opt_state)
        return optax.apply_updates(params, updates), opt_state, loss

    return roles.honest_participant(train, optimizer)


def dishonest():
    return gan.gan(
        one_step(),
        MODEL,
        GENERATOR,
        optax.sgd(0.1),
        target_class=1,
        fake_class=2,
        generator_steps=2,
        generator_batch=3,
        injected=2,
        start_accuracy=0.3,
        loss=gan.objective(0.1),
        logged_samples=2,
    )


def selective(upload, trainer=one_step):
    return lambda: dssgd.participant(trainer(), upload)


# What is received is of the kind that is uploaded: parameters, or some of them.
SOME = dssgd.Selected(PARAMS, {"w": arrays.normal(5, 2, 3) > 0})
PARTICIPANTS = {
    "honest": (honest, PARAMS),
    "decaying": (decaying, PARAMS),
    "gan": (dishonest, PARAMS),
    "dssgd, all": (selective(dssgd.upload_largest()), SOME),
    "dssgd, largest": (selective(dssgd.upload_largest(0.5, 0.01)), SOME),
    "dssgd, random": (selective(dssgd.upload_random(0.5, 1e-3, 0.1)), SOME),
    "dssgd, private": (
        selective(dssgd.upload_sparse_vector(0.5, 1e-3, 0.1, 10.0)),
        SOME,
    ),
    "dssgd, gan": (selective(dssgd.upload_largest(0.5), dishonest), SOME),
}
SERVERS = {
    "averaging": (roles.averaging_server, PARAMS),
    "gradient ascent": (
        lambda: active.gradient_ascent(roles.averaging_server(), MODEL, DATA, 0.5),
        PARAMS,
    ),
    "dssgd, all": (dssgd.parameter_server, SOME),
    "dssgd, half": (lambda: dssgd.parameter_server(0.5), SOME),
}


def assert_same_kind(new, old):
    """Same structure, shape, dtype and weak type: a loop compiles once."""
    chex.assert_trees_all_equal_shapes_and_dtypes(new, old)
    kinds = [
        [jax.typeof(leaf) for leaf in jax.tree.leaves(tree)] for tree in (new, old)
    ]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("name", PARTICIPANTS)
def test_contract_of_participants(name):
    build, received = PARTICIPANTS[name]
    role, key = build(), jax.random.key(3)
    state = jax.jit(role.init)(key, PARAMS, DATA)
    step = jax.jit(chex.assert_max_traces(role.step, n=1))
    first = step(key, state, received, DATA)
    new_state, update, _ = first
    assert_same_kind(new_state, state)
    assert_same_kind(update, received)
    chex.assert_trees_all_equal(step(key, state, received, DATA), first)
    step(jax.random.key(4), new_state, update, DATA)
    eager = role.step(key, role.init(key, PARAMS, DATA), received, DATA)
    chex.assert_trees_all_close(first, eager, rtol=1e-5, atol=1e-6)


def test_a_rate_decays_from_round_to_round_and_not_from_step_to_step():
    """Round after round, each begun with the state and parameters of the last."""
    role, received = decaying(), PARAMS
    state = role.init(jax.random.key(0), PARAMS, DATA)
    for number in range(3):
        key, rate = jax.random.key(number), 0.1 * 0.5**number
        optimizer = optax.sgd(rate, 0.9)
        plain = local.sgd(gradients.plain(MODEL), optimizer, epochs=2, batch_size=2)
        momentum = optax.tree_utils.tree_get(state, "trace")
        same = optax.tree_utils.tree_set(optimizer.init(PARAMS), trace=momentum)
        wanted, _, _ = plain(key, received, same, DATA)
        state, update, _ = role.step(key, state, received, DATA)
        received = roles.add(received, update)
        chex.assert_trees_all_close(received, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SERVERS)
def test_contract_of_servers(name):
    build, update = SERVERS[name]
    server, keys = build(), jax.random.split(jax.random.key(6), 3)
    updates = jax.tree.map(lambda a: jnp.stack([a, a, a]), update)

    def turn(state, updates):
        indices = jnp.arange(3)
        sent = jax.vmap(server.send, (0, None, 0))(keys, state, indices)
        return server.receive(state, indices, sent, updates), sent

    state = jax.jit(server.init)(PARAMS)
    assert_same_kind(jax.jit(server.params)(state), PARAMS)
    jitted = jax.jit(chex.assert_max_traces(turn, n=1))
    new_state, sent = first = jitted(state, updates)
    assert_same_kind(new_state, state)
    assert_same_kind(sent, updates)
    jitted(new_state, updates)
    eager = turn(server.init(PARAMS), updates)
    chex.assert_trees_all_close(first, eager, rtol=1e-5, atol=1e-6)


def test_updates_are_differences():
    received, params = {"w": jnp.array([1.0, 2.0])}, {"w": jnp.array([1.5, 0.0])}
    update = roles.subtract(params, received)
    np.testing.assert_array_equal(update["w"], [0.5, -2])
    np.testing.assert_array_equal(roles.add(received, update)["w"], params["w"])


def test_honest_participant_uploads_what_it_learned_and_keeps_its_momentum():
    optimizer = optax.sgd(0.1, momentum=0.9)

    def train(key, params, opt_state, data):
        moved = jax.tree.map(lambda a: a + 2, params)
        return moved, jax.tree.map(lambda a: a + 1, opt_state), jnp.array(0.25)

    role = roles.honest_participant(train, optimizer)
    state = role.init(jax.random.key(0), PARAMS, DATA)
    for _ in range(2):
        state, update, info = role.step(jax.random.key(0), state, PARAMS, DATA)
    np.testing.assert_allclose(update["w"], np.full((2, 3), 2), rtol=1e-6)
    assert list(info) == ["loss"]
    assert float(info["loss"]) == 0.25
    for leaf in jax.tree.leaves(state):
        np.testing.assert_array_equal(leaf, np.full((2, 3), 2))


def test_averaging_server_by_hand():
    server = roles.averaging_server()
    state = server.init({"w": jnp.array([1.0, 1.0])})
    np.testing.assert_array_equal(server.send(None, state, jnp.array(4))["w"], [1, 1])
    # Local models (2, 1), (4, 5): what was sent differs, as from a dishonest server.
    sent = {"w": jnp.array([[1.0, 1.0], [3.0, 3.0]])}
    updates = {"w": jnp.array([[1.0, 0.0], [1.0, 2.0]])}
    state = server.receive(state, jnp.arange(2), sent, updates)
    np.testing.assert_array_equal(server.params(state)["w"], [3, 3])
    # From one participant alone: its model.
    one = jax.tree.map(lambda a: a[1:], (sent, updates))
    state = server.receive(state, jnp.array([1]), *one)
    np.testing.assert_array_equal(server.params(state)["w"], [4, 5])
