"""Training one supervised attack and scoring records, jitted in chunks of epochs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy.attacks import features as features_lib
from jaxprivacy.attacks import whitebox
from jaxprivacy.evaluation import membership
from jaxprivacy.models import attack_networks

Advance = Callable[[float], None]

# The attack stops when its selection loss has not improved for so many steps and
# epochs.
PATIENCE_STEPS, PATIENCE_EPOCHS = 150, 3
EPOCH_CHUNK, CHUNK_STEPS = 10, 300


class Positions(NamedTuple):
    """Where the attacked records of each kind stand among the features, in order."""

    train: np.ndarray
    selection: np.ndarray
    evaluation: np.ndarray


class Fit(NamedTuple):
    """Jitted training and scoring of one attack; one compilation serves every fit."""

    init: Callable
    epochs: Callable
    score: Callable
    # (features, indices of the attack-training records) -> features with their scales
    normalise: Callable
    preset: attack_networks.Preset


def make_fit(
    attack: whitebox.Attack,
    preset: attack_networks.Preset,
    scales: Callable | None = None,
) -> Fit:
    """Jits a supervised attack.

    Args:
      attack: the attack.
      preset: of its network.
      scales: (features, known) -> what they are divided by; None: of features that
        are kept.
    """
    scales = scales or jax.jit(features_lib.scales)

    def normalise(features, known):
        # What is jitted gives no records back: they would be copied.
        return features._replace(scales=scales(features, known))

    return Fit(*map(jax.jit, attack), normalise, preset)


def train_attack(
    fit: Fit,
    key: jax.Array,
    features: Any,
    members: Positions,
    non_members: Positions,
    advance: Advance,
) -> np.ndarray:
    """Trains one supervised attack and scores all records: (N,).

    Stops early once the loss on the selection records has stopped improving; the
    weights of the best epoch are kept in either case.
    """
    examples = whitebox.Examples(members.train, non_members.train)
    selection = whitebox.Examples(members.selection, non_members.selection)
    features = fit.normalise(features, np.concatenate(examples))
    key_init, key_epochs = jax.random.split(key)
    state = fit.init(key_init, features)
    longest = max(map(len, examples))
    steps = max(1, longest // (fit.preset.batch_size // 2))
    patience = max(PATIENCE_STEPS, PATIENCE_EPOCHS * steps)
    total = max(fit.preset.epochs, math.ceil(fit.preset.least_steps / steps))
    at_once = max(1, min(EPOCH_CHUNK, CHUNK_STEPS // steps, total))
    chunks = math.ceil(total / at_once)
    best_loss, best_epoch, done = math.inf, 0, 0.0
    for chunk in range(chunks):
        first = chunk * at_once
        numbers = jnp.arange(first, min(first + at_once, total))
        state, info = fit.epochs(
            key_epochs, state, features, examples, selection, numbers
        )
        advance(1 / chunks)
        done += 1 / chunks
        selection_losses = np.asarray(info["selection_loss"])
        if selection_losses.min() < best_loss:
            best_loss = selection_losses.min()
            best_epoch = first + selection_losses.argmin()
        if (first + at_once - best_epoch) * steps >= patience:
            break
    advance(1 - done)
    return np.asarray(fit.score(state.best_params, features))


def scores(
    all_scores: np.ndarray, members: Positions, non_members: Positions
) -> membership.MembershipScores:
    """Picks the scores that the evaluation takes."""
    return membership.MembershipScores(
        all_scores[members.selection],
        all_scores[non_members.selection],
        all_scores[members.evaluation],
        all_scores[non_members.evaluation],
    )
