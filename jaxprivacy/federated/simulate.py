"""Rounds of federated learning as one jittable program.

Every seat is a role. Seats with the same role form a group and are trained side by
side (parallel order, FedAvg) or one after the other by `scan`, in a fixed, a random or
an asynchronous order (the collaborative learning of paper A).
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
    snapshots: Any  # (T, ...) what was kept of whom is observed
    downloads: Any = ()  # (P, ...) in asynchronous order: what each trains on


class Simulation(NamedTuple):
    """A run as pure functions; `rounds` may be called in chunks."""

    init: Callable[[jax.Array, types.Params], State]  # key, shared model -> state
    # (key, state, indices of the rounds (R,)) -> (state, info stacked over rounds)
    rounds: Callable[[jax.Array, State, jax.Array], tuple[State, dict]]


ORDERS = ("parallel", "round_robin", "random", "asynchronous")
EVERYONE = -1  # in place of one participant that is observed


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
        in turn), "random" (the same, in a new order each round) or "asynchronous" (all
        train at once; uploads come in one by one, in a new order each round, and who
        has uploaded downloads anew at once, so that its parameters are as old as that).
      observed_participant: of whom something is kept; `EVERYONE`: of all, and `observe`
        is then given what all P were sent and uploaded, (P, ...) each.
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
    watched = _Watched(
        observed_participant if observed_rounds else None,
        jnp.asarray(observed_rounds, jnp.int32),
        observe,
    )

    def init(key, params):
        return _init(seats, watched, order, key, params)

    def rounds(key, state, indices):
        def one(state, index):
            key_round = jax.random.fold_in(key, index)
            return _round(seats, watched, order, measure, key_round, state, index)

        return lax.scan(one, state, indices)

    return Simulation(init, rounds)


class _Watched(NamedTuple):
    """Of whom something is kept, after which rounds, and what."""

    participant: int | None  # None: of nobody; or EVERYONE
    rounds: jax.Array  # (T,)
    observe: Callable[[Any, Any], Any]


def _all(watched: Any) -> bool:
    """Whether all are watched; which one is may be traced."""
    return isinstance(watched, int) and watched == EVERYONE


class _Seats(NamedTuple):
    server: roles.Server
    groups: Sequence[Group]
    counts: list[int]  # participants of each group
    starts: list[int]  # number of each group's first participant


def _seats(server, groups):
    counts = [group.data.y.shape[0] for group in groups]
    starts = [sum(counts[:i]) for i in range(len(counts))]
    return _Seats(server, groups, counts, starts)


def _init(seats, watched, order, key, params):
    groups = zip(seats.groups, seats.counts, strict=True)
    states = tuple(
        jax.vmap(group.role.init, (0, None, 0))(
            _keys(jax.random.fold_in(key, i), count), params, group.data
        )
        for i, (group, count) in enumerate(groups)
    )
    state = State(seats.server.init(params), states, ())
    if watched.participant is not None:
        state = state._replace(snapshots=_no_snapshots(seats, watched, key, state))
    if order == "asynchronous":
        state = state._replace(downloads=_send_to_all(seats, key, state.server))
    return state


def _no_snapshots(seats, watched, key, state):
    """Zeros in place of what will be kept, (T, ...)."""

    def seen():
        return watched.observe(*_empty(seats, key, state, watched.participant)[1])

    return jax.tree.map(
        lambda a: jnp.zeros((len(watched.rounds), *a.shape), a.dtype),
        jax.eval_shape(seen),
    )


def _round(seats, watched, order, measure, key, state, index):
    """Plays a round, keeps what is watched of it and measures the shared model."""
    one_round = _parallel if order == "parallel" else _in_turn
    state, seen, info = one_round(seats, key, state, watched.participant, order)
    now = watched.rounds == index
    snapshots = jax.tree.map(
        lambda kept, new: jnp.where(_expand(now, kept), new, kept),
        state.snapshots,
        () if seen is None else watched.observe(*seen),
    )
    info = {**info, **measure(seats.server.params(state.server))}
    return state._replace(snapshots=snapshots), info


def _keys(key, count):
    """One key per participant; its own key does not depend on how many there are."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(count))


def _key_of(key, group, place):
    return jax.random.fold_in(jax.random.fold_in(key, group), place)


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


def _send(seats, key, server_state, who):
    """What participant `who` downloads."""
    key = jax.random.fold_in(jax.random.fold_in(key, len(seats.groups)), who)
    return seats.server.send(key, server_state, jnp.asarray(who))


def _send_to_all(seats, key, server_state):
    """What all P participants download from one state of the server, (P, ...)."""
    send = jax.vmap(lambda who: _send(seats, key, server_state, who))
    return send(jnp.arange(sum(seats.counts)))


def _train(seats, key, sent, states, group, place):
    """A participant trains on what it was sent: its state, update and log."""
    role, data = seats.groups[group]
    return role.step(
        _key_of(key, group, place), _at(states[group], place), sent, _at(data, place)
    )


def _parallel(seats, key, state, watched, order):
    """All participants train on what the server sends at the start of the round."""
    del order  # Nobody sees one.
    states, updates, infos = [], [], []
    sent = _send_to_all(seats, key, state.server)
    for i, group in enumerate(seats.groups):
        count, start = seats.counts[i], seats.starts[i]
        new, update, info = local_lib.side_by_side(
            group.role.step,
            _keys(jax.random.fold_in(key, i), count),
            state.participants[i],
            jax.tree.map(lambda a, i=start, n=count: a[i : i + n], sent),
            group.data,
        )
        states.append(new)
        updates.append(update)
        infos.append(info)
    updates = _concatenate(updates)
    everyone = jnp.arange(sum(seats.counts))
    server_state = seats.server.receive(state.server, everyone, sent, updates)
    seen = None
    if watched is not None:
        seen = (sent, updates)
        seen = seen if _all(watched) else _at(seen, watched)
    state = state._replace(server=server_state, participants=tuple(states))
    return state, seen, _merge(infos)


def _empty(seats, key, state, watched):
    """The groups' logs before any turn, and what is seen of whom is watched: zeros."""

    def first(group):
        sent = _send(seats, key, state.server, 0)
        _, update, info = _train(seats, key, sent, state.participants, group, 0)
        return (sent, update), info

    shapes = [jax.eval_shape(lambda i=i: first(i)) for i in range(len(seats.groups))]
    infos = tuple(
        jax.tree.map(lambda a, n=count: jnp.zeros((n, *a.shape), a.dtype), info)
        for (_, info), count in zip(shapes, seats.counts, strict=True)
    )
    seen = None
    if watched is not None:
        everyone = (sum(seats.counts),) if _all(watched) else ()
        seen = jax.tree.map(
            lambda a: jnp.zeros((*everyone, *a.shape), a.dtype), shapes[0][0]
        )
    return infos, seen


def _in_turn(seats, key, state, watched, order):
    """Each participant in turn trains and uploads (paper A, Algorithm 1).

    It downloads just before it trains or, in asynchronous order, just after it has
    uploaded, for its next turn.
    """
    stale = order == "asynchronous"

    def turn(carry, who, candidates):
        """The turn of participant `who`, of one of the candidate groups."""
        server_state, states, downloads, infos, seen = carry
        if stale:
            sent = _at(downloads, who)
        else:
            sent = _send(seats, key, server_state, who)
        starts = jnp.array([seats.starts[i] for i in candidates])
        group = jnp.sum(who >= starts) - 1
        place = who - starts[group]
        # Of the other groups, what stands at this place is put back as it is.
        kept = tuple((_at(states[i], place), _at(infos[i], place)) for i in candidates)

        def play(position):
            group = candidates[position]
            new, update, info = _train(seats, key, sent, states, group, place)
            return update, (*kept[:position], (new, info), *kept[position + 1 :])

        branches = [lambda i=i: play(i) for i in range(len(candidates))]
        update, after = lax.switch(group, branches)
        for i, (new, info) in zip(candidates, after, strict=True):
            states = (*states[:i], _put(states[i], place, new), *states[i + 1 :])
            infos = (*infos[:i], _put(infos[i], place, info), *infos[i + 1 :])
        if _all(watched):
            seen = _put(seen, who, (sent, update))
        elif seen is not None:
            seen = jax.tree.map(
                lambda old, a: jnp.where(who == watched, a, old), seen, (sent, update)
            )
        one = jax.tree.map(lambda a: a[None], (who, sent, update))
        server_state = seats.server.receive(server_state, *one)
        if stale:
            downloads = _put(downloads, who, _send(seats, key, server_state, who))
        return server_state, states, downloads, infos, seen

    carry = (*state[:2], state.downloads, *_empty(seats, key, state, watched))
    for people, among in _turns(seats, key, order):
        carry, _ = lax.scan(
            lambda c, who, among=among: (turn(c, who, among), None), carry, people
        )
    server, states, downloads, infos, seen = carry
    return State(server, states, state.snapshots, downloads), seen, _merge(infos)


def _turns(seats, key, order):
    """Who takes turns one after the other, and of which groups these are."""
    everyone, groups = jnp.arange(sum(seats.counts)), range(len(seats.groups))
    if order == "round_robin":  # Group after group, so that no switch is needed.
        people = jnp.split(everyone, seats.starts[1:])
        return [(some, (i,)) for some, i in zip(people, groups, strict=True)]
    key = jax.random.fold_in(key, len(groups) + 1)
    return [(jax.random.permutation(key, everyone), tuple(groups))]
