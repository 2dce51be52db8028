"""Clipping and noise of whole participants: FedAvg without them, and how much noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import errors
from jaxprivacy.defenses import participant_dp as dp, secure_aggregation as secure
from jaxprivacy.federated import roles
from tests.defenses import honest
from tests.launch import launched

KEY, INFINITE = jax.random.key(2), float("inf")


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


def private(**changes):
    options = {
        "participants": honest.PEOPLE,
        "max_norm": INFINITE,
        "noise_multiplier": 0.0,
    }
    return dp.participant_dp(roles.averaging_server(), KEY, **options | changes)


def received(server, updates):
    """The shared model (n,) after one round of these updates (P, n), from zeros."""
    count, size = updates.shape
    state = server.init({"w": jnp.zeros(size)})
    sent = {"w": jnp.zeros((count, size))}
    state = server.receive(state, jnp.arange(count), sent, {"w": updates})
    return server.params(state)["w"]


def test_clipping_by_hand():
    update = {"a": jnp.array([3.0]), "b": jnp.array([[4.0]])}  # of norm 5
    halved = dp.clip(update, 2.5)
    np.testing.assert_allclose(halved["a"], [1.5], rtol=1e-6)
    np.testing.assert_allclose(halved["b"], [[2.0]], rtol=1e-6)
    for bound in (5.0, 6.0, INFINITE):
        honest.assert_close(dp.clip(update, bound), update, atol=0)
    zeros = jax.tree.map(jnp.zeros_like, update)
    honest.assert_close(dp.clip(zeros, 1.0), zeros, atol=0)
    for wrong in (jnp.nan, jnp.inf):
        broken = update | {"a": jnp.array([wrong])}
        honest.assert_close(dp.clip(broken, 1.0), zeros, atol=0)


def test_without_noise_and_bound_it_is_federated_averaging():
    server = private()
    state, _ = honest.play(server, honest.HONEST)
    plain, _ = honest.play(roles.averaging_server(), honest.HONEST)
    honest.assert_close(server.params(state.server), plain.server)


def test_a_round_by_hand():
    updates = jnp.array([[3.0, 4.0], [0.0, 0.5], [jnp.nan, 0.0], [0.0, 0.0]])
    found = received(private(participants=4, max_norm=1.0), updates)
    np.testing.assert_allclose(found, [0.6 / 4, (0.8 + 0.5) / 4], rtol=1e-6)


def test_one_participant_more_moves_the_sum_by_at_most_the_bound():
    updates = 100.0 * jnp.eye(5, 7)
    server = private(max_norm=0.5)
    with_all = received(server, updates)
    without = received(server, updates.at[3].set(0.0))
    assert np.linalg.norm(with_all - without) * 5 <= 0.5 * (1 + 1e-6)


def test_noise_has_the_deviation_that_is_said_and_is_new_each_round():
    size, z, bound, rate = 20_000, 1.5, 0.2, 0.5
    server = private(noise_multiplier=z, max_norm=bound, rate=rate)
    state = server.init({"w": jnp.zeros(size)})
    zeros = {"w": jnp.zeros((honest.PEOPLE, size))}
    models = []
    for _ in range(2):
        state = server.receive(state, jnp.arange(honest.PEOPLE), zeros, zeros)
        models.append(np.asarray(server.params(state)["w"]))
    expected = z * bound / (rate * honest.PEOPLE)
    for noise in models:
        assert abs(noise.std() / expected - 1) < 4 / np.sqrt(2 * size)
        assert abs(noise.mean()) < 4 * expected / np.sqrt(size)
    assert abs(np.corrcoef(*models)[0, 1]) < 4 / np.sqrt(size)


def test_each_participant_is_in_a_sample_apart_from_the_others():
    people, rate, rounds = 50, 0.3, 40
    server = private(participants=people, rate=rate)
    sent = {"w": jnp.zeros((people, people))}
    updates = {"w": jnp.eye(people)}  # The model tells who was in.

    @jax.jit
    def play(state):
        def one(state, _):
            new = server.receive(state, jnp.arange(people), sent, updates)
            return new, server.params(new)["w"]

        return jax.lax.scan(one, state, length=rounds)[1]

    models = play(server.init({"w": jnp.zeros(people)}))
    found = np.asarray(models) * rate * people
    drawn = np.round(found)
    np.testing.assert_allclose(found, drawn, atol=1e-4)
    assert set(np.unique(drawn)) == {0, 1}
    tolerance = 4 * np.sqrt(rate * (1 - rate))
    assert abs(drawn.mean() - rate) < tolerance / np.sqrt(people * rounds)
    # Sizes of samples vary as they do where each is drawn apart.
    spread = drawn.sum(axis=1).var() / (people * rate * (1 - rate))
    assert 0.4 < spread < 1.8


def uploads(role, draws):
    """What one participant uploads, of many draws of its noise."""

    def one(key):
        data = jax.tree.map(lambda a: a[0], honest.DATA)
        return role.step(key, jnp.zeros(()), honest.PARAMS, data)[1]["b"]

    return np.asarray(jax.vmap(one)(jax.random.split(KEY, draws)))


def test_shares_of_the_noise_sum_up_to_the_noise_of_the_server():
    draws, z, bound = 4000, 2.0, 0.1
    role = dp.noisy_participant(
        honest.HONEST, least=honest.PEOPLE, max_norm=bound, noise_multiplier=z
    )
    values = uploads(role, draws)
    values = values - uploads(
        dp.noisy_participant(
            honest.HONEST, least=1, max_norm=bound, noise_multiplier=0.0
        ),
        1,
    )
    variance = values.var() * honest.PEOPLE  # Of a sum of so many uploads.
    assert abs(variance / (z * bound) ** 2 - 1) < 5 * np.sqrt(2 / values.size)


def test_noisy_participants_without_noise_are_federated_averaging_behind_a_sum():
    role = dp.noisy_participant(
        honest.HONEST, least=3, max_norm=INFINITE, noise_multiplier=0.0
    )
    agreement = secure.agree(KEY, honest.PEOPLE, bound=16.0, bits=20)
    server = secure.secure_aggregation(roles.averaging_server(), agreement)
    state, _ = honest.play(server, secure.masked_participant(role, agreement))
    plain, _ = honest.play(roles.averaging_server(), honest.HONEST)
    honest.assert_close(server.params(state.server), plain.server, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"noise_multiplier": 1.0}, "max_norm=inf"),
        ({"max_norm": 0.0}, r"max_norm=0\.0"),
        ({"noise_multiplier": -1.0}, "noise_multiplier=-1"),
        ({"rate": 0.0}, "rate=0"),
        ({"participants": 0}, "participants=0"),
    ],
)
def test_arguments_out_of_range_are_refused(changes, named):
    with pytest.raises(errors.InputError, match=named):
        private(**changes)


def test_turns_one_after_the_other_are_refused():
    with pytest.raises(errors.InputError, match=r"of 1 participants.*order=parallel"):
        honest.play(private(), honest.HONEST, order="round_robin")
