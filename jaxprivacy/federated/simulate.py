"""Rounds of federated learning as one jittable program.

Every seat is a role. Seats with the same role form a group and are trained side by
side (parallel order, FedAvg) or one after the other by `scan`, in a fixed or a random
order (the collaborative learning of paper A).
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
    snapshots: Any  # (T, ...) what was kept of the observed participant


class Simulation(NamedTuple):
    """A run as pure functions; `rounds` may be called in chunks."""

    init: Callable[[jax.Array, types.Params], State]  # key, shared model -> state
    # (key, state, indices of the rounds (R,)) -> (state, info stacked over rounds)
    rounds: Callable[[jax.Array, State, jax.Array], tuple[State, dict]]


ORDERS = ("parallel", "round_robin", "random")


def simulate(
    server: roles.Server,
    groups: Sequence[Group],
    *,
    order: str = "parallel",
    observed_participant: int = 0,
    observed_rounds: Sequence[int] = (),
    observe: Callable[[Any, Any], Any] = roles.add,
    measure: Callable[[types.Params], dict] = lambda params: {},
) -> Simulation:
    """Builds the rounds of a federated run.

    Args:
      server: the server's role.
      groups: the seats; participants are numbered through the groups.
      order: "parallel" (all train on what the server sends at the start of the round,
        then it receives all updates), "round_robin" (each downloads, trains and uploads
        in turn) or "random" (the same, in a new order each round).
      observed_participant: of whom something is kept.
      observed_rounds: the T rounds, counted from 0, after which it is kept.
      observe: what is kept, of what was sent and uploaded: the local parameters.
      measure: what to log of the shared model after each round.

    Returns:
      The simulation. The key of a call is folded with the round's number, so a run cut
      into chunks gives the same numbers as an uncut one.

    Raises:
      ValueError: unknown order.
    """
    if order not in ORDERS:
        raise ValueError(f"order={order!r}: accepted are {', '.join(ORDERS)}")
    seats = _seats(server, groups)
    observed = jnp.asarray(observed_rounds, jnp.int32)
    watched = observed_participant if observed_rounds else None

    def init(key, params):
        states = tuple(
            jax.vmap(group.role.init, (0, None, 0))(
                _keys(jax.random.fold_in(key, i), count), params, group.data
            )
            for i, (group, count) in enumerate(zip(groups, seats.counts, strict=True))
        )
        server_state = server.init(params)
        empty = ()
        if observed_rounds:
            shapes = jax.eval_shape(
                lambda: observe(*_exchange(seats, key, server_state, states, 0, 0)[:2])
            )
            empty = jax.tree.map(
                lambda a: jnp.zeros((len(observed), *a.shape), a.dtype), shapes
            )
        return State(server_state, states, empty)

    def round_(key, state, index):
        key = jax.random.fold_in(key, index)
        one_round = _parallel if order == "parallel" else _in_turn
        shuffled = order == "random"
        state_and_seen = one_round(seats, key, state, watched, shuffled)
        server_state, states, seen, info = state_and_seen
        snapshots = jax.tree.map(
            lambda kept, new: jnp.where(_expand(observed == index, kept), new, kept),
            state.snapshots,
            () if seen is None else observe(*seen),
        )
        info = {**info, **measure(server.params(server_state))}
        return State(server_state, states, snapshots), info

    def rounds(key, state, indices):
        return lax.scan(lambda carry, i: round_(key, carry, i), state, indices)

    return Simulation(init, rounds)


class _Seats(NamedTuple):
    server: roles.Server
    groups: Sequence[Group]
    counts: list[int]  # participants of each group
    starts: list[int]  # number of each group's first participant


def _seats(server, groups):
    counts = [group.data.y.shape[0] for group in groups]
    starts = [sum(counts[:i]) for i in range(len(counts))]
    return _Seats(server, groups, counts, starts)


def _keys(key, count):
    """One key per participant; its own key does not depend on how many there are."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))


def _key_of(key, group, place):
    return jax.random.fold_in(jax.random.fold_in(key, group), place)


def _server_key(seats, key):
    return jax.random.fold_in(key, len(seats.groups))


def _expand(flags, like):
    return flags.reshape(flags.shape + (1,) * (like.ndim - 1))


def _concatenate(trees):
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *trees)


def _at(tree, index):
    """Takes one element off the first axis; an index past its end means the last."""
    return jax.tree.map(
        lambda a: lax.dynamic_index_in_dim(jnp.asarray(a), index, keepdims=False), tree
    )


def _put(tree, index, new):
    """Puts one element back where `_at` took it."""
    return jax.tree.map(
        lambda a, b: lax.dynamic_update_index_in_dim(a, b, index, 0), tree, new
    )


def _merge(infos):
    """Joins the groups' logs; what only some log keeps those groups' rows."""
    names = {name: None for info in infos for name in info}
    return {
        name: _concatenate([info[name] for info in infos if name in info])
        for name in names
    }


def _parallel(seats, key, state, watched, shuffled):
    """All participants train on what the server sends at the start of the round."""
    del shuffled  # Nobody sees an order.
    states, sents, updates, infos = [], [], [], []
    for i, group in enumerate(seats.groups):
        count = seats.counts[i]
        indices = seats.starts[i] + jnp.arange(count)
        sent = jax.vmap(seats.server.send, (0, None, 0))(
            jax.vmap(jax.random.fold_in, (None, 0))(_server_key(seats, key), indices),
            state.server,
            indices,
        )
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
    everyone = jnp.arange(sum(seats.counts))
    server_state = seats.server.receive(state.server, everyone, sent, updates)
    seen = None if watched is None else _at((sent, updates), watched)
    return server_state, tuple(states), seen, _merge(infos)


def _exchange(seats, key, server_state, states, group, place):
    """A participant downloads and trains: what it was sent, its update, state, log."""
    role, data = seats.groups[group]
    who = jnp.asarray(seats.starts[group] + place)
    sent = seats.server.send(
        jax.random.fold_in(_server_key(seats, key), who), server_state, who
    )
    new, update, info = role.step(
        _key_of(key, group, place), _at(states[group], place), sent, _at(data, place)
    )
    return sent, update, new, info


def _in_turn(seats, key, state, watched, shuffled):
    """Each participant in turn downloads, trains and uploads (paper A, Algorithm 1)."""

    def exchange(group, server_state, states, place):
        return _exchange(seats, key, server_state, states, group, place)

    shapes = [
        jax.eval_shape(lambda i=i: exchange(i, state.server, state.participants, 0))
        for i in range(len(seats.groups))
    ]
    infos = tuple(
        jax.tree.map(lambda a, n=count: jnp.zeros((n, *a.shape), a.dtype), shape[3])
        for shape, count in zip(shapes, seats.counts, strict=True)
    )
    seen = None
    if watched is not None:
        seen = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes[0][:2])

    def turn(carry, who, candidates):
        """The turn of participant `who`, of one of the candidate groups."""
        server_state, states, infos, seen = carry
        starts = jnp.array([seats.starts[i] for i in candidates])
        group = jnp.sum(who >= starts) - 1
        place = who - starts[group]
        # Of the other groups, what stands at this place is put back as it is.
        kept = tuple((_at(states[i], place), _at(infos[i], place)) for i in candidates)

        def play(position):
            sent, update, new, info = exchange(
                candidates[position], server_state, states, place
            )
            after = (*kept[:position], (new, info), *kept[position + 1 :])
            return sent, update, after

        branches = [lambda i=i: play(i) for i in range(len(candidates))]
        sent, update, after = lax.switch(group, branches)
        for i, (new, info) in zip(candidates, after, strict=True):
            states = (*states[:i], _put(states[i], place, new), *states[i + 1 :])
            infos = (*infos[:i], _put(infos[i], place, info), *infos[i + 1 :])
        if seen is not None:
            seen = jax.tree.map(
                lambda old, a: jnp.where(who == watched, a, old), seen, (sent, update)
            )
        one = jax.tree.map(lambda a: a[None], (who, sent, update))
        server_state = seats.server.receive(server_state, *one)
        return server_state, states, infos, seen

    carry = (state.server, state.participants, infos, seen)
    everyone = jnp.arange(sum(seats.counts))
    if shuffled:
        orders = [jax.random.permutation(_order_key(seats, key), everyone)]
        candidates = [tuple(range(len(seats.groups)))]
    else:  # Group after group, so that no switch is needed.
        orders = jnp.split(everyone, seats.starts[1:])
        candidates = [(i,) for i in range(len(seats.groups))]
    for order, among in zip(orders, candidates, strict=True):
        carry, _ = lax.scan(
            lambda carry, who, among=among: (turn(carry, who, among), None),
            carry,
            order,
        )
    server_state, states, infos, seen = carry
    return server_state, states, seen, _merge(infos)


def _order_key(seats, key):
    return jax.random.fold_in(key, len(seats.groups) + 1)
