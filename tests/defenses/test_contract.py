"""The contract of every wrapper: it keeps the state's kind, and idle it is no wrapper.

Servers and participants together, as the masks of one are taken off by the other.
"""

import chex
import jax
import jax.numpy as jnp
import pytest

from jaxprivacy import cards
from jaxprivacy.defenses import (
    compression,
    participant_dp as dp,
    secure_aggregation as secure,
)
from jaxprivacy.federated import roles
from tests.defenses import honest
from tests.federated import test_roles as contract
from tests.launch import launched

KEY, PEOPLE = jax.random.key(3), honest.PEOPLE
AGREEMENT = secure.agree(KEY, PEOPLE, bound=16.0, bits=20)


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


def at_server(noise=0.0, bound=float("inf"), rate=1.0):
    server = dp.participant_dp(
        roles.averaging_server(),
        KEY,
        participants=PEOPLE,
        max_norm=bound,
        noise_multiplier=noise,
        rate=rate,
    )
    return server, honest.HONEST


def in_shares(noise=0.0, bound=float("inf")):
    role = dp.noisy_participant(
        honest.HONEST, least=3, max_norm=bound, noise_multiplier=noise
    )
    return roles.averaging_server(), role


def masked(drop_rate=0.0):
    server = secure.secure_aggregation(roles.averaging_server(), AGREEMENT)
    role = secure.masked_participant(honest.HONEST, AGREEMENT, drop_rate=drop_rate)
    return server, role


def sparse(fraction=1.0):
    compress = compression.top_k(fraction)
    return roles.averaging_server(), compression.error_feedback(honest.HONEST, compress)


def signs():
    role = compression.error_feedback(honest.HONEST, compression.scaled_sign())
    return roles.averaging_server(), role


def rounded(levels=4):
    role = compression.compressed(honest.HONEST, compression.quantised(levels))
    return roles.averaging_server(), role


# Of each defense: at some strength, and idle, where it can be.
BUILDERS = {
    "participant_dp": (lambda: at_server(1.0, 0.5, 0.5), at_server),
    "participant_dp, in shares": (lambda: in_shares(1.0, 0.5), in_shares),
    "secure_aggregation": (lambda: masked(0.2), masked),
    "top_k": (lambda: sparse(0.3), sparse),
    "sign": (signs, None),
    "quantised": (rounded, lambda: rounded(10_000_000)),
}


def one_round(server, role):
    """(key, the states before) -> the states after, what was sent and uploaded."""
    people = jnp.arange(PEOPLE)

    def turn(key, server_state, states):
        keys = jax.random.split(key, PEOPLE)
        sent = jax.vmap(server.send, (0, None, 0))(keys, server_state, people)
        states, updates, _ = jax.vmap(role.step)(keys, states, sent, honest.DATA)
        return server.receive(server_state, people, sent, updates), states

    init = jax.vmap(role.init, (0, None, 0))
    states = init(jax.random.split(KEY, PEOPLE), honest.PARAMS, honest.DATA)
    return turn, server.init(honest.PARAMS), states


@pytest.mark.parametrize("name", BUILDERS)
def test_contract_of_defended_roles(name):
    chex.clear_trace_counter()
    turn, *before = one_round(*BUILDERS[name][0]())
    jitted = jax.jit(chex.assert_max_traces(turn, n=1))
    first = jitted(KEY, *before)
    contract.assert_same_kind(first, tuple(before))
    chex.assert_trees_all_equal(jitted(KEY, *before), first)
    jitted(jax.random.key(4), *first)
    eager = turn(KEY, *before)
    chex.assert_trees_all_close(first, eager, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [n for n, (_, idle) in BUILDERS.items() if idle])
def test_idle_it_is_no_defense(name):
    server, role = BUILDERS[name][1]()
    state, _ = honest.play(server, role)
    plain, _ = honest.play(roles.averaging_server(), honest.HONEST)
    honest.assert_close(server.params(state.server), plain.server, atol=1e-5)
    strong, _ = honest.play(*BUILDERS[name][0]())
    if name != "secure_aggregation":  # It changes what is seen, not what is learned.
        apart = jax.tree.map(
            lambda a, b: jnp.abs(a - b).max(),
            BUILDERS[name][0]()[0].params(strong.server),
            plain.server,
        )
        assert max(jax.tree.leaves(apart)) > 1e-3


def test_every_defense_of_roles_is_in_the_contract():
    elsewhere = {  # Gradient functions, choices of rounds and wrappers of targets.
        "none",
        "dp_sgd",
        "early_stopping",
        "weight_decay",
        "dropout",
        "label_smoothing",
        "mixup",
        "temperature",
    }
    tested = {name.split(",")[0] for name in BUILDERS}
    assert tested == {card.name for card in cards.DEFENSES} - elsewhere
