"""Defenses of uploads around any participants: what they leave as it is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxprivacy import types
from jaxprivacy.cards import defenses
from jaxprivacy.defenses import secure_aggregation
from jaxprivacy.federated import roles, simulate
from jaxprivacy.studies import defended_federation, defended_training
from jaxprivacy.training import gradients, local

RECIPE = defended_federation.Recipe(
    rounds=3,
    participants=3,
    records=8,
    own=defended_training.Recipe(
        epochs=1,
        batch_size=4,
        learning_rate=0.2,
        momentum=0.0,
        private_learning_rate=0.2,
        max_norm=1.0,
        delta=1e-5,
    ),
    update_norm=100.0,
)
EVERY = ("none", "dp_sgd:8", "participant_dp:8", "secure_aggregation")
EVERY += ("top_k:0.5", "sign", "quantised:4")


def model():
    def init(key):
        return {"w": 0.1 * jax.random.normal(key, (5, 3)), "b": jnp.zeros(3)}

    return types.Model(init, lambda params, x: x @ params["w"] + params["b"])


def records(count, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 8, 5)).astype(np.float32)
    y = rng.integers(3, size=(count, 8)).astype(np.int32)
    return types.Batch(jnp.array(x), jnp.array(y), jnp.ones((count, 8)))


def played(text, recipe=RECIPE, seed=0):
    """The shared model after the rounds, and what the defense says of itself."""
    network = model()
    made = defended_federation.defended(defenses.read(text), recipe, network)
    optimizer = optax.sgd(recipe.own.learning_rate)
    train = local.sgd(gradients.plain(network), optimizer, epochs=1, batch_size=4)
    honest = roles.honest_participant(train, optimizer)
    seats = made.defend(jax.random.key(seed), honest, honest)
    groups = [
        simulate.Group(seats.honest, records(2, 1)),
        simulate.Group(seats.adversary, records(1, 2)),
    ]
    rounds = simulate.simulate(seats.server, groups, order="parallel")
    state = rounds.init(jax.random.key(5), network.init(jax.random.key(6)))
    state, _ = rounds.rounds(jax.random.key(7), state, jnp.arange(recipe.rounds))
    return made.shared(state.server), made


@pytest.fixture(scope="module")
def plain():
    return played("none")[0]


@pytest.mark.parametrize("text", EVERY)
def test_every_defense_trains_a_model_of_the_same_shape(text, plain):
    shared, made = played(text)
    assert jax.tree.map(jnp.shape, shared) == jax.tree.map(jnp.shape, plain)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(shared))
    private = text.partition(":")[0] in ("dp_sgd", "participant_dp")
    assert (made.claim is not None) == private
    if private:
        assert 0.97 * 8 < made.claim.epsilon <= 8
        assert made.claim.delta == RECIPE.own.delta


@pytest.mark.parametrize(
    ("text", "tolerance"),
    [
        ("participant_dp:inf", 1e-6),  # without noise, with a norm that nothing reaches
        ("top_k:1", 1e-6),
        ("secure_aggregation", 3 * 2.0**-16),  # rounded to its fixed point each round
    ],
)
def test_where_nothing_is_bounded_or_lost_training_is_plain(text, tolerance, plain):
    shared, _ = played(text)
    for one, other in zip(jax.tree.leaves(shared), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("text", ["dp_sgd:8", "participant_dp:8", "top_k:0.5", "sign"])
def test_a_defense_that_does_something_changes_the_model(text, plain):
    assert np.abs(played(text)[0]["w"] - plain["w"]).max() > 1e-3


def test_another_seed_draws_other_noise_at_the_server():
    first, second = (played("participant_dp:8", seed=seed)[0] for seed in (0, 1))
    assert np.abs(first["w"] - second["w"]).max() > 1e-3


def test_a_record_costs_all_steps_of_all_rounds():
    """The noise of one round alone would be smaller, as its epsilon is spent once."""
    _, many = played("dp_sgd:8", RECIPE._replace(rounds=40))
    _, few = played("dp_sgd:8", RECIPE._replace(rounds=1))
    assert many.noise_multiplier > 1.5 * few.noise_multiplier


def test_updates_are_clipped_without_noise_too(plain):
    network = model()
    short = RECIPE._replace(update_norm=1e-3)
    start = network.init(jax.random.key(6))
    moved = roles.subtract(played("participant_dp:inf", short)[0], start)
    assert float(optax.tree.norm(moved)) <= 3 * 1e-3 * 1.001  # a round each
    assert float(optax.tree.norm(roles.subtract(plain, start))) > 0.05


def test_the_adversary_is_left_as_it_is():
    """It neither compresses nor noises what it uploads itself."""
    honest = roles.honest_participant(lambda *args: args, optax.identity())
    adversary = honest._replace(step=lambda *args: args)
    for text in ("none", "dp_sgd:8", "participant_dp:8", "top_k:0.5", "sign"):
        made = defended_federation.defended(defenses.read(text), RECIPE, model())
        seats = made.defend(jax.random.key(0), honest, adversary)
        assert seats.adversary is adversary


def test_under_secure_aggregation_the_server_learns_the_mean_and_no_upload():
    agreed = secure_aggregation.agree(
        jax.random.key(0), 3, bound=defended_federation.BOUND
    )
    rng = np.random.default_rng(0)
    updates = jnp.array(rng.normal(size=(3, 6)), jnp.float32)
    params = {"a": jnp.zeros((2, 2)), "b": jnp.ones(2)}
    turn = jnp.full(3, 5, jnp.int32)
    values = jax.vmap(
        lambda index, update: secure_aggregation.mask(
            agreed, turn[0], index, secure_aggregation.encode(update, agreed)
        )
    )(jnp.arange(3), updates)
    masked = secure_aggregation.Masked(values, jnp.ones(3, bool))
    sent = secure_aggregation.Invitation(
        jax.tree.map(lambda a: jnp.stack([a] * 3), params), jnp.arange(3), turn
    )
    made = defended_federation.defended(
        defenses.read("secure_aggregation"), RECIPE, model()
    )
    honest = roles.honest_participant(lambda *args: args, optax.identity())
    seats = made.defend(jax.random.key(0), honest, honest)
    received, seen = seats.seen(sent, masked)
    assert jax.tree.map(jnp.shape, seen) == {"a": (1, 2, 2), "b": (1, 2)}
    flat = np.concatenate([np.ravel(seen["a"]), np.ravel(seen["b"])])
    np.testing.assert_allclose(flat, updates.mean(axis=0), atol=2.0**-16)
    np.testing.assert_array_equal(received["b"], params["b"])
