"""Rounds equal a plain loop: for each round, for each participant, for each batch."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from jaxprivacy import types
from jaxprivacy.federated import roles, simulate
from jaxprivacy.models import targets
from jaxprivacy.training import gradients, local
from tests import arrays
from tests.launch import launched

MODEL = targets.as_model(targets.MLP((3,), 2), (2,))
RATE, MOMENTUM, BATCH, ROUNDS = 0.3, 0.9, 2, 3
OPTIMIZER = optax.sgd(RATE, momentum=MOMENTUM)
KEY = jax.random.key(5)


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


def records(participants, count=4):
    y = np.arange(participants * count).reshape(participants, count) % 2
    mask = np.ones((participants, count), np.float32)
    return types.Batch(arrays.normal(0, participants, count, 2), y, mask)


def in_order(key, params, opt_state, data):
    """One epoch of local training in the records' own order."""
    gradient, values = gradients.plain(MODEL), []
    for start in range(0, data.y.shape[0], BATCH):
        batch = jax.tree.map(lambda a, i=start: a[i : i + BATCH], data)
        grads, value = gradient(key, params, batch)
        updates, opt_state = OPTIMIZER.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
        values.append(value)
    return params, opt_state, sum(values) / len(values)


HONEST = roles.honest_participant(in_order, OPTIMIZER)


class Twin(NamedTuple):
    """What a run gives, by the plain loop; axes as in the simulation's."""

    shared: list  # of each round
    local: list  # [round][participant]
    loss: list  # [round][participant]


@jax.jit
def loss_and_gradient(params, x, y):
    def loss(params):
        log_p = jax.nn.log_softmax(MODEL.apply(params, x))
        return -jnp.mean(log_p[jnp.arange(BATCH), y])

    return jax.value_and_grad(loss)(params)


def plain_loop(params, data, orders, stale=False):
    """FedAvg (McMahan et al. 2017, Algorithm 1) and collaborative learning, as said.

    `orders` holds the participants of each round, in turn; None means FedAvg. Where
    it is stale, each trains on what was shared when it uploaded last.
    """
    people = range(len(data.y))
    downloaded = [params for _ in people]
    velocity = [jax.tree.map(np.zeros_like, params) for _ in people]
    twin = Twin([], [], [])
    for r in range(ROUNDS):
        locals_, round_losses = [None] * len(people), [None] * len(people)
        for p in people if orders is None else orders[r]:
            w, values = downloaded[p] if stale else params, []
            for start in range(0, len(data.y[p]), BATCH):
                batch = slice(start, start + BATCH)
                value, g = loss_and_gradient(w, data.x[p][batch], data.y[p][batch])
                g = jax.tree.map(np.asarray, g)
                velocity[p] = jax.tree.map(
                    lambda v, g: MOMENTUM * v + g, velocity[p], g
                )
                w = jax.tree.map(lambda w, v: w - RATE * v, w, velocity[p])
                values.append(value)
            locals_[p], round_losses[p] = w, np.mean(values)
            if orders is not None:
                params = downloaded[p] = w
        if orders is None:
            params = jax.tree.map(lambda *a: np.mean(a, axis=0), *locals_)
        twin.shared.append(params)
        twin.local.append(locals_)
        twin.loss.append(round_losses)
    return twin


def start():
    return jax.tree.map(np.asarray, arrays.params_of(MODEL))


def run(simulation):
    """Initialises and runs in one jit."""

    @jax.jit
    def initialised_and_run(key, params):
        return simulation.rounds(key, simulation.init(key, params), jnp.arange(ROUNDS))

    return initialised_and_run(KEY, start())


def stack(trees):
    return jax.tree.map(lambda *a: np.stack(a), *trees)


def close(got, want):
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-6)


def three_participants(order, sizes, **options):
    """Groups of three participants in all, two of whose rounds are observed."""
    options = {"observed_participant": 1, **options}
    parts = np.split(np.arange(3), np.cumsum(sizes)[:-1])
    return simulate.simulate(
        roles.averaging_server(),
        [
            simulate.Group(HONEST, jax.tree.map(lambda a, p=p: a[p], records(3)))
            for p in parts
        ],
        order=order,
        observed_rounds=(0, 2),
        measure=lambda params: {"bias": params["Dense_1"]["bias"]},
        **options,
    )


def turns(sizes, key, rounds, order="random"):
    """Which turn each participant takes, (R, P), counted through the rounds."""
    server = roles.Server(
        init=lambda params: (jnp.full(sum(sizes), -1), jnp.array(0)),
        send=lambda key, state, index: jnp.zeros(()),
        receive=lambda state, who, sent, updates: (
            state[0].at[who].set(state[1]),
            state[1] + 1,
        ),
        params=lambda state: state[0],
    )
    idle = roles.Participant(
        lambda key, params, data: (),
        lambda key, state, received, data: (state, received, {}),
    )
    simulation = simulate.simulate(
        server,
        [simulate.Group(idle, records(size)) for size in sizes],
        order=order,
        measure=lambda log: {"turn": log},
    )
    state = simulation.init(key, jnp.zeros(()))
    return np.asarray(simulation.rounds(key, state, jnp.arange(rounds))[1]["turn"])


@pytest.fixture(scope="module")
def orders():
    """Of each order, the participants in turn in each round; None: at once."""
    drawn = np.argsort(turns([3], KEY, ROUNDS), axis=1)
    assert len({tuple(row) for row in drawn}) > 1
    in_turn = [np.arange(3)] * ROUNDS
    return {
        "parallel": None,
        "round_robin": in_turn,
        "random": drawn,
        "asynchronous": np.argsort(turns([3], KEY, ROUNDS, "asynchronous"), axis=1),
    }


@pytest.fixture(scope="module", params=simulate.ORDERS)
def order(request):
    return request.param


@pytest.fixture(scope="module")
def simulated(order, orders):
    """A run and its twin."""
    stale = order == "asynchronous"
    twin = plain_loop(start(), records(3), orders[order], stale)
    return run(three_participants(order, [3])), twin


def test_the_shared_model_equals_a_plain_loop(simulated):
    (state, _), twin = simulated
    close(state.server, twin.shared[-1])
    moved = np.abs(state.server["Dense_0"]["kernel"] - start()["Dense_0"]["kernel"])
    assert moved.max() > 0.1


def test_snapshots_are_the_observed_participants_local_models(simulated):
    (state, _), twin = simulated
    close(state.snapshots, stack([twin.local[0][1], twin.local[2][1]]))


def test_of_everyone_all_is_kept(order, simulated):
    """What was sent and uploaded, each participant's beside the others'."""
    watched = three_participants(
        order,
        [3],
        observed_participant=simulate.EVERYONE,
        observe=lambda sent, updates: (sent, updates),
    )
    sent, updates = run(watched)[0].snapshots
    twin = simulated[1]
    close(roles.add(sent, updates), stack([stack(twin.local[i]) for i in (0, 2)]))
    if order == "parallel":
        close(sent, stack([stack([w] * 3) for w in (start(), twin.shared[1])]))


def test_losses_and_measures_are_logged_by_round(simulated):
    (_, info), twin = simulated
    close(info["loss"], np.stack(twin.loss))  # (R, P)
    close(info["bias"], np.stack([p["Dense_1"]["bias"] for p in twin.shared]))


# In random order another number of groups draws another order.
@pytest.mark.parametrize("order", ["parallel", "round_robin"], indirect=True)
def test_groups_of_equal_roles_are_one_group(simulated, order):
    one, one_info = simulated[0]
    two, two_info = run(three_participants(order, [1, 2]))
    close((two.server, two.snapshots, two_info), (one.server, one.snapshots, one_info))
    assert [len(jax.tree.leaves(s)[0]) for s in two.participants] == [1, 2]


def whole(groups, **kwargs):
    return simulate.simulate(roles.averaging_server(), groups, **kwargs)


def test_one_participants_fedavg_is_local_training():
    """With all records in one batch, rounds are epochs, whatever the order drawn."""
    data, gradient = jax.tree.map(jnp.asarray, records(1)), gradients.plain(MODEL)
    one_epoch = local.sgd(gradient, OPTIMIZER, epochs=1, batch_size=4)
    groups = [simulate.Group(roles.honest_participant(one_epoch, OPTIMIZER), data)]

    @jax.jit
    def centralized(key, params):
        train = local.sgd(gradient, OPTIMIZER, epochs=ROUNDS, batch_size=4)
        alone = jax.tree.map(lambda a: a[0], data)
        return train(key, params, OPTIMIZER.init(params), alone)

    state, _ = run(whole(groups))
    params, opt_state, _ = centralized(KEY, start())
    close(state.server, params)
    close(jax.tree.map(lambda a: a[0], state.participants[0]), opt_state)


# Roles that learn nothing and tell what they are given.


def spy(name="key"):
    def step(key, state, received, data):
        return state, jnp.zeros_like(received), {name: jax.random.key_data(key)}

    return roles.Participant(lambda key, params, data: jax.random.key_data(key), step)


def spied(groups, rounds=(0, 1), order="parallel"):
    simulation = whole(groups, order=order, observed_rounds=())
    state = simulation.init(KEY, jnp.zeros(()))
    _, info = simulation.rounds(KEY, state, jnp.asarray(rounds))
    return state, info


def test_every_seat_and_round_has_its_own_key():
    state, info = spied([simulate.Group(spy(), records(p)) for p in (2, 3)])
    first = np.concatenate(state.participants)
    keys = np.concatenate([first, *info["key"]])
    assert keys.shape == (5 + 2 * 5, 2)
    assert len({tuple(key) for key in keys}) == 15


def test_the_key_of_a_seat_depends_on_neither_company_nor_chunks():
    _, few = spied([simulate.Group(spy(), records(2))], rounds=(3,))
    _, many = spied([simulate.Group(spy(), records(4))], rounds=(2, 3))
    np.testing.assert_array_equal(few["key"][0], many["key"][1, :2])
    _, turns = spied([simulate.Group(spy(), records(2))], (3,), "round_robin")
    np.testing.assert_array_equal(few["key"], turns["key"])


def test_what_only_one_group_logs_has_that_groups_rows():
    groups = [simulate.Group(spy(n), records(p)) for n, p in (("a", 2), ("b", 3))]
    _, info = spied(groups)
    assert info["a"].shape == (2, 2, 2)
    assert info["b"].shape == (2, 3, 2)


@pytest.mark.parametrize("order", ["parallel", "round_robin"])
def test_the_server_knows_whom_it_sends_to_and_hears_from(order):
    """Participant i is sent i and answers with its data: 10 more than its number."""
    server = roles.Server(
        init=lambda params: jnp.full((3,), -1.0),
        send=lambda key, state, index: index.astype(jnp.float32),
        receive=lambda state, who, sent, updates: state.at[who].set(sent + updates),
        params=lambda state: state.sum(),
    )

    def step(key, state, received, data):
        return state, data.x[0, 0] - received, {"received": received}

    role = roles.Participant(lambda key, params, data: (), step)
    x = 10 + jnp.arange(3.0).reshape(3, 1, 1)
    data = types.Batch(x, jnp.zeros((3, 1), int), jnp.ones((3, 1)))
    parts = [jax.tree.map(lambda a, s=s: a[s], data) for s in np.split(range(3), [2])]
    simulation = simulate.simulate(
        server,
        [simulate.Group(role, d) for d in parts],
        order=order,
        observed_participant=2,
        observed_rounds=(0,),
    )
    state = simulation.init(KEY, jnp.zeros(()))
    state, info = simulation.rounds(KEY, state, jnp.arange(1))
    np.testing.assert_array_equal(info["received"], [[0, 1, 2]])
    np.testing.assert_array_equal(state.server, [10, 11, 12])
    np.testing.assert_array_equal(state.snapshots, [12])


def test_without_observed_rounds_nothing_is_kept():
    state, _ = spied([simulate.Group(spy(), records(2))])
    assert state.snapshots == ()


# Random and asynchronous order.


@pytest.mark.parametrize("order", ["random", "asynchronous"])
def test_in_random_order_each_takes_one_turn_a_round(order):
    taken = turns([2, 1, 1], KEY, 20, order)
    in_round = taken - 4 * np.arange(20)[:, None]
    np.testing.assert_array_equal(np.sort(in_round, axis=1), np.tile(range(4), (20, 1)))
    assert len({tuple(row) for row in in_round}) > 5
    other = turns([2, 1, 1], jax.random.key(6), 20, order)
    assert (other != taken).any(axis=1).sum() > 5


def test_every_order_is_as_likely():
    in_round = turns([1, 2], KEY, 600) - 3 * np.arange(600)[:, None]
    _, counts = np.unique(in_round, axis=0, return_counts=True)
    assert len(counts) == 6
    # A correct order is rejected with probability 1e-3, had the key not been fixed.
    assert stats.chisquare(counts).pvalue > 1e-3


def test_in_turn_is_by_number():
    taken = turns([2, 1], KEY, 2, "round_robin")
    np.testing.assert_array_equal(taken, [[0, 1, 2], [3, 4, 5]])


class Sum(NamedTuple):
    received: jax.Array
    rounds: dict


def doubler(key, state, received, data):
    """Doubles the shared number and adds its record; its state is a number of turns."""
    local = 2 * received + data.x[0, 0]
    return state + 1, local - received, {"received": received, "turns": state}


def subtracter(key, state, received, data):
    """Takes the shared number from its record; its state is of another form."""
    local = data.x[0, 0] - received
    state = Sum(state.received + received, {"n": state.rounds["n"] + 1})
    return state, local - received, {"received": received, "sum": state.received}


MIXED = (
    (roles.Participant(lambda key, params, data: jnp.array(0), doubler), [0, 1]),
    (
        roles.Participant(
            lambda key, params, data: Sum(jnp.zeros(2), {"n": jnp.array(0)}), subtracter
        ),
        [2, 3, 4],
    ),
    (roles.Participant(lambda key, params, data: jnp.array(5), doubler), [5]),
)


@pytest.mark.parametrize("order", ["random", "asynchronous"])
def test_groups_of_other_forms_take_turns_as_in_a_plain_loop(order):
    record = 1.0 + np.arange(6)
    data = types.Batch(
        jnp.asarray(record).reshape(6, 1, 1), jnp.zeros((6, 1), int), jnp.ones((6, 1))
    )
    simulation = simulate.simulate(
        roles.averaging_server(),
        [
            simulate.Group(role, jax.tree.map(lambda a, p=p: a[jnp.array(p)], data))
            for role, p in MIXED
        ],
        order=order,
        observed_participant=3,
        observed_rounds=(1,),
        measure=lambda params: {"shared": params},
    )
    shared = np.array([1.0, -1.0])
    state = simulation.init(KEY, jnp.asarray(shared, jnp.float32))
    uncut = jax.jit(simulation.rounds)(KEY, state, jnp.arange(3))

    drawn = np.argsort(turns([2, 3, 1], KEY, 3, order), axis=1)
    count, total = [0, 0, 0, 0, 0, 5], np.zeros((6, 2))
    downloaded = [shared] * 6
    for r, people in enumerate(drawn):
        for p in people:
            received = shared if order == "random" else downloaded[p]
            doubles = p in (0, 1, 5)
            shared = (2 if doubles else -1) * received + record[p]
            downloaded[p] = shared
            logged = jax.tree.map(lambda a, r=r: a[r], uncut[1])
            np.testing.assert_array_equal(logged["received"][p], received)
            total[p] += received
            if doubles:
                assert logged["turns"][{0: 0, 1: 1, 5: 2}[p]] == count[p]
            else:
                np.testing.assert_array_equal(logged["sum"][p - 2], total[p])
            count[p] += 1
            if (r, p) == (1, 3):
                np.testing.assert_array_equal(uncut[0].snapshots[0], shared)
        np.testing.assert_array_equal(logged["shared"], shared)
    first, second, third = uncut[0].participants
    np.testing.assert_array_equal(np.r_[first, second.rounds["n"], third], count)
    np.testing.assert_array_equal(second.received, total[2:5])
    np.testing.assert_array_equal(uncut[0].server, shared)

    for chunk in ([0], [1, 2]):
        state, info = jax.jit(simulation.rounds)(KEY, state, jnp.array(chunk))
    chex.assert_trees_all_equal(state, uncut[0])
    chex.assert_trees_all_equal(info, jax.tree.map(lambda a: a[1:], uncut[1]))


def test_the_key_of_a_seat_does_not_depend_on_its_turn():
    groups = [simulate.Group(spy(), records(2)), simulate.Group(spy(), records(1))]
    for order in ("random", "round_robin", "asynchronous"):
        found = [spied(groups, (3, 4), o)[1]["key"] for o in ("parallel", order)]
        np.testing.assert_array_equal(*found)


# Asynchronous order with a server that adds up, unlike the one that takes the last.

ADDING = roles.Server(
    init=lambda params: params,
    send=lambda key, state, index: state,
    receive=lambda state, who, sent, updates: state + updates.sum(axis=0),
    params=lambda state: state,
)


def echo(key, state, received, data):
    """Uploads what it received."""
    return state, received, {"received": received}


def test_uploads_come_from_parameters_as_old_as_the_last_upload():
    """By hand: fresh parameters would double the shared number with each upload.

    Whoever is first or second in a round, it received 1 in the first, and in the
    second what was shared just after its own upload: 2 or 3.
    """
    role = roles.Participant(lambda key, params, data: (), echo)
    simulation = simulate.simulate(
        ADDING,
        [simulate.Group(role, records(2))],
        order="asynchronous",
        observed_participant=1,
        observed_rounds=(0, 1),
        measure=lambda params: {"shared": params},
    )
    state = simulation.init(KEY, jnp.array(1.0))
    np.testing.assert_array_equal(state.downloads, [1, 1])
    state, info = jax.jit(simulation.rounds)(KEY, state, jnp.arange(2))
    np.testing.assert_array_equal(info["received"][0], [1, 1])
    np.testing.assert_array_equal(sorted(info["received"][1]), [2, 3])
    np.testing.assert_array_equal(info["shared"], [1 + 1 + 1, 3 + 2 + 3])
    np.testing.assert_array_equal(state.snapshots, 2 * info["received"][:, 1])
    assert max(state.downloads) == 8 and min(state.downloads) in (5, 6)


def test_alone_nobody_makes_parameters_stale():
    def alone(order):
        group = simulate.Group(HONEST, records(1))
        return run(whole([group], order=order, observed_rounds=(1,)))

    (state, info), (other, other_info) = map(alone, ("asynchronous", "round_robin"))
    chex.assert_trees_all_equal(state.snapshots, other.snapshots)
    chex.assert_trees_all_equal((state[:2], info), (other[:2], other_info))


@pytest.fixture(scope="module")
def shuffled():
    """A run that shuffles, and two rounds of it, which must be compiled only once."""
    train = local.sgd(gradients.plain(MODEL), OPTIMIZER, epochs=1, batch_size=3)
    person = roles.honest_participant(train, OPTIMIZER)
    simulation = whole([simulate.Group(person, records(2))], observed_rounds=(1, 3))
    chex.clear_trace_counter()
    rounds = jax.jit(chex.assert_max_traces(simulation.rounds, n=1))
    return simulation, jax.jit(simulation.init)(KEY, start()), rounds


def test_chunks_of_rounds_equal_an_uncut_run(shuffled):
    simulation, state, rounds = shuffled
    uncut, uncut_info = jax.jit(simulation.rounds)(KEY, state, np.arange(4))
    infos = []
    for chunk in ([0, 1], [2, 3]):
        state, info = rounds(KEY, state, np.array(chunk))
        infos.append(info)
    chex.assert_trees_all_close(state, uncut, rtol=1e-6)
    info = jax.tree.map(lambda *a: np.concatenate(a), *infos)
    chex.assert_trees_all_close(info, uncut_info, rtol=1e-6)


def test_jit_equals_eager_and_another_key_does_not(shuffled):
    simulation, state, rounds = shuffled
    eager = simulation.rounds(KEY, state, np.arange(2))
    jitted = rounds(KEY, state, np.arange(2))
    chex.assert_trees_all_close(jitted, eager, rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_equal(rounds(KEY, state, np.arange(2)), jitted)
    other, _ = rounds(jax.random.key(6), state, np.arange(2))
    with pytest.raises(AssertionError):
        chex.assert_trees_all_close(other.server, jitted[0].server, rtol=1e-4)


def test_unknown_order_is_refused():
    with pytest.raises(
        ValueError, match="'serial'.*parallel, round_robin, random, async"
    ):
        whole([simulate.Group(HONEST, records(1))], order="serial")
