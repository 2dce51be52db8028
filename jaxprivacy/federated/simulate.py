"""Rounds of federated learning as one jittable program.

Every seat is a role. Seats with the same role form a group and are trained side by
side (parallel order, FedAvg) or one after the other by `scan` (round-robin order, the
collaborative learning of paper A).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxprivacy import types
from jaxprivacy.federated import roles
from jaxprivacy.training import local as local_lib


class Group(NamedTuple):
    """Participants with the same role."""

    role: roles.Participant
    data: types.Batch  # (P_g, N, ...) stacked over the group's participants


class State(NamedTuple):
    """The state of a run between two rounds."""

    server: Any
    participants: tuple[Any, ...]  # per group, stacked over its participants
    snapshots: types.Params  # (T, ...) local parameters of the observed participant


class Simulation(NamedTuple):
    """A run as pure functions; `rounds` may be called in chunks."""

    init: Callable[[jax.Array, types.Params], State]  # key, shared model -> state
    # (key, state, indices of the rounds (R,)) -> (state, info stacked over rounds)
    rounds: Callable[[jax.Array, State, jax.Array], tuple[State, dict]]


def simulate(
    server: roles.Server,
    groups: Sequence[Group],
    *,
    order: str = "parallel",
    observed_participant: int = 0,
    observed_rounds: Sequence[int] = (),
    measure: Callable[[types.Params], dict] = lambda params: {},
) -> Simulation:
    """Builds the rounds of a federated run.

    Args:
      server: the server's role.
      groups: the seats; participants are numbered through the groups.
      order: "parallel" (all train on the same shared model, then the server receives
        all updates) or "round_robin" (each downloads, trains and uploads in turn).
      observed_participant: whose local parameters are kept.
      observed_rounds: the T rounds, counted from 0, after which they are kept.
      measure: what to log of the shared model after each round.

    Returns:
      The simulation. The key of a call is folded with the round's number, so a run cut
      into chunks gives the same numbers as an uncut one.

    Raises:
      ValueError: unknown order.
    """
    if order not in ("parallel", "round_robin"):
        raise ValueError(f"order={order!r}: accepted are parallel, round_robin")
    counts = [group.data.y.shape[0] for group in groups]
    starts = [sum(counts[:i]) for i in range(len(counts))]
    one_round = {"parallel": _parallel, "round_robin": _round_robin}[order]
    observed = jnp.asarray(observed_rounds, jnp.int32)

    def init(key, params):
        states = tuple(
            jax.vmap(group.role.init, (0, None, 0))(
                _keys(jax.random.fold_in(key, i), counts[i]), params, group.data
            )
            for i, group in enumerate(groups)
        )
        empty = jax.tree.map(
            lambda a: jnp.zeros((len(observed), *a.shape), a.dtype), params
        )
        return State(server.init(params), states, empty)

    def round_(key, state, index):
        server_state, states, sent, updates, info = one_round(
            jax.random.fold_in(key, index), server, groups, starts, state
        )
        local = jax.tree.map(
            lambda a, b: a[observed_participant] + b[observed_participant],
            sent,
            updates,
        )
        snapshots = jax.tree.map(
            lambda kept, new: jnp.where(_expand(observed == index, kept), new, kept),
            state.snapshots,
            local,
        )
        info = {**info, **measure(server.params(server_state))}
        return State(server_state, states, snapshots), info

    def rounds(key, state, indices):
        return lax.scan(lambda carry, i: round_(key, carry, i), state, indices)

    return Simulation(init, rounds)


def _keys(key, count):
    """One key per participant; its own key does not depend on how many there are."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))


def _expand(flags, like):
    return flags.reshape(flags.shape + (1,) * (like.ndim - 1))


def _concatenate(trees):
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *trees)


def _merge(infos):
    """Joins the groups' logs; what only some log keeps those groups' rows."""
    names = {name: None for info in infos for name in info}
    return {
        name: _concatenate([info[name] for info in infos if name in info])
        for name in names
    }


def _parallel(key, server, groups, starts, state):
    """All participants train on what the server sends at the start of the round."""
    states, sents, updates, infos = [], [], [], []
    for i, group in enumerate(groups):
        count = group.data.y.shape[0]
        indices = starts[i] + jnp.arange(count)
        sent = jax.vmap(server.send, (None, 0), axis_size=count)(state.server, indices)
        new, update, info = local_lib.side_by_side(
            group.role.step,
            _keys(jax.random.fold_in(key, i), count),
            state.participants[i],
            sent,
            group.data,
        )
        states.append(new)
        sents.append(sent)
        updates.append(update)
        infos.append(info)
    sent, updates = _concatenate(sents), _concatenate(updates)
    everyone = jnp.arange(sum(group.data.y.shape[0] for group in groups))
    server_state = server.receive(state.server, everyone, sent, updates)
    return server_state, tuple(states), sent, updates, _merge(infos)


def _round_robin(key, server, groups, starts, state):
    """Each participant in turn downloads, trains and uploads (paper A, Algorithm 1)."""
    server_state = state.server
    states, sents, updates, infos = [], [], [], []
    for i, group in enumerate(groups):
        count = group.data.y.shape[0]

        def turn(server_state, inputs, role=group.role):
            index, key, participant_state, data = inputs
            sent = server.send(server_state, index)
            new, update, info = role.step(key, participant_state, sent, data)
            one = jax.tree.map(lambda a: a[None], (index, sent, update))
            return server.receive(server_state, *one), (new, sent, update, info)

        server_state, (new, sent, update, info) = lax.scan(
            turn,
            server_state,
            (
                starts[i] + jnp.arange(count),
                _keys(jax.random.fold_in(key, i), count),
                state.participants[i],
                group.data,
            ),
        )
        states.append(new)
        sents.append(sent)
        updates.append(update)
        infos.append(info)
    return (
        server_state,
        tuple(states),
        _concatenate(sents),
        _concatenate(updates),
        _merge(infos),
    )
