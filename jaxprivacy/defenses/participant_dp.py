"""DP-FedAvg: what a whole participant contributes is bounded and hidden by noise.

McMahan et al., "Learning differentially private recurrent language models", ICLR 2018,
Algorithm 1 (flat clipping, the estimator with a fixed denominator).

Guaranteed by `participant_dp`, to whoever sees all shared models but not the uploads:
  Each round is a Poisson-subsampled Gaussian mechanism of this noise multiplier at this
  rate, by adding or removing one participant with all of its records; nothing is
  assumed of its training, nor of what it uploads. `accounting.dp_sgd` tells what the
  rounds guarantee together, with rounds in the place of steps.
Guaranteed by `noisy_participant`, where the server learns no more than the sum of at
least `least` uploads of participants that follow the protocol:
  The sum is that of a Gaussian mechanism of this noise multiplier at rate 1.

Not guaranteed:
  * Anything to a server that sees single uploads: `participant_dp` trusts it; of the
    distributed noise each upload alone has a share only. `secure_aggregation` is what
    withholds them. Its fixed point rounds each upload and clips each number, after the
    noise: where that is coarse, the noise is no longer normal (Kairouz et al., "The
    distributed discrete Gaussian mechanism", ICML 2021).
  * The noise of participants that leave theirs out, or that drop out beyond `least`.
  * Anything of the logs, such as losses, which are of the records themselves.
  * The ideal mechanism: float32 normal numbers lie on a grid (Mironov, CCS 2012).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import flatten_util

from jaxprivacy import checks, errors, types
from jaxprivacy.federated import roles


class ServerState(NamedTuple):
    """State of a server that noises."""

    inner: Any
    round: jax.Array  # () int32


def clip(update: types.Params, max_norm: float | jax.Array) -> types.Params:
    """Scales an update down to at most this L2 norm, of all its numbers together.

    An update whose norm is not finite becomes 0, so that the bound holds of any.

    Args:
      update: a tree of arrays.
      max_norm: S, above 0; infinity leaves every update as it is.

    Source: McMahan et al. 2018, section 2, flat clipping.
    """
    if isinstance(max_norm, int | float) and math.isinf(max_norm):
        return update
    norm = optax.tree.norm(update)
    factor = jnp.minimum(1.0, max_norm / norm)
    finite = jnp.isfinite(norm)
    return jax.tree.map(lambda a: jnp.where(finite, a * factor, 0), update)


def noised(key: jax.Array, tree: types.Params, deviation: float) -> types.Params:
    """Adds to every number a normal one of this standard deviation; 0 adds none."""
    if not deviation:
        return tree
    flat, unravel = flatten_util.ravel_pytree(tree)
    return unravel(flat + deviation * jax.random.normal(key, flat.shape, flat.dtype))


def participant_dp(
    server: roles.Server,
    key: jax.Array,
    *,
    participants: int,
    max_norm: float,
    noise_multiplier: float,
    rate: float = 1.0,
) -> roles.Server:
    """A server that clips updates, sums up those of a random sample, and adds noise.

    The inner server hears of one participant that is none of them, number P, whose
    update is the noised sum over the number expected, rate * P. Who is not in a round's
    sample trains in vain: its update is not looked at, though its own state moves on.
    See the module for what is guaranteed. With noise 0, no bound and rate 1 the inner
    server hears the mean update.

    Args:
      server: what is done with the noised mean; it sends and receives all parameters.
      key: randomness of samples and noise.
      participants: P, whose uploads all come in at once.
      max_norm: S, what each update is clipped to; infinity goes without noise.
      noise_multiplier: z; the sum's noise has standard deviation z S.
      rate: the probability that a participant is in a round's sample, in (0, 1].

    Raises:
      InputError: one of them is out of its range, or the uploads do not come at once.
    """
    deviation = _deviation(max_norm, noise_multiplier)
    checks.positive_integer("participants", participants)
    checks.fraction("rate", rate)

    def init(params):
        return ServerState(server.init(params), jnp.zeros((), jnp.int32))

    def send(key_send, state, index):
        return server.send(key_send, state.inner, index)

    def receive(state, indices, sent, updates):
        roles.check_all_at_once(indices, participants)
        key_sample, key_noise = jax.random.split(jax.random.fold_in(key, state.round))
        drawn = jax.random.bernoulli(key_sample, rate, (participants,))[indices]
        clipped = jax.vmap(clip, (0, None))(updates, max_norm)
        # Chosen, not multiplied: what is not finite must not stay in the sum.
        total = jax.tree.map(lambda a: jnp.where(_over(drawn, a), a, 0).sum(0), clipped)
        noisy = noised(key_noise, total, deviation)
        mean = jax.tree.map(lambda a: a / (rate * participants), noisy)
        everyone = jnp.ones(participants, bool)
        heard = roles.as_one(participants, sent, mean, everyone)
        return ServerState(server.receive(state.inner, *heard), state.round + 1)

    return roles.Server(
        init, send, receive, params=lambda state: server.params(state.inner)
    )


def noisy_participant(
    participant: roles.Participant,
    *,
    least: int,
    max_norm: float,
    noise_multiplier: float,
) -> roles.Participant:
    """A participant that clips its update and adds its share of the sum's noise.

    The sum of `least` uploads has the noise that `participant_dp` adds at the server,
    and needs no trust in it where it is given the sum only: wrap this role by
    `masked_participant`. All participants take part in every round.

    Args:
      participant: who trains; it receives and uploads all parameters.
      least: the number of uploads that are at least summed up, as the threshold of the
        secure aggregation: of fewer the noise is too small, of more it is larger.
      max_norm: S, what the update is clipped to; infinity goes without noise.
      noise_multiplier: z; a share has standard deviation z S / sqrt(least).

    Raises:
      InputError: one of them is out of its range.

    Source: Dwork et al., "Our data, ourselves: privacy via distributed noise
    generation", EUROCRYPT 2006.
    """
    checks.positive_integer("least", least)
    share = _deviation(max_norm, noise_multiplier) / math.sqrt(least)

    def step(key, state, received, data):
        state, update, info = participant.step(key, state, received, data)
        key_noise = jax.random.fold_in(key, 1)
        return state, noised(key_noise, clip(update, max_norm), share), info

    return participant._replace(step=step)


def _over(flags, like):
    return flags.reshape(flags.shape + (1,) * (like.ndim - 1))


def _deviation(max_norm, noise_multiplier):
    checks.at_least_zero("noise_multiplier", noise_multiplier)
    if not max_norm > 0 or (noise_multiplier and math.isinf(max_norm)):
        accepted = "are numbers above 0, and without noise inf"
        raise errors.InputError("max_norm", max_norm, accepted)
    return noise_multiplier * max_norm if noise_multiplier else 0.0
