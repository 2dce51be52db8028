"""Made-up rounds: participants whose updates are known, in place of a training."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import types
from jaxprivacy.federated import roles, simulate
from tests import arrays

PEOPLE = 5
PARAMS = {"w": arrays.normal(1, 3), "b": arrays.normal(2, 2, 2)}
DATA = types.Batch(
    arrays.normal(4, PEOPLE, 2, 3),
    np.zeros((PEOPLE, 2), np.int32),
    np.ones((PEOPLE, 2), np.float32),
)


def _step(key, state, received, data):
    del key
    update = {"w": data.x[0] - received["w"], "b": data.x[1, :2] * received["b"]}
    return state + 1, update, {"loss": data.x[0, 0]}


HONEST = roles.Participant(lambda key, params, data: jnp.zeros(()), _step)


def play(server, role, rounds=2, **options):
    """The state after some rounds, and their logs."""
    simulation = simulate.simulate(server, [simulate.Group(role, DATA)], **options)

    @jax.jit
    def run(key):
        state = simulation.init(key, PARAMS)
        return simulation.rounds(key, state, jnp.arange(rounds))

    return run(jax.random.key(8))


def assert_close(tree, other, atol=1e-6):
    for a, b in zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)
