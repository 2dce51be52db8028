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
from tests.launch import launched

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


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


def attacker(participant, influence=1.0, start_round=0, target_class=1, **changes):
    return gan.gan(
        participant,
        MODEL,
        GENERATOR,
        optax.sgd(0.5),
        target_class=target_class,
        fake_class=3,
        generator_steps=4,
        generator_batch=6,
        injected=3,
        influence=influence,
        start_round=start_round,
        logged_samples=5,
        **changes,
    )


def test_generator_loss_by_hand():
    # Probabilities (1, 2, 5) / 8 and (1, 1, 2) / 4.
    logits = jnp.log(jnp.array([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]]))
    for target, p in ((0, (1 / 8, 1 / 4)), (2, (5 / 8, 1 / 2))):
        got = gan.generator_loss(lambda x: x, logits, target)
        assert float(got) == pytest.approx(-np.log(p).mean(), rel=1e-6)


def test_mode_seeking_loss_by_hand():
    # Mean distances of neighbours, of the first from the last: 1, 0.5, 1.5.
    noise = jnp.array([[0.0, 0], [1, 0], [0, 2]])
    # Here 0.5, 0.25, 0.75, over both axes of an image.
    images = jnp.array([[[0.0], [0]], [[0.5], [0]], [[1], [1]]])
    got = gan.mode_seeking_loss(noise, images)
    want = (1 / 1.00001 + 0.5 / 0.25001 + 1.5 / 0.75001) / 3
    assert float(got) == pytest.approx(want, rel=1e-5)
    # All images alike: as bad as it can be.
    collapsed = gan.mode_seeking_loss(noise, jnp.ones((3, 4, 4, 1)))
    assert float(collapsed) == pytest.approx(1e5, rel=1e-5)


def test_objective_is_the_paper_s_loss_and_the_weighted_addition():
    noise, images = arrays.normal(0, 3, 7), arrays.normal(1, 3, 2)
    target = jnp.array(2)

    def discriminator(x):
        return x @ RECEIVED

    @jax.jit
    def values(weight):
        losses = {
            "paper": gan.PAPER,
            "none": gan.objective(0.0),
            "known": gan.objective(0.3),
            "swept": gan.objective(weight),
            "swept, none": gan.objective(0 * weight),
        }
        paper = gan.generator_loss(discriminator, images, target)
        added = gan.mode_seeking_loss(noise, images)
        found = {
            name: loss(discriminator, noise, images, target)
            for name, loss in losses.items()
        }
        return found, paper, added

    found, paper, added = values(0.3)
    for name, value in found.items():
        weight = 0.3 if name in ("known", "swept") else 0
        assert float(value) == pytest.approx(float(paper + weight * added), rel=1e-5)
    assert added > 0.1


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

    def attack(key, influence, data=DATA):
        role = attacker(inner, influence)
        state = role.init(key, RECEIVED, data)
        state, update, info = role.step(key, state, RECEIVED, data)
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


def test_without_records_it_trains_on_its_samples_alone(trainers):
    """What is there under mask 0 changes nothing; without influence nothing is sent."""
    _, attack = trainers
    empty = DATA._replace(mask=jnp.zeros(5))
    other = empty._replace(x=DATA.x + 3, y=DATA.y * 0)
    state, update, info = attack(KEY, 1.0, empty)
    assert np.abs(update).max() > 0.01
    assert info["loss"] > 0 and info["started"]
    chex.assert_trees_all_equal(attack(KEY, 1.0, other), (state, update, info))
    # The model learns of its samples alone, that they are of the artificial class.
    samples = np.asarray(info["samples"])
    p = np.exp(samples @ (RECEIVED + update))
    before = np.exp(samples @ RECEIVED)
    grown = p[:, 3] / p.sum(axis=1) - before[:, 3] / before.sum(axis=1)
    assert grown.min() > 0

    _, update, info = attack(KEY, 0.0, empty)
    np.testing.assert_array_equal(update, np.zeros((2, 4)))
    assert float(info["loss"]) == 0


@pytest.fixture(scope="module")
def swept():
    """A step of which the class and the weight of mode seeking are arguments."""

    @jax.jit
    def step(target_class, mode_seeking):
        role = attacker(
            SPY, target_class=target_class, loss=gan.objective(mode_seeking)
        )
        return role.step(FAST, role.init(FAST, RECEIVED, DATA), RECEIVED, DATA)

    return step


@pytest.mark.parametrize(("target", "weight"), [(1, 0.0), (2, 0.2)])
def test_swept_numbers_give_the_same_as_known_ones(target, weight, swept):
    role = attacker(SPY, target_class=target, loss=gan.objective(weight))
    known = jax.jit(role.step)(FAST, init(FAST), RECEIVED, DATA)
    got = swept(target, weight)
    chex.assert_trees_all_close(got, known, rtol=1e-5, atol=1e-6)
    other = swept(target, weight + 0.5)
    assert np.abs(other[0].params["w"] - got[0].params["w"]).max() > 1e-4
    other = swept(3 - target, weight)
    assert np.abs(other[0].params["b"] - got[0].params["b"]).max() > 1e-3


# When it begins: a model that looks records up, so that what is right is chosen.

LABELS = jnp.array([0, 1, 2, 0, 1])
ONE_HOT = types.Batch(jnp.eye(5), LABELS, DATA.mask)  # The fifth is padding.
CONSTANT = gan.Generator(
    lambda key: jnp.zeros(5), lambda w, z: jnp.broadcast_to(w, (len(z), 5))
)


def table(right):
    """A shared model that is right on these records."""
    labels = [label if i in right else 3 for i, label in enumerate(LABELS.tolist())]
    return jnp.eye(4)[jnp.array(labels)]


def started(data, models, start_accuracy, start_round=0):
    """In which of the rounds the attack is on, by what it tells and what it injects."""
    role = gan.gan(
        SPY,
        MODEL,
        CONSTANT,
        optax.sgd(0.1),
        target_class=1,
        fake_class=3,
        generator_steps=1,
        generator_batch=2,
        injected=2,
        start_round=start_round,
        start_accuracy=start_accuracy,
        logged_samples=1,
    )
    state, step, found = role.init(FAST, models[0], data), jax.jit(role.step), []
    for received in models:
        before = state.params
        state, _, info = step(FAST, state, received, data)
        active = bool(info["started"])
        assert info["data"].mask[-2:].tolist() == [active, active]
        assert (np.abs(state.params - before).max() > 0) == active
        found.append(active)
    return found


def test_it_waits_for_accuracy_on_its_own_records_and_then_goes_on():
    # 2 of 4 with the padding, which must not count; 3 of 4; 1 of 4.
    models = [table({0, 1, 4}), table({0, 1, 2}), table({3})]
    assert started(ONE_HOT, models, 0.6) == [False, True, True]
    assert started(ONE_HOT, models, 0.75) == [False, True, True]
    assert started(ONE_HOT, models, 0.76) == [False, False, False]
    assert started(ONE_HOT, models, 0.0) == [True, True, True]


def test_it_waits_for_both_the_round_and_the_accuracy():
    right, wrong = table({0, 1, 2, 3}), table(set())
    assert started(ONE_HOT, [right, wrong, right], 0.9, 1) == [False, False, True]


def test_without_records_it_never_waits_for_accuracy():
    empty = ONE_HOT._replace(mask=jnp.zeros(5))
    assert started(empty, [table(set())], 0.9) == [True]
    assert started(empty, [table(set())] * 2, 0.9, start_round=1) == [False, True]


def test_only_the_first_records_are_watched():
    count = gan.WATCHED + 100
    x = jnp.tile(jnp.eye(5)[0], (count, 1))
    for wrong, on in ((slice(gan.WATCHED, None), True), (slice(0, 100), False)):
        y = jnp.zeros(count, int).at[wrong].set(1)
        data = types.Batch(x, y, jnp.ones(count))
        assert started(data, [table({0})], 0.9) == [on]
