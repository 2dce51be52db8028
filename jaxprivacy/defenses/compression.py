"""Compression of updates: less leaves a participant, in numbers or in bits.

Wrappers of a participant by a compressor, (key, update (n,)) -> (n,), of all of its
parameters together. What is sent stays an array of all n numbers, so that any server
takes it; how few bits would do is said by each compressor.

Guaranteed:
  No privacy: a record's trace in an update is made smaller or coarser, by no more than
  can be measured by attacks. `error_feedback` loses nothing of an update for good: all
  that was held back so far is what was trained minus what was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import flatten_util

from jaxprivacy import checks
from jaxprivacy.federated import roles, selection

Compress = Callable[[jax.Array, jax.Array], jax.Array]


class ParticipantState(NamedTuple):
    """State of a participant that keeps what it has not sent."""

    inner: Any
    residual: jax.Array  # (n,)


def top_k(fraction: float) -> Compress:
    """Sends the share of the numbers that are largest, and 0 for the others.

    With error feedback it converges as plain training does; without, it need not. Each
    number sent takes its own 32 bits and its place.

    Args:
      fraction: of the n numbers, in (0, 1]; 1 changes nothing.

    Raises:
      InputError: `fraction` is out of its range.

    Source: Stich, Cordonnier and Jaggi, "Sparsified SGD with memory", NeurIPS 2018,
    section 2.
    """
    checks.fraction("fraction", fraction)

    def compress(key, update):
        del key
        if fraction == 1:
            return update
        count = selection.count_of(fraction, update.size)
        return jnp.where(selection.largest(jnp.abs(update), count), update, 0)

    return compress


def scaled_sign() -> Compress:
    """Sends each number's sign, times the mean absolute value of all: a bit a number.

    Source: Karimireddy et al., "Error feedback fixes SignSGD and other gradient
    compression schemes", ICML 2019, Algorithm 1, which corrects the sign without scale
    and memory of Bernstein et al., "signSGD", ICML 2018.
    """

    def compress(key, update):
        del key
        return jnp.mean(jnp.abs(update)) * jnp.sign(update)

    return compress


def quantised(levels: int) -> Compress:
    """Rounds each number at random to multiples of the norm over `levels`.

    Up or down, so that its mean over the randomness is the number: it needs no error
    feedback. A number takes about log2(2 levels + 1) bits before any coding.

    Args:
      levels: s, at least 1; the L2 norm of all numbers is level s.

    Raises:
      InputError: `levels` is no integer of at least 1.

    Source: Alistarh et al., "QSGD", NeurIPS 2017, section 3.1.
    """
    checks.positive_integer("levels", levels)

    def compress(key, update):
        norm = jnp.sqrt(jnp.sum(update**2))
        unit = jnp.where(norm > 0, norm, 1) / levels
        place = jnp.abs(update) / unit
        low = jnp.floor(place)
        up = jax.random.uniform(key, update.shape) < place - low
        return jnp.sign(update) * unit * (low + up)

    return compress


def compressed(participant: roles.Participant, compress: Compress) -> roles.Participant:
    """A participant that uploads its update compressed, and forgets the rest.

    Args:
      participant: who trains; it receives and uploads all parameters.
      compress: what of the update leaves it.
    """

    def step(key, state, received, data):
        state, update, info = participant.step(key, state, received, data)
        flat, unravel = flatten_util.ravel_pytree(update)
        return state, unravel(compress(jax.random.fold_in(key, 1), flat)), info

    return participant._replace(step=step)


def error_feedback(
    participant: roles.Participant, compress: Compress
) -> roles.Participant:
    """A participant that adds what it held back before to what it compresses next.

    Args:
      participant: who trains; it receives and uploads all parameters.
      compress: what of update and residual leaves it; the rest is the new residual.

    Source: Stich et al. 2018, Algorithm 1; Karimireddy et al. 2019, Algorithm 2.
    """

    def init(key, params, data):
        flat, _ = flatten_util.ravel_pytree(params)
        return ParticipantState(
            participant.init(key, params, data), jnp.zeros_like(flat)
        )

    def step(key, state, received, data):
        inner, update, info = participant.step(key, state.inner, received, data)
        flat, unravel = flatten_util.ravel_pytree(update)
        wanted = flat + state.residual
        sent = compress(jax.random.fold_in(key, 1), wanted)
        return ParticipantState(inner, wanted - sent), unravel(sent), info

    return roles.Participant(init, step)
