"""Distributed selective SGD: its laws, its listing as a plain loop, its selections.

Every statistical test has a fixed seed and says the probability of rejecting a correct
selection, had the seed not been fixed.
"""

import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from scipy import stats

from jaxprivacy import types
from jaxprivacy.federated import dssgd, roles, simulate
from jaxprivacy.training import gradients, local
from tests import arrays
from tests.federated.test_simulate import turns
from tests.launch import launched

INFINITY = float("inf")
LEVEL = 1e-3  # of each statistical test
FEATURES, CLASSES = 4, 3
SIZE = CLASSES + FEATURES * CLASSES
MODEL = types.Model(lambda key: None, lambda p, x: x @ p["w"] + p["b"])
PARAMS = {"b": arrays.normal(0, CLASSES), "w": arrays.normal(1, FEATURES, CLASSES)}
KEY = jax.random.key(2)
ROUNDS, BATCH, RATE = 4, 2, 0.5
OPTIMIZER = optax.sgd(RATE)


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


def flat(tree):
    """As `ravel_pytree` orders it: the bias, then the weights row by row."""
    return ravel_pytree(tree)[0]


def records(participants, count=4):
    y = (np.arange(participants * count) % CLASSES).reshape(participants, count)
    x = arrays.normal(3, participants, count, FEATURES)
    return types.Batch(x, jnp.asarray(y), jnp.ones((participants, count)))


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


def run(server, groups, rounds=ROUNDS, order="round_robin"):
    """Rounds of a simulation, to be jitted; the shared model of each is logged."""
    simulation = simulate.simulate(
        server,
        groups,
        order=order,
        measure=lambda params: {"shared": flat(params)},
    )
    state = simulation.init(KEY, PARAMS)
    return simulation.rounds(KEY, state, jnp.arange(rounds))


# Laws.


def test_all_fractions_1_and_one_participant_is_sgd():
    """Mini-batches, momentum and decay included: the same keys, the same numbers."""
    optimizer = optax.chain(optax.add_decayed_weights(0.1), optax.sgd(0.3, 0.9))
    train = local.sgd(gradients.plain(MODEL), optimizer, epochs=2, batch_size=3)
    honest = roles.honest_participant(train, optimizer)

    def step(key, state, received, data):
        state, update, info = honest.step(key, state, received, data)
        return state, update, {**info, "key": jax.random.key_data(key)}

    told = roles.Participant(honest.init, step)
    data = records(1, 7)
    role = dssgd.participant(told, dssgd.upload_largest())
    groups = [simulate.Group(role, data)]
    _, info = jax.jit(lambda: run(dssgd.parameter_server(), groups))()

    @jax.jit
    def sgd(keys):
        params, state, alone = PARAMS, optimizer.init(PARAMS), _first(data)
        found = []
        for key in jax.random.wrap_key_data(keys):
            params, state, loss = train(key, params, state, alone)
            found.append((flat(params), loss))
        return jax.tree.map(lambda *a: jnp.stack(a), *found)

    want, losses = sgd(info["key"][:, 0])
    assert np.abs(want[-1] - flat(PARAMS)).max() > 0.1
    np.testing.assert_allclose(info["shared"], want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(info["loss"][:, 0], losses, rtol=1e-5)


def _first(tree):
    return jax.tree.map(lambda a: a[0], tree)


EVERYTHING = {
    "largest": lambda one: dssgd.upload_largest(),
    "largest, traced": dssgd.upload_largest,
    "random": lambda one: dssgd.upload_random(1.0, 0.0),
    "no noise": lambda one: dssgd.upload_sparse_vector(1.0, 0.0, 1e6, INFINITY),
    "no noise, traced": lambda one: dssgd.upload_sparse_vector(
        one, 0.0 * one, 1e6 * one, INFINITY * one
    ),
}


@pytest.fixture(scope="module")
def all_of_it():
    """Runs that exchange everything, and the parameter server of `roles`."""

    @jax.jit
    def runs(one):
        data = records(3)
        found = {
            name: run(
                dssgd.parameter_server(one if "traced" in name else 1.0),
                [simulate.Group(dssgd.participant(HONEST, upload(one)), data)],
                rounds=2,
            )[1]["shared"]
            for name, upload in EVERYTHING.items()
        }
        plain = [simulate.Group(HONEST, data)]
        return found, run(roles.averaging_server(), plain, rounds=2)[1]["shared"]

    return runs(1.0)


@pytest.mark.parametrize("name", EVERYTHING)
def test_all_fractions_1_is_sequential_training(name, all_of_it):
    found, want = all_of_it
    assert np.abs(want[-1] - want[0]).max() > 0.1
    np.testing.assert_allclose(found[name], want, rtol=1e-5, atol=1e-6)


# The listing.

DOWNLOAD = 0.4
# Of each participant: theta_u and gamma.
UPLOADS = ((0.6, 0.05), (0.2, None), (0.2, None), (1.0, 0.1))
ROW_NAMES = ("downloaded", "uploaded", "replica")


PLACES = ([0], [1, 2], [3])  # of each group


def logged(role):
    """Logs what is exchanged and what is kept."""

    def step(key, state, received, data):
        state, update, info = role.step(key, state, received, data)
        seen = received.mask, update.mask, state.replica
        rows = dict(zip(ROW_NAMES, map(flat, seen), strict=True))
        return state, update, {**info, **rows}

    return roles.Participant(role.init, step)


def backwards():
    """A role of another form, which takes the records from the last to the first."""

    def step(key, state, received, data):
        data = jax.tree.map(lambda a: a[::-1], data)
        inner, update, info = HONEST.step(key, state["inner"], received, data)
        return {"inner": inner, "turns": state["turns"] + 1}, update, info

    def init(key, params, data):
        return {"inner": HONEST.init(key, params, data), "turns": jnp.array(0)}

    return roles.Participant(init, step)


def four():
    """Four participants, the second and third of which are one group."""
    data, groups = records(4), []
    for places in PLACES:
        theta_u, gamma = UPLOADS[places[0]]
        trainer = backwards() if places == PLACES[-1] else HONEST
        role = dssgd.participant(trainer, dssgd.upload_largest(theta_u, gamma))
        share = jax.tree.map(lambda a, p=places: a[jnp.array(p)], data)
        groups.append(simulate.Group(logged(role), share))
    return groups


@pytest.fixture(scope="module", params=["round_robin", "random", "asynchronous"])
def simulated(request):
    """What a run leaves on the server and logs, what each downloads, who is when."""
    order = request.param
    server = dssgd.parameter_server(DOWNLOAD)
    state, info = jax.jit(lambda: run(server, four(), order=order))()
    info = jax.device_get(info)
    chosen = list(info["downloaded"])
    if order == "asynchronous":  # For the turn after the last.
        mask = state.downloads.mask
        chosen.append(np.stack([flat(_at(mask, i)) for i in range(4)]))
    people = np.argsort(turns(list(map(len, PLACES)), KEY, ROUNDS, order), axis=1)
    assert (people == np.arange(4)).all() == (order == "round_robin")
    stale = order == "asynchronous"
    return state.server, info, listing(chosen, people, stale)


def _at(tree, index):
    return jax.tree.map(lambda a: a[index], tree)


def trained(theta, x, y):
    """The epoch of `in_order`: descent on softmax regression."""
    for start in range(0, len(y), BATCH):
        rows = slice(start, start + BATCH)
        b, w = theta[:CLASSES], theta[CLASSES:].reshape(FEATURES, CLASSES)
        p = np.exp(x[rows] @ w + b)
        p /= p.sum(axis=1, keepdims=True)
        error = (p - np.eye(CLASSES)[y[rows]]) / BATCH
        theta = theta - RATE * np.r_[error.sum(axis=0), (x[rows].T @ error).ravel()]
    return theta


def listing(downloads, people, stale):
    """Shokri and Shmatikov 2015, Fig. 3 and 4; paper A, Algorithm 1; on flat vectors.

    Which parameters are downloaded is given, because ties are broken at random; that
    they are among the most updated is checked. Where it is stale, a participant
    downloads at the start and then whenever it has uploaded, not before it trains.
    """
    data = jax.tree.map(np.asarray, records(4))
    w_global = np.asarray(flat(PARAMS), np.float64)
    stat = np.zeros(SIZE, int)
    w_local = [w_global.copy() for _ in UPLOADS]
    rows = {name: [[None] * 4 for _ in people] for name in ROW_NAMES}
    rows |= {"shared": [], "cosine": np.zeros((ROUNDS, 4))}

    def download(i, chosen):
        # Download theta_d n parameters, the most updated, and replace the local ones.
        assert chosen.sum() == round(DOWNLOAD * SIZE)
        assert stat[chosen].min() >= stat[~chosen].max()
        w_local[i][chosen] = w_global[chosen]

    for i in range(4) if stale else ():
        download(i, downloads[0][i])
    for r, in_round in enumerate(people):
        for i in in_round:
            theta_u, gamma = UPLOADS[i]
            if not stale:
                download(i, downloads[r][i])
            # Train the local model for an epoch; gradients are what changed.
            before, step = w_local[i].copy(), -1 if i in PLACES[-1] else 1
            w_local[i] = trained(w_local[i], data.x[i][::step], data.y[i][::step])
            change = w_local[i] - before
            # Upload the theta_u n largest, within [-gamma, gamma].
            largest = np.argsort(-np.abs(change))[: round(theta_u * SIZE)]
            sent = change[largest]
            if gamma is not None:
                sent = np.clip(sent, -gamma, gamma)
            w_global[largest] += sent
            stat[largest] += 1
            uploaded = np.isin(np.arange(SIZE), largest)
            seen = (downloads[r][i], uploaded, w_local[i].copy())
            for name, row in zip(ROW_NAMES, seen, strict=True):
                rows[name][r][i] = row
            norms = np.linalg.norm(change) * np.linalg.norm(sent)
            rows["cosine"][r, i] = change[largest] @ sent / norms
            if stale:
                download(i, downloads[r + 1][i])
        rows["shared"].append(w_global.copy())
    return w_global, stat, rows


def test_rounds_equal_the_listing(simulated):
    server, info, (want, stat, rows) = simulated
    np.testing.assert_allclose(flat(server.params), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(server.counters, stat)
    for name in ("shared", "replica", "cosine"):
        np.testing.assert_allclose(info[name], rows[name], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(info["uploaded"], rows["uploaded"])
    # The bounds bind, and the model moves all the same.
    assert np.abs(want - flat(PARAMS)).max() > 0.1


def test_replicas_differ_from_each_other_and_from_the_server(simulated):
    server, info, _ = simulated
    last = [*info["replica"][-1], np.asarray(flat(server.params))]
    for a, b in itertools.combinations(last, 2):
        assert np.abs(a - b).max() > 0.01


def test_training_and_upload_have_keys_of_their_own():
    def step(key, state, received, data):
        return state, received, {"key": jax.random.key_data(key)}

    told = roles.Participant(lambda key, params, data: (), step)
    role = dssgd.participant(told, lambda key, update: (jax.random.key_data(key), {}))
    state = role.init(KEY, PARAMS, None)
    sent = dssgd.Selected(PARAMS, dssgd.everything(PARAMS))
    _, of_upload, info = role.step(KEY, state, sent, None)
    keys = [info["key"], of_upload, jax.random.key_data(KEY)]
    assert len({tuple(np.asarray(key)) for key in keys}) == 3


def test_the_server_adds_up_and_counts():
    server = dssgd.parameter_server()
    state = server.init({"b": jnp.zeros(2), "w": jnp.ones((1, 2))})
    np.testing.assert_array_equal(state.counters, [0, 0, 0, 0])
    updates = dssgd.Selected(
        {"b": jnp.array([[1.0, 0], [2, 0]]), "w": jnp.array([[[0.0, 0]], [[5, -3]]])},
        {
            "b": jnp.array([[True, False], [True, False]]),
            "w": jnp.array([[[True, False]], [[True, True]]]),
        },
    )
    for times in (1, 2):
        state = server.receive(state, jnp.arange(2), None, updates)
        np.testing.assert_array_equal(
            flat(server.params(state)), [3 * times, 0, 1 + 5 * times, 1 - 3 * times]
        )
        np.testing.assert_array_equal(
            state.counters, np.array([2, 0, 2, 1], np.int32) * times
        )


# Downloads.


@jax.jit
def downloads(counters, fraction):
    """The masks of many downloads, flat: (4000, n)."""
    server = dssgd.parameter_server(fraction)
    state = dssgd.ServerState(jnp.zeros(counters.shape), counters)
    keys = jax.random.split(KEY, 4000)
    sent = jax.vmap(lambda key: server.send(key, state, jnp.array(0)))(keys)
    return sent.mask


def test_the_most_updated_are_downloaded_and_ties_are_broken_at_random():
    counters = np.array([7, 2, 2, 0, 2, 9, 2, 1], np.int32)
    masks = np.asarray(downloads(counters, 0.5))
    assert set(masks.sum(axis=1)) == {4}
    assert masks[:, [0, 5]].all()
    assert not masks[:, [3, 7]].any()
    pairs = itertools.combinations([1, 2, 4, 6], 2)
    counts = [masks[:, pair].all(axis=1).sum() for pair in map(list, pairs)]
    assert (len(counts), sum(counts)) == (6, len(masks))
    assert stats.chisquare(counts).pvalue > LEVEL


@pytest.mark.parametrize("power", [0, 15, 23])
def test_counters_far_up_are_told_apart(power):
    count = 2**power
    counters = np.array([count - 1, count - 1, count - 1, count], np.int32)
    masks = np.asarray(downloads(counters, 0.5))
    assert set(masks.sum(axis=1)) == {2} and masks[:, 3].all()
    if power < 23:  # There, few numbers lie between two counters to break ties.
        assert stats.chisquare(masks[:, :3].sum(axis=0)).pvalue > LEVEL


def test_the_server_sends_its_own_values_in_the_model_s_shapes():
    server = dssgd.parameter_server(0.4)
    state = dssgd.ServerState(PARAMS, jnp.arange(SIZE))
    sent = jax.jit(server.send)(KEY, state, jnp.array(0))
    chex.assert_trees_all_equal(sent.values, PARAMS)
    chex.assert_trees_all_equal_shapes(sent.mask, PARAMS)
    # The last 6 of 15 in flat order: the last two rows of the weights.
    assert not sent.mask["b"].any()
    np.testing.assert_array_equal(sent.mask["w"].sum(axis=1), [0, 0, 3, 3])


# Uploads.

UPDATE = np.array([0.0, 0.2, -0.4, 0.5, 0.7, -0.9, 1.0, -1.5, 3.0], np.float32)
ABOVE = [3, 4, 5, 6, 7, 8]  # of the threshold 0.5


def unclipped(*arguments):
    return dssgd.upload_sparse_vector(*arguments, clip_first=False)


AT_RANDOM = {  # tau, gamma and, of the second, epsilon
    "random": (dssgd.upload_random, 0.5, 1.0),
    "no noise": (dssgd.upload_sparse_vector, 0.5, 1.0, INFINITY),
}


@functools.partial(jax.jit, static_argnames="make")
def often(make, arguments, update):
    """Many uploads of one update, built from traced numbers: (4000, n) each."""
    upload = make(*arguments)
    return jax.vmap(lambda key: upload(key, update)[0])(jax.random.split(KEY, 4000))


def uploads(make, *arguments, update=UPDATE):
    return jax.device_get(often(make, arguments, update))


@pytest.mark.parametrize(
    ("fraction", "gamma", "values"),
    [
        (1.0, None, [0.3, -0.2, 0.1, -0.5]),
        (1.0, 0.25, [0.25, -0.2, 0.1, -0.25]),
        (0.5, None, [0.3, 0, 0, -0.5]),
        (0.5, 0.25, [0.25, 0, 0, -0.25]),
        (0.75, 0.15, [0.15, -0.15, 0, -0.15]),
        (0.01, 0.1, [0, 0, 0, -0.1]),
    ],
)
def test_largest_by_hand(fraction, gamma, values):
    update = {"a": jnp.array([0.3]), "b": jnp.array([[-0.2, 0.1, -0.5]])}
    sent, told = dssgd.upload_largest(fraction, gamma)(KEY, update)
    chex.assert_trees_all_equal_shapes(sent.values, update)
    np.testing.assert_allclose(flat(sent.values), values, rtol=1e-6)
    np.testing.assert_array_equal(flat(sent.mask), np.array(values) != 0)
    swept = jax.jit(lambda f: dssgd.upload_largest(f, gamma)(KEY, update))(fraction)
    chex.assert_trees_all_equal(swept[0], sent)
    cosine = np.dot([0.3, -0.2, 0.1, -0.5], values) / np.linalg.norm(values)
    assert told["cosine"] == pytest.approx(cosine / np.sqrt(0.39), rel=1e-5)
    if gamma is None:
        assert set(told) == {"cosine"}
    else:
        clipped = {0.25: 0.5, 0.15: 0.75, 0.1: 0.75}
        np.testing.assert_allclose(told["clipped"], clipped[gamma])


def test_bound_by_hand():
    got = dssgd.bound(jnp.array([-3.0, -1, -0.5, 0, 0.9, 2]), 1.0)
    np.testing.assert_allclose(got, [-1, -1, -0.5, 0, 0.9, 1])


@pytest.mark.parametrize("name", AT_RANDOM)
@pytest.mark.parametrize(("fraction", "count"), [(0.2, 2), (0.7, 6), (1.0, 6)])
def test_random_uploads_are_of_those_above_the_threshold(name, fraction, count):
    make, *arguments = AT_RANDOM[name]
    values, mask = uploads(make, fraction, *arguments)
    assert set(mask.sum(axis=1)) == {count}
    assert set(np.flatnonzero(mask.any(axis=0))) == set(ABOVE)
    np.testing.assert_array_equal(values, np.where(mask, np.clip(UPDATE, -1, 1), 0))
    if count == 2:
        pairs = map(list, itertools.combinations(ABOVE, 2))
        counts = [mask[:, pair].all(axis=1).sum() for pair in pairs]
        assert (len(counts), sum(counts)) == (15, len(mask))
        assert stats.chisquare(counts).pvalue > LEVEL


def test_a_number_at_the_threshold_is_uploaded_and_nan_is_not():
    update = np.array([0.5, 0.4999, -0.5, np.nan], np.float32)
    sent, _ = dssgd.upload_random(1.0, 0.5)(KEY, update)
    np.testing.assert_array_equal(sent.mask, [True, False, True, False])


def test_what_the_bound_clips_may_fall_below_the_threshold():
    sent, told = dssgd.upload_random(1.0, 0.5, 0.4)(KEY, UPDATE)
    assert not sent.mask.any()
    # What is clipped does not depend on what is uploaded; nothing has no direction.
    np.testing.assert_allclose(told["clipped"], 6 / 9)
    assert told["cosine"] == 0


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_the_cosine_is_told_of_small_and_large_updates(scale):
    upload = dssgd.upload_random(1.0, 0.5 * scale, 1.0 * scale)
    _, told = upload(KEY, UPDATE * np.float32(scale))
    sent = np.where(np.isin(range(9), ABOVE), np.clip(UPDATE, -1, 1), 0)
    want = UPDATE @ sent / np.linalg.norm(UPDATE) / np.linalg.norm(sent)
    assert told["cosine"] == pytest.approx(want, rel=1e-5)
    np.testing.assert_allclose(told["clipped"], 2 / 9)  # 1 is within the bound.


@pytest.mark.parametrize("update", [np.zeros(3, np.float32), UPDATE])
def test_of_an_update_that_is_uploaded_whole_no_cosine_is_computed(update):
    jaxpr = jax.make_jaxpr(dssgd.upload_largest())(KEY, update)
    primitives = {str(equation.primitive) for equation in jaxpr.eqns}
    assert not primitives & {"mul", "div", "sqrt", "reduce_sum"}
    assert dssgd.upload_largest()(KEY, update)[1] == {"cosine": 1}


# theta_u, tau, gamma, epsilon per parameter: at most 4 of 9 are uploaded.
PRIVATE = (0.4, 0.5, 1.0, 30.0)


def test_clipping_first_is_the_release_of_what_is_clipped():
    values, mask = first = uploads(dssgd.upload_sparse_vector, *PRIVATE)
    bounded = np.clip(UPDATE, -1, 1)
    chex.assert_trees_all_equal(first, uploads(unclipped, *PRIVATE, update=bounded))
    # Of the paper's release the noise hardly ever moves 3 below the bound 1.
    paper_values, paper_mask = uploads(unclipped, *PRIVATE)
    np.testing.assert_array_equal(paper_mask, mask)
    at_bound = [(v[mask[:, 8], 8] == 1).mean() for v in (values, paper_values)]
    assert 0.4 < at_bound[0] < 0.6
    assert at_bound[1] > 0.95


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (dssgd.upload_sparse_vector, PRIVATE),
        (dssgd.upload_random, (0.4, 0.5)),
    ],
)
def test_numbers_and_traced_numbers_upload_the_same(make, arguments):
    swept = uploads(make, *arguments)
    assert set(swept.mask.sum(axis=1)) <= set(range(5)) and swept.mask.any()
    for run in range(3):
        key = jax.random.split(KEY, 4000)[run]
        known, _ = make(*arguments)(key, UPDATE)
        chex.assert_trees_all_equal(
            known, jax.tree.map(lambda a, run=run: a[run], swept)
        )


@pytest.mark.parametrize("fraction", [0, 0.0, -0.1, 1.5])
def test_fractions_out_of_range_are_refused(fraction):
    for build, name in (
        (dssgd.parameter_server, "download_fraction"),
        (dssgd.upload_largest, "upload_fraction"),
        (lambda f: dssgd.upload_random(f, 0.0), "upload_fraction"),
        (lambda f: dssgd.upload_sparse_vector(f, 0.0, 1.0, 1.0), "upload_fraction"),
    ):
        with pytest.raises(ValueError, match=f"{name}={fraction}: accepted are"):
            build(fraction)
