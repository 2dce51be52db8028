"""Active attacks: gradient ascent by the server or a participant, and isolating."""

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


@pytest.mark.parametrize("at_once", [1, 3])
def test_targets_in_parts_are_all_raised(monkeypatch, at_once):
    monkeypatch.setattr(active, "AT_ONCE", at_once)
    in_parts = jax.jit(lambda p: active.ascend(MODEL, p, TARGETS, 0.7))(PARAMS)
    chex.assert_trees_all_close(in_parts, ascend(PARAMS, 0.7), rtol=1e-5, atol=1e-6)


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


OPTIMIZER = optax.sgd(0.2, momentum=0.5)
DATA = types.Batch(
    arrays.normal(4, 3, 4, 2),
    jnp.array([[0, 1, 2, 0], [1, 1, 0, 2], [2, 0, 0, 1]]),
    jnp.ones((3, 4)),
)
TRAIN = local.sgd(gradients.plain(MODEL), OPTIMIZER, epochs=1, batch_size=2)
HONEST = roles.honest_participant(TRAIN, OPTIMIZER)
KEY = jax.random.key(0, impl="unsafe_rbg")
ROUNDS = 3


def run(server, groups=None, seen=0, order="parallel"):
    """Three rounds; of each, what one participant was sent and what it made of it."""
    groups = groups or [simulate.Group(HONEST, cut(DATA, 0, 2))]
    simulation = simulate.simulate(
        server,
        groups,
        order=order,
        observed_participant=seen,
        observed_rounds=range(ROUNDS),
        observe=lambda sent, update: (sent, roles.add(sent, update)),
    )
    state = simulation.init(KEY, PARAMS)
    state, info = simulation.rounds(KEY, state, jnp.arange(ROUNDS))
    return server.params(state.server), state.snapshots, info


def cut(data, start, end):
    return jax.tree.map(lambda a: a[start:end], data)


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


def steps(program):
    """All steps of a program, those of its loops too."""
    for step in program.jaxpr.eqns:
        yield step
        for inner in step.params.values():
            if hasattr(inner, "jaxpr"):
                yield from steps(inner)


def test_the_ascent_is_computed_once_for_all_participants():
    """Where the inner server sends the same to all, no product has their axis."""
    server = active.gradient_ascent(roles.averaging_server(), MODEL, TARGETS, 0.7)
    keys = jax.random.split(KEY, 5)
    program = jax.make_jaxpr(
        lambda state: jax.vmap(server.send, (0, None, 0))(keys, state, jnp.arange(5))
    )(PARAMS)
    sizes = [
        v.aval.shape
        for e in steps(program)
        if e.primitive.name == "dot_general"
        for v in e.outvars
    ]
    assert sizes
    assert all(5 not in shape for shape in sizes)


def ascending(rate):
    return active.gradient_ascent(roles.averaging_server(), MODEL, TARGETS, rate)


@pytest.mark.parametrize(
    "order, rate",
    [("parallel", None), ("parallel", 0.7), ("round_robin", None), ("random", 0.7)],
)
def test_an_isolated_participant_trains_alone(order, rate):
    """To the same keys and records as in a run of which it is the only participant."""

    @jax.jit
    def both():
        alone = roles.averaging_server() if rate is None else ascending(rate)
        server = active.isolate(roles.averaging_server(), 0, alone)
        groups = [simulate.Group(HONEST, DATA)]
        only = [simulate.Group(HONEST, cut(DATA, 0, 1))]
        return run(server, groups, order=order)[1], run(alone, only, order=order)[1]

    isolated, alone = both()
    chex.assert_trees_all_close(isolated, alone, rtol=1e-5, atol=1e-6)
    # It does train, and is sent what it made of the round before.
    sent, made = isolated
    assert np.abs(made["w"][-1] - sent["w"][0]).max() > 0.1
    if rate is None:
        np.testing.assert_allclose(sent["w"][1:], made["w"][:-1], rtol=1e-6)


@pytest.mark.parametrize("order", ["parallel", "round_robin"])
def test_the_others_receive_nothing_of_the_isolated(order):
    @jax.jit
    def given(records):
        groups = [simulate.Group(HONEST, DATA._replace(x=DATA.x.at[1].set(records)))]
        server = active.isolate(roles.averaging_server(), 1, ascending(0.7))
        shared, (sent, made), _ = run(server, groups, seen=2, order=order)
        _, (_, victims), _ = run(server, groups, seen=1, order=order)
        return (shared, sent, made), victims

    others, victims = given(DATA.x[1])
    same, changed = given(DATA.x[1] * 10)
    chex.assert_trees_all_equal(others, same)
    assert np.abs(victims["w"] - changed["w"]).max() > 0.1


def test_towards_the_others_the_isolated_changes_nothing():
    """Of three local models one is the shared one: two thirds of the step are left."""
    server = active.isolate(roles.averaging_server(), 1, roles.averaging_server())
    state = server.init(PARAMS)
    sent = jax.vmap(server.send, (None, None, 0))(None, state, jnp.arange(3))
    updates = {"w": arrays.normal(1, 3, 2, 3), "b": arrays.normal(2, 3, 3)}
    for turn in range(2):  # In the second the victim was sent another model.
        before = server.params(state)
        sent = jax.vmap(server.send, (None, None, 0))(None, state, jnp.arange(3))
        state = server.receive(state, jnp.arange(3), sent, updates)
        want = jax.tree.map(lambda a, u: a + (u[0] + u[2]) / 3, before, updates)
        chex.assert_trees_all_close(server.params(state), want, rtol=1e-5, atol=1e-6)
        own = jax.tree.map(lambda a, u, n=turn: a + (n + 1) * u[1], PARAMS, updates)
        got = server.send(None, state, jnp.array(1))
        chex.assert_trees_all_close(got, own, rtol=1e-5, atol=1e-6)


def test_isolating_with_rate_0_is_isolating():
    @jax.jit
    def at(rate):
        servers = [roles.averaging_server(), ascending(rate)]
        return [
            run(active.isolate(roles.averaging_server(), 0, alone)) for alone in servers
        ]

    isolating, ascent = at(0.0)
    chex.assert_trees_all_close(ascent, isolating, rtol=1e-6, atol=1e-7)
    raised = loss(jax.tree.map(lambda a: a[-1], at(0.7)[1][1][1]))
    assert raised > loss(jax.tree.map(lambda a: a[-1], isolating[1][1])) + 0.1


def constant():
    """A participant that uploads a made-up update, whatever it receives."""

    def step(key, state, received, data):
        del key, received, data
        return state, {"w": jnp.full((2, 3), 0.5), "b": jnp.zeros(3)}, {}

    return roles.Participant(lambda key, params, data: (), step)


def test_a_participants_ascent_by_hand():
    """One record x = (1, 2) of class 0: dL/dW = x (p - e_0)^T, dL/db = p - e_0.

    Received are zeros. The local weights are 1/2, all logits 3/2, p = 1/3.
    """
    target = types.Batch(jnp.array([[1.0, 2.0]]), jnp.array([0]), jnp.ones(1))
    attacker = active.gradient_ascent_participant(constant(), MODEL, target, 0.3)
    zeros = jax.tree.map(jnp.zeros_like, PARAMS)
    state, update, info = attacker.step(None, (), zeros, None)
    assert (state, info) == ((), {})
    weights = [[0.5 - 0.2, 0.5 + 0.1, 0.5 + 0.1], [0.5 - 0.4, 0.5 + 0.2, 0.5 + 0.2]]
    np.testing.assert_allclose(update["w"], weights, rtol=1e-5)
    np.testing.assert_allclose(update["b"], [-0.2, 0.1, 0.1], rtol=1e-5)


def test_a_participant_uploads_what_it_ascended_to():
    attacker = active.gradient_ascent_participant(HONEST, MODEL, TARGETS, 0.7)
    data = cut(DATA, 0, 1)
    data = jax.tree.map(lambda a: a[0], data)

    @jax.jit
    def both():
        state = HONEST.init(KEY, PARAMS, data)
        return [r.step(KEY, state, PARAMS, data) for r in (HONEST, attacker)]

    (state, update, info), (other_state, raised, other_info) = both()
    chex.assert_trees_all_close((state, info), (other_state, other_info), rtol=1e-6)
    trained = roles.add(PARAMS, update)
    want = ascend(trained, 0.7)
    chex.assert_trees_all_close(roles.add(PARAMS, raised), want, rtol=1e-5, atol=1e-6)


def test_a_participant_with_rate_0_is_honest():
    @jax.jit
    def both(rate):
        attacker = active.gradient_ascent_participant(HONEST, MODEL, TARGETS, rate)
        two = [(HONEST, 0, 2), (attacker, 2, 3)], [(HONEST, 0, 2), (HONEST, 2, 3)]
        return [
            run(
                roles.averaging_server(),
                [simulate.Group(r, cut(DATA, a, b)) for r, a, b in groups],
            )
            for groups in two
        ]

    attacked, honest = both(0.0)
    chex.assert_trees_all_close(attacked, honest, rtol=1e-6, atol=1e-7)
    assert loss(both(0.7)[0][0]) > loss(honest[0]) + 0.05
