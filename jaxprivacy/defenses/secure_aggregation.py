"""Secure aggregation: the server learns the sum of a round's updates, and no update.

Bonawitz et al., "Practical secure aggregation for privacy-preserving machine learning",
CCS 2017, section 4. Updates become fixed-point numbers in the ring Z / 2^32. To its own
a participant adds a mask for each participant it is paired with, which that one takes
off, and a mask of its own; all are drawn from seeds by a pseudo-random generator. In
the sum the pairs' masks cancel. Of who uploaded the server is told the seed of its own
mask, of who dropped out the seeds it shares with those who did not: of each one kind.

Guaranteed, provided that the generator's output cannot be told from random bits:
  To a server that follows the protocol, the uploads of a round are uniform numbers but
  for the sum of those that arrived, as long as the participants that do not work with
  the server are connected by pairs among those that arrived: with `neighbours` None,
  whenever at least two such are left. The sum is exact: that of the fixed-point numbers
  to the bit, whoever dropped out.

Not guaranteed:
  * Anything about what the sum itself tells. Of one participant's update and zeros it
    is that update; differential privacy is for that (`participant_dp`).
  * Anything against a server that sends participants different models, of which some
    give zero gradients (Pasquini et al., "Eluding secure aggregation in federated
    learning via model inconsistency", CCS 2022), or who lies about who dropped out.
  * The exchange of seeds. Key agreement, Shamir's shares of seeds and signatures are
    taken as given: seeds are derived from one key, and the simulated server draws no
    other masks than those whose seeds it would be told.
  * The generator: Threefry stands in for a cryptographic one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import flatten_util, lax

from jaxprivacy import checks, errors, types
from jaxprivacy.defenses import masks
from jaxprivacy.federated import roles

MOST = 2**31 - 1  # the largest number that a sum in the ring may stand for


class Agreement(NamedTuple):
    """What the participants and the server of a run agree on; of `agree`."""

    key: jax.Array  # of all seeds
    participants: int  # P
    threshold: int  # the least number of uploads that are summed up
    bound: float  # of the absolute value of each number
    scale: float  # fixed-point units in 1
    offsets: int  # i is paired with i + 1, ..., i + offsets, modulo P


class Invitation(NamedTuple):
    """What a participant is sent."""

    params: types.Params
    index: jax.Array  # () of the participant
    round: jax.Array  # ()


class Masked(NamedTuple):
    """What a participant uploads."""

    values: jax.Array  # (n,) uint32; 0 where it dropped out
    arrived: jax.Array  # () bool


class ServerState(NamedTuple):
    """State of a server behind the aggregation."""

    inner: Any
    round: jax.Array  # () int32


def agree(
    key: jax.Array,
    participants: int,
    *,
    bound: float,
    bits: int = 16,
    threshold: int | None = None,
    neighbours: int | None = None,
) -> Agreement:
    """Fixes a run's aggregation.

    Args:
      key: randomness of all masks.
      participants: P, at least 2, numbered 0 to P - 1.
      bound: each number of an update is clipped to [-bound, bound]; NaN becomes 0.
      bits: of the fixed point: numbers are rounded to multiples of 2^-bits. No sum
        leaves the ring where P * bound * 2^bits is at most 2^31 - 1.
      threshold: the least number of uploads of which the sum is told, 2 to P; None:
        more than two thirds of P, as for a server that may lie.
      neighbours: with how many others each is paired, an even number; None: all. Bell
        et al., "Secure single-server aggregation with (poly)logarithmic overhead", CCS
        2020, show that a number that grows as log P is enough where neighbours are
        drawn at random; here they are those next in number.

    Raises:
      InputError: one of them is out of its range, or a sum could leave the ring.
    """
    checks.positive_integer("participants", participants, least=2)
    checks.positive_integer("bits", bits, least=0)
    checks.positive("bound", bound)
    scale = 2.0**bits
    if participants * round(bound * scale) > MOST:
        raise errors.InputError(
            "bound",
            bound,
            f"are at most {MOST // participants / scale:g} with {participants} "
            f"participants and {bits} bits, so that no sum leaves the ring of 32 bits",
        )
    if threshold is None:
        threshold = max(2, 2 * participants // 3 + 1)
    checks.positive_integer("threshold", threshold, least=2, most=participants)
    offsets = participants // 2
    if neighbours is not None:
        checks.positive_integer("neighbours", neighbours, least=2)
        if neighbours % 2 or neighbours >= participants:
            raise errors.InputError(
                "neighbours", neighbours, f"are even numbers below {participants}"
            )
        offsets = neighbours // 2
    return Agreement(key, participants, threshold, bound, scale, offsets)


def encode(values: jax.Array, agreement: Agreement) -> jax.Array:
    """Fixed-point numbers in the ring, negative ones from its upper end: uint32."""
    bound = agreement.bound
    held = jnp.where(jnp.isnan(values), 0.0, jnp.clip(values, -bound, bound))
    most = round(agreement.bound * agreement.scale)  # float32 may round it up
    units = jnp.round(held.astype(jnp.float32) * agreement.scale).astype(jnp.int32)
    units = jnp.clip(units, -most, most)
    return lax.bitcast_convert_type(units, jnp.uint32)


def decode(values: jax.Array, agreement: Agreement) -> jax.Array:
    """The numbers that ring elements stand for: float32."""
    units = lax.bitcast_convert_type(values, jnp.int32)
    return units.astype(jnp.float32) / agreement.scale


def _add(halves, others):
    return jax.tree.map(jnp.add, halves, others)


def _subtract(halves, others):
    return jax.tree.map(jnp.subtract, halves, others)


def _own_mask(agreement, turn, index, size):
    """A participant's mask of its own in a round, of n numbers."""
    key = jax.random.fold_in(jax.random.fold_in(agreement.key, turn), 0)
    return masks.draw(jax.random.fold_in(key, index), size)


def _pair_mask(agreement, turn, index, offset, size):
    """What `index` adds and `index + offset` takes off in a round, n numbers."""
    key = jax.random.fold_in(jax.random.fold_in(agreement.key, turn), offset)
    return masks.draw(jax.random.fold_in(key, index), size)


def mask(
    agreement: Agreement, turn: jax.Array, index: jax.Array, values: jax.Array
) -> jax.Array:
    """Masks a participant's fixed-point numbers: (n,) uint32 -> (n,) uint32.

    Args:
      agreement: the run's.
      turn: number of the round.
      index: of the participant.
      values: of `encode`.

    Source: Bonawitz et al. 2017, section 4, double masking, y_u.
    """
    size = values.shape[0]

    def add(total, offset):
        before = (index - offset) % agreement.participants
        plus = _pair_mask(agreement, turn, index, offset, size)
        minus = _pair_mask(agreement, turn, before, offset, size)
        return _subtract(_add(total, plus), minus), None

    start = _add(masks.halved(values), _own_mask(agreement, turn, index, size))
    total, _ = lax.scan(add, start, jnp.arange(1, agreement.offsets + 1))
    return masks.joined(total, size)


def secure_sum(
    agreement: Agreement, turn: jax.Array, masked: jax.Array, arrived: jax.Array
) -> jax.Array:
    """The sum of the fixed-point numbers of who arrived: (n,) uint32.

    Args:
      agreement: the run's.
      turn: number of the round.
      masked: (P, n) uint32, of `mask`; of who dropped out anything.
      arrived: (P,) bool.

    Raises:
      InputError: fewer than the threshold arrived, outside `jax.jit`; under it, where
        no value can be refused, `aggregate` leaves the round out.

    Source: Bonawitz et al. 2017, section 4, double masking, z.
    """
    _check_arrived(agreement, arrived)
    size, people = masked.shape[1], jnp.arange(agreement.participants)
    heard = jnp.sum(jnp.where(arrived[:, None], masked, 0), axis=0, dtype=jnp.uint32)

    def own(total, who):
        def change():
            return _subtract(total, _own_mask(agreement, turn, who, size))

        return lax.cond(arrived[who], change, lambda: total), None

    def pair(total, who_and_offset):
        who, offset = who_and_offset
        there, other = arrived[who], arrived[(who + offset) % agreement.participants]

        def change():
            found = _pair_mask(agreement, turn, who, offset, size)
            sign = jnp.where(there, jnp.uint32(2**32 - 1), jnp.uint32(1))
            return jax.tree.map(lambda a, b: a + sign * b, total, found)

        return lax.cond(there != other, change, lambda: total), None

    def pairs(total):
        offsets = jnp.arange(1, agreement.offsets + 1)
        both = jnp.meshgrid(people, offsets, indexing="ij")
        return lax.scan(pair, total, tuple(a.reshape(-1) for a in both))[0]

    total, _ = lax.scan(own, masks.halved(heard), people)
    total = lax.cond(jnp.all(arrived), lambda total: total, pairs, total)
    return masks.joined(total, size)


def _check_arrived(agreement, arrived):
    if isinstance(arrived, jax.core.Tracer):
        return
    count = int(jnp.sum(arrived))
    if count < agreement.threshold:
        raise errors.InputError(
            "arrived",
            found=f"{count} of {agreement.participants} participants",
            accepted=f"are at least {agreement.threshold}, the threshold",
        )


def masked_participant(
    participant: roles.Participant, agreement: Agreement, *, drop_rate: float = 0.0
) -> roles.Participant:
    """A participant that uploads its update masked.

    Args:
      participant: who trains; it receives and uploads all parameters.
      agreement: the run's.
      drop_rate: the probability that it drops out between the agreement on masks and
        its upload, in [0, 1).

    Raises:
      InputError: `drop_rate` is out of its range.
    """
    if not 0 <= drop_rate < 1:
        raise errors.InputError("drop_rate", drop_rate, "are 0 to below 1")

    def step(key, state, received, data):
        state, update, info = participant.step(key, state, received.params, data)
        flat, _ = flatten_util.ravel_pytree(update)
        within = jnp.abs(flat) <= agreement.bound
        values = mask(
            agreement, received.round, received.index, encode(flat, agreement)
        )
        draw = jax.random.uniform(jax.random.fold_in(key, 1))
        arrived = draw >= drop_rate
        sent = Masked(jnp.where(arrived, values, 0), arrived)
        return state, sent, {**info, "clipped": 1 - jnp.mean(within)}

    return participant._replace(step=step)


def secure_aggregation(server: roles.Server, agreement: Agreement) -> roles.Server:
    """A server that is given the mean update of a round and nothing else.

    It hears of one participant that is none of them, number P, whose update is the mean
    of those that arrived. A round in which fewer than the threshold arrive is left out.
    See the module for what is guaranteed.

    Args:
      server: what is done with the mean; it sends and receives all parameters.
      agreement: of the run; its participants are all wrapped by `masked_participant`.

    Raises:
      InputError: not all participants upload at once: order="parallel" is needed.
    """

    def init(params):
        return ServerState(server.init(params), jnp.zeros((), jnp.int32))

    def send(key, state, index):
        params = server.send(key, state.inner, index)
        return Invitation(params, jnp.asarray(index, jnp.int32), state.round)

    def receive(state, indices, sent, updates):
        roles.check_all_at_once(indices, agreement.participants)
        arrived = updates.arrived
        count = jnp.sum(arrived)
        total = lax.cond(  # Without the threshold no seed is told.
            count >= agreement.threshold,
            lambda *seen: secure_sum(agreement, *seen),
            lambda *seen: jnp.zeros(seen[1].shape[1], jnp.uint32),
            *(state.round, updates.values, arrived),
        )
        mean = decode(total, agreement) / jnp.maximum(count, 1)
        _, unravel = flatten_util.ravel_pytree(server.params(state.inner))
        heard = roles.as_one(
            agreement.participants, sent.params, unravel(mean), arrived
        )
        new = server.receive(state.inner, *heard)
        enough = count >= agreement.threshold
        inner = jax.tree.map(lambda a, b: jnp.where(enough, a, b), new, state.inner)
        return ServerState(inner, state.round + 1)

    return roles.Server(
        init, send, receive, params=lambda state: server.params(state.inner)
    )
