"""Federated training under a defense of what participants upload, as wrapped roles.

All participants train at once and the server takes the mean of what comes in (FedAvg),
since the defenses that bound or hide single uploads need all of them together.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import flatten_util

from jaxprivacy import types
from jaxprivacy.cards import defenses as cards
from jaxprivacy.defenses import (
    accounting,
    compression,
    dp_sgd,
    participant_dp,
    secure_aggregation,
)
from jaxprivacy.federated import roles
from jaxprivacy.studies import defended_training
from jaxprivacy.training import gradients

NAMES = (
    "none",
    "dp_sgd",
    "participant_dp",
    "secure_aggregation",
    "top_k",
    "sign",
    "quantised",
)
COMPRESSIONS = ("top_k", "sign", "quantised")
# What a number of an update is clipped to under secure aggregation; no update of a
# training that converges comes near.
BOUND = 8.0


class Recipe(NamedTuple):
    """Settings of the rounds, and of what is private in them."""

    rounds: int
    participants: int
    records: int  # the fewest that an honest participant trains on
    own: defended_training.Recipe  # of one round of one participant
    update_norm: float  # what a participant's update is clipped to


def all_uploads(sent: types.Params, updates: types.Params) -> tuple:
    """What an averaging server sends to all alike, and what each uploads, (P, ...)."""
    return jax.tree.map(lambda a: a[0], sent), updates


class Seats(NamedTuple):
    """Who plays under a defense."""

    server: roles.Server
    honest: roles.Participant
    adversary: roles.Participant
    # (what was sent, uploads), each (P, ...) -> the parameters and what an honest but
    # curious server learns of the updates (Q, ...)
    seen: Callable[[Any, Any], tuple[types.Params, types.Params]] = all_uploads


# (key, honest participant, adversary) -> the seats under the defense
Defend = Callable[[jax.Array, roles.Participant, roles.Participant], Seats]


class Defended(NamedTuple):
    """A defense of the uploads, and what it guarantees."""

    defend: Defend
    noise_multiplier: float | None
    claim: accounting.Claim | None  # None: nothing is guaranteed
    shared: Callable[[Any], types.Params]  # the server's state -> the shared model


def defended(chosen: cards.Chosen, recipe: Recipe, model: types.Model) -> Defended:
    """Builds the seats of federated training under a defense.

    The adversary follows the protocol that the server enforces, and nothing else:
    it neither noises nor compresses what it uploads.

    Args:
      chosen: the defense, one of `NAMES`, and its strength.
      recipe: the rounds without it.
      model: what is trained.

    Raises:
      InputError: no noise guarantees the epsilon that is asked for.
    """
    name, strength = chosen.card.name, chosen.strength
    if name == "dp_sgd":
        return _dp_sgd(strength, recipe, model)
    if name == "participant_dp":
        return _participant_dp(strength, recipe)
    if name == "secure_aggregation":
        return _aggregating(recipe.participants)
    if name in COMPRESSIONS:
        return _compressing(chosen)
    return undefended()


def undefended() -> Defended:
    """The plain federation."""
    return _honest_only(lambda honest: honest)


def private_gradient(
    model: types.Model,
    recipe: defended_training.Recipe,
    defended: Defended,
    expected_batch: int,
) -> gradients.GradientFn:
    """One step's gradient as `dp_sgd` releases it, with the noise of all rounds."""
    return dp_sgd.gradient(
        model,
        max_norm=recipe.max_norm,
        noise_multiplier=defended.noise_multiplier,
        expected_batch=expected_batch,
    )


def compressor(chosen: cards.Chosen) -> compression.Compress:
    """What leaves a participant under a compression, one of `COMPRESSIONS`."""
    if chosen.card.name == "top_k":
        return compression.top_k(chosen.strength)
    if chosen.card.name == "quantised":
        return compression.quantised(int(chosen.strength))
    return compression.scaled_sign()


def _honest_only(wrap, noise=None, claim=None):
    server = roles.averaging_server()

    def defend(key, honest, adversary):
        del key
        return Seats(server, wrap(honest), adversary)

    return Defended(defend, noise, claim, server.params)


def _compressing(chosen):
    # Of random rounding the mean is the update: there is no error to feed back.
    plain = chosen.card.name == "quantised"
    wrap = compression.compressed if plain else compression.error_feedback
    return _honest_only(lambda honest: wrap(honest, compressor(chosen)))


def _dp_sgd(epsilon, recipe, model):
    """Each honest participant protects its own records, from all others."""
    noise = defended_training.noise(epsilon, recipe.own, recipe.records, recipe.rounds)
    train = defended_training.private_descent(noise, recipe.own, model)
    private = roles.honest_participant(train, optax.identity())
    return _honest_only(lambda honest: private, noise.multiplier, noise.claim)


def _participant_dp(epsilon, recipe):
    """The server clips what each participant uploads, and noises the sum."""
    noise, claim = 0.0, None
    if not math.isinf(epsilon):
        terms = 1.0, recipe.rounds, recipe.own.delta
        noise = accounting.noise(epsilon, *terms)
        claim = accounting.dp_sgd(noise, *terms)

    def defend(key, honest, adversary):
        server = participant_dp.participant_dp(
            roles.averaging_server(),
            key,
            participants=recipe.participants,
            max_norm=recipe.update_norm,
            noise_multiplier=noise,
        )
        return Seats(server, honest, adversary)

    return Defended(defend, noise, claim, lambda state: state.inner)


def _aggregating(participants):
    def defend(key, honest, adversary):
        agreed = secure_aggregation.agree(key, participants, bound=BOUND)
        seats = (
            secure_aggregation.masked_participant(one, agreed)
            for one in (honest, adversary)
        )
        server = secure_aggregation.secure_aggregation(roles.averaging_server(), agreed)
        return Seats(server, *seats, functools.partial(_mean_update, agreed))

    return Defended(defend, None, None, lambda state: state.inner)


def _mean_update(agreed, sent, updates):
    """Of the uploads nothing but their sum, as the mean of one update."""
    params = jax.tree.map(lambda a: a[0], sent.params)
    _, unravel = flatten_util.ravel_pytree(params)
    total = secure_aggregation.secure_sum(
        agreed, sent.round[0], updates.values, updates.arrived
    )
    mean = secure_aggregation.decode(total, agreed) / jnp.sum(updates.arrived)
    return params, jax.tree.map(lambda a: a[None], unravel(mean))
