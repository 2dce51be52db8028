"""Distributed selective SGD: the parameter server of paper A (PAPERS rows A1 to A4).

Shokri and Shmatikov, "Privacy-Preserving Deep Learning", CCS 2015, sections 5 and 6;
Hitaj, Ateniese, Perez-Cruz, CCS 2017, Algorithm 1. Every participant keeps a replica
of the model. In its turn it replaces a fraction of the replica by the server's
parameters, trains, and uploads a fraction of what changed. With all fractions 1 and no
bound this is sequential SGD over the participants' records.

The exchange is a wrapper: what is trained between download and upload is any role, an
honest one or the GAN attack, which therefore sees the replica ("replica of local fresh
model as D", Algorithm 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import flatten_util

from jaxprivacy import types
from jaxprivacy.federated import roles, selection, sparse_vector

Fraction = float | jax.Array


class Selected(NamedTuple):
    """Some parameters of a model: what is sent in either direction."""

    values: types.Params  # 0 where an update is not uploaded
    mask: types.Params  # True where sent


# (key, update) -> what is uploaded of it, and what there is to log of that: `cosine`
# and, with a bound, `clipped`, each ()
Upload = Callable[[jax.Array, types.Params], tuple[Selected, dict]]


class ServerState(NamedTuple):
    """State of the parameter server."""

    params: types.Params
    counters: jax.Array  # (n,) int32: how often each parameter was uploaded


class ParticipantState(NamedTuple):
    """State of a participant between two rounds."""

    inner: Any  # of the role that trains
    replica: types.Params  # its local parameters


def everything(tree: types.Params) -> types.Params:
    """Marks every parameter."""
    return jax.tree.map(lambda a: jnp.ones(a.shape, bool), tree)


def _is_all(fraction: Fraction) -> bool:
    """Whether it is known, when the program is built, that nothing is left out."""
    return isinstance(fraction, int | float) and fraction >= 1


def _check(name: str, fraction: Fraction) -> None:
    if isinstance(fraction, int | float) and not 0 < fraction <= 1:
        raise ValueError(f"{name}={fraction}: accepted are fractions in (0, 1]")


def most_updated(key: jax.Array, counters: jax.Array, count) -> jax.Array:
    """Marks the `count` parameters with the largest update counters (row A2).

    Ties, which the paper leaves open, are broken at random: with a fixed order the
    first layers would always be preferred.

    Args:
      key: breaks ties.
      counters: (n,) int32, exact up to 2^23 uploads of a parameter.
      count: how many.

    Returns:
      (n,) bool.
    """
    # A random part below 1/2, which no rounding to float32 lifts to the next number:
    # the part is what is left of the 24 bits.
    ties = jax.random.uniform(key, counters.shape, maxval=0.5)
    return selection.largest(counters + ties, count)


def parameter_server(download_fraction: Fraction = 1.0) -> roles.Server:
    """The server: adds uploads up, counts them, and sends the most updated parameters.

    Args:
      download_fraction: theta_d, the share of the parameters a participant downloads.
    """
    _check("download_fraction", download_fraction)

    def init(params):
        size = sum(a.size for a in jax.tree.leaves(params))
        return ServerState(params, jnp.zeros(size, jnp.int32))

    def send(key, state, index):
        del index
        if _is_all(download_fraction):
            return Selected(state.params, everything(state.params))
        count = selection.count_of(download_fraction, state.counters.size)
        mask = most_updated(key, state.counters, count)
        return Selected(state.params, _unravel_mask(state.params, mask))

    def receive(state, indices, sent, updates):
        del indices, sent
        params = jax.tree.map(
            lambda w, u: w + u.sum(axis=0), state.params, updates.values
        )
        counts = jax.tree.map(
            lambda m: m.sum(axis=0, dtype=jnp.int32).reshape(-1), updates.mask
        )
        counts = jnp.concatenate(jax.tree.leaves(counts))
        return ServerState(params, state.counters + counts)

    return roles.Server(init, send, receive, params=lambda state: state.params)


def _unravel_mask(tree, mask):
    """Cuts (n,) flags into the shapes of a tree, in the order of `ravel_pytree`."""
    leaves, structure = jax.tree.flatten(tree)
    ends = [0]
    for leaf in leaves:
        ends.append(ends[-1] + leaf.size)
    parts = [
        mask[start:end].reshape(leaf.shape)
        for leaf, start, end in zip(leaves, ends[:-1], ends[1:], strict=True)
    ]
    return jax.tree.unflatten(structure, parts)


def participant(trainer: roles.Participant, upload: Upload) -> roles.Participant:
    """A participant that keeps a replica and exchanges parts of it.

    Args:
      trainer: the role that trains from the replica: honest, or an attack.
      upload: what of its update leaves the participant, and what is logged of it
        beside the trainer's own.
    """

    def init(key, params, data):
        return ParticipantState(trainer.init(key, params, data), params)

    def step(key, state, received, data):
        key_train, key_upload = jax.random.split(key)
        replica = jax.tree.map(
            lambda mask, new, old: jnp.where(mask, new, old),
            received.mask,
            received.values,
            state.replica,
        )
        inner, update, info = trainer.step(key_train, state.inner, replica, data)
        state = ParticipantState(inner, roles.add(replica, update))
        sent, told = upload(key_upload, update)
        return state, sent, {**info, **told}

    return roles.Participant(init, step)


def bound(update: jax.Array, gamma: float | jax.Array) -> jax.Array:
    """Clips every number to [-gamma, gamma]."""
    return jnp.clip(update, -gamma, gamma)


def _told(update, values, gamma):
    """What is logged of an upload: how much of the update (n,) is left in it.

    Returns:
      `cosine`: between the update and what was uploaded, 0 where that is nothing;
      `clipped`: the share of its numbers beyond gamma, where there is one.
    """
    if values is update:  # Known when the program is built.
        return {"cosine": jnp.ones(())}
    told = {"cosine": optax.cosine_similarity(update, values, epsilon=1e-30)}
    if gamma is not None:
        told["clipped"] = jnp.mean(jnp.abs(update) > gamma)
    return told


def _flat(
    select: Callable[[jax.Array, jax.Array], tuple],
    gamma: float | jax.Array | None,
) -> Upload:
    """Lifts (key, update (n,)) -> values (n,), mask (n,) to trees, and logs."""

    def upload(key, update):
        flat, unravel = flatten_util.ravel_pytree(update)
        values, mask = select(key, flat)
        sent = Selected(unravel(values), _unravel_mask(update, mask))
        return sent, _told(flat, values, gamma)

    return upload


def upload_largest(fraction: Fraction = 1.0, gamma: float | None = None) -> Upload:
    """Uploads the theta_u n numbers that changed most, clipped (row A3).

    Args:
      fraction: theta_u.
      gamma: bound of each number; None: none.
    """
    _check("upload_fraction", fraction)

    def select(key, update):
        del key
        sent = update if gamma is None else bound(update, gamma)
        if _is_all(fraction):
            return sent, jnp.ones(update.shape, bool)
        count = selection.count_of(fraction, update.size)
        mask = selection.largest(jnp.abs(update), count)
        return jnp.where(mask, sent, 0.0), mask

    return _flat(select, gamma)


def upload_random(
    fraction: Fraction, threshold: float | jax.Array, gamma: float | None = None
) -> Upload:
    """Uploads up to theta_u n numbers at random of those above a threshold (row A3).

    Args:
      fraction: theta_u.
      threshold: tau; a number takes part if its clipped absolute value is at least tau.
      gamma: bound of each number; None: none.
    """
    _check("upload_fraction", fraction)

    def select(key, update):
        sent = update if gamma is None else bound(update, gamma)
        above = jnp.abs(sent) >= threshold
        count = selection.count_of(fraction, update.size)
        draws = jax.random.uniform(key, update.shape, minval=0.5)
        mask = selection.largest(jnp.where(above, draws, 0.0), count) & above
        return jnp.where(mask, sent, 0.0), mask

    return _flat(select, gamma)


def upload_sparse_vector(
    fraction: Fraction,
    threshold: float | jax.Array,
    gamma: float | jax.Array,
    epsilon_per_parameter: float | jax.Array,
    clip_first: bool = True,
) -> Upload:
    """Uploads by the sparse-vector technique (row A4, A-SVT).

    An upload is epsilon-differentially private where the update is clipped first, and
    only there; see `sparse_vector.release` for the algorithm and what it guarantees.

    Args:
      fraction: theta_u; at most c = theta_u n numbers are uploaded.
      threshold: tau.
      gamma: bound of each number.
      epsilon_per_parameter: epsilon / c; an upload spends epsilon.
      clip_first: clip the update to [-gamma, gamma] before the noise, a deviation
        from the source without which nothing is guaranteed: of a number beyond gamma
        the source noises the whole, so that its sensitivity has no bound.
    """
    _check("upload_fraction", fraction)

    def select(key, update):
        count = selection.count_of(fraction, update.size)
        return sparse_vector.release(
            key,
            bound(update, gamma) if clip_first else update,
            epsilon=epsilon_per_parameter * count,
            count=count,
            threshold=threshold,
            bound=gamma,
        )

    return _flat(select, gamma)
