"""The roles of federated learning, and the honest ones.

An attack is a function from role to role, as an optax transformation wraps an
optimizer (see `jaxprivacy.attacks`); the protocol does not know that it is attacked.
Conventions: `update = local - received`; what a participant uploads is its update, so
whoever knows what was sent knows the local parameters too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxprivacy import errors, types
from jaxprivacy.training import local


class Participant(NamedTuple):
    """What a seat does with what it receives."""

    # (key, params, data) -> state
    init: Callable[[jax.Array, types.Params, types.Batch], Any]
    # (key, state, received, data) -> (state, update, info)
    step: Callable[
        [jax.Array, Any, types.Params, types.Batch], tuple[Any, types.Params, dict]
    ]


class Server(NamedTuple):
    """What the server sends, and what it does with what it gets."""

    init: Callable[[types.Params], Any]  # params -> state
    # (key, state, index of the participant, ()) -> what it is sent: params
    send: Callable[[jax.Array, Any, jax.Array], types.Params]
    # (state, indices (Q,), sent (Q, ...), updates (Q, ...)) -> state
    receive: Callable[[Any, jax.Array, types.Params, types.Params], Any]
    params: Callable[[Any], types.Params]  # state -> the shared model


def add(params: types.Params, update: types.Params) -> types.Params:
    """Returns `params + update`: the local parameters, where params were received."""
    return jax.tree.map(jnp.add, params, update)


def subtract(params: types.Params, received: types.Params) -> types.Params:
    """Returns `params - received`: the update, where params are the local ones."""
    return jax.tree.map(jnp.subtract, params, received)


def honest_participant(
    train: local.Train, optimizer: optax.GradientTransformation
) -> Participant:
    """A participant that trains on its records and uploads its update.

    Its state is the optimizer's, so momentum lives on from round to round, as in paper
    B's authors' federated script (PAPERS row B16).
    """

    def init(key, params, data):
        del key, data
        return optimizer.init(params)

    def step(key, state, received, data):
        params, state, loss = train(key, received, state, data)
        return state, subtract(params, received), {"loss": loss}

    return Participant(init, step)


def decaying(participant: Participant, factor: float) -> Participant:
    """A participant whose learning rate shrinks by a factor after each round.

    Args:
      participant: its state holds a `learning_rate`, as that of an optimizer of
        `optax.inject_hyperparams` does.
      factor: in (0, 1].
    """

    def step(key, state, received, data):
        state, update, info = participant.step(key, state, received, data)
        rate = optax.tree.get(state, "learning_rate")
        return optax.tree.set(state, learning_rate=factor * rate), update, info

    return participant._replace(step=step)


def averaging_server() -> Server:
    """The server of FedAvg with equal weights (McMahan et al. 2017; PAPERS row B16).

    The new shared model is the mean of the local models that came in. With one
    participant at a time, as in round-robin order, it is that participant's model: the
    parameter server of paper A with all fractions 1.
    """

    def init(params):
        return params

    def send(key, state, index):
        del key, index
        return state

    def receive(state, indices, sent, updates):
        del state, indices
        return jax.tree.map(lambda a: jnp.mean(a, axis=0), add(sent, updates))

    return Server(init, send, receive, params=lambda state: state)


def as_one(
    number: int, sent: types.Params, update: types.Params, counted: jax.Array
) -> tuple[jax.Array, types.Params, types.Params]:
    """What a server receives that is told of all participants no more than one update.

    Args:
      number: of a participant that stands for all and is none of them.
      sent: (Q, ...) what each was sent.
      update: that of all, as their mean.
      counted: (Q,) bool, of whom the update is; of what these were sent, the mean is
        what all were sent.

    Returns:
      Index (1,), sent (1, ...) and update (1, ...).
    """

    def mean(a):
        flags = counted.reshape(counted.shape + (1,) * (a.ndim - 1))
        # As a difference, so that the mean of equal models is that model to the bit.
        apart = jnp.where(flags, a - a[:1], 0).sum(axis=0)
        return a[:1] + apart / jnp.maximum(counted.sum(), 1)

    stacked = jax.tree.map(lambda a: a[None], update)
    return jnp.full(1, number), jax.tree.map(mean, sent), stacked


def check_all_at_once(indices: jax.Array, participants: int) -> None:
    """Refuses updates (Q, ...) that are not those of all participants together.

    Raises:
      InputError: Q is not the number of participants.
    """
    if indices.shape[0] != participants:
        raise errors.InputError(
            "updates",
            found=f"are of {indices.shape[0]} participants",
            accepted=f"are those of all {participants} at once, as in `order`=parallel",
        )
