"""The supervised membership inference attack of paper B."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxprivacy import types
from jaxprivacy.attacks import features as features_lib
from jaxprivacy.attacks.features import Features
from jaxprivacy.models import attack_networks
from jaxprivacy.models.interception import Layer

SCORED_AT_ONCE = 256  # records; bounds the memory that scoring takes


class Examples(NamedTuple):
    """Records whose membership the attacker knows."""

    members: jax.Array  # (M,) indices into the features
    non_members: jax.Array  # (M,)


class State(NamedTuple):
    """An attack in training."""

    params: types.Params
    opt_state: optax.OptState
    best_params: types.Params  # of the epoch with the smallest selection loss
    best_loss: jax.Array  # ()


class Attack(NamedTuple):
    """A supervised attack as pure functions; `epochs` may be called in chunks."""

    # (key, features) -> state
    init: Callable[[jax.Array, Features], State]
    # (key, state, features, examples, selection, epoch numbers (E,)) -> (state, info)
    epochs: Callable[..., tuple[State, dict]]
    # (params, features) -> (N,) scores in [0, 1], higher means member
    score: Callable[[types.Params, Features], jax.Array]


def squared_error(logits: jax.Array, is_member: jax.Array) -> jax.Array:
    """Mean squared error of the membership probability (PAPERS row B11)."""
    return jnp.mean((jax.nn.sigmoid(logits) - is_member) ** 2)


def supervised(
    layers: tuple[Layer, ...],
    preset: attack_networks.Preset = attack_networks.TABLE_XIV,
) -> Attack:
    """Builds the attack network's training and scoring.

    What the attacker sees: the features (see `features.extract`) of all records, and of
    some records whether they are members. Each batch holds as many members as
    non-members; the epoch is chosen by the loss on the selection records (paper B
    reports the best epoch on the evaluation records: not copied).

    Args:
      layers: those whose gradients are among the features; () is the black-box attack.
      preset: sizes and training.
    """
    network = attack_networks.AttackNetwork(preset, layers)
    optimizer = optax.adam(preset.learning_rate)

    def init(key, features):
        params = network.init(
            key, features_lib.take(features, jnp.arange(2)), training=False
        )["params"]
        # A strong type, as the epochs return it: these are then compiled once.
        none_yet = jnp.full((), jnp.inf, jnp.float32)
        return State(params, optimizer.init(params), params, none_yet)

    def logits(params, features, key=None):
        return network.apply(
            {"params": params},
            features,
            training=key is not None,
            rngs=None if key is None else {"dropout": key},
        )

    def step(features, carry, inputs):
        params, opt_state = carry
        key, members, non_members = inputs
        batch = features_lib.take(features, jnp.concatenate([members, non_members]))
        is_member = (jnp.arange(2 * len(members)) < len(members)).astype(jnp.float32)
        loss, grads = jax.value_and_grad(
            lambda p: squared_error(logits(p, batch, key), is_member)
        )(params)
        updates, opt_state = optimizer.update(grads, opt_state)
        return (optax.apply_updates(params, updates), opt_state), loss

    def evaluate(params, features, examples):
        chosen = features_lib.take(features, jnp.concatenate(examples))
        is_member = jnp.arange(len(chosen.label)) < len(examples.members)
        return squared_error(logits(params, chosen), is_member)

    def epoch(key, state, features, examples, selection):
        key_members, key_others, key_dropout = jax.random.split(key, 3)
        half = min(preset.batch_size // 2, len(examples.members))
        steps = len(examples.members) // half
        orders = [
            jax.random.permutation(k, e)[: steps * half].reshape(steps, half)
            for k, e in zip((key_members, key_others), examples, strict=True)
        ]
        (params, opt_state), losses = lax.scan(
            lambda carry, inputs: step(features, carry, inputs),
            (state.params, state.opt_state),
            (jax.random.split(key_dropout, steps), *orders),
        )
        loss = evaluate(params, features, selection)
        best = jax.tree.map(
            lambda new, old: jnp.where(loss < state.best_loss, new, old),
            params,
            state.best_params,
        )
        info = {"train_loss": losses.mean(), "selection_loss": loss}
        best_loss = jnp.minimum(loss, state.best_loss)
        return State(params, opt_state, best, best_loss), info

    def epochs(key, state, features, examples, selection, numbers):
        def one(state, number):
            key_epoch = jax.random.fold_in(key, number)
            return epoch(key_epoch, state, features, examples, selection)

        return lax.scan(one, state, numbers)

    def score(params, features):
        def one(index):
            record = features_lib.take(features, index[None])
            return jax.nn.sigmoid(logits(params, record))[0]

        numbers = jnp.arange(features.label.shape[0])
        return lax.map(one, numbers, batch_size=SCORED_AT_ONCE)

    return Attack(init, epochs, score)
