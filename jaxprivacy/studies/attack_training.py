"""Training one supervised attack and scoring records, in chunks of epochs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxprivacy.attacks import features as features_lib, whitebox
from jaxprivacy.evaluation import membership
from jaxprivacy.models import attack_presets
from jaxprivacy.programs import chunks, compilation

Advance = Callable[[float], None]

# The attack stops when its AUC on the selection records has not improved for so many
# steps and epochs, once the training loss is below that of the start by this share.
PATIENCE_STEPS, PATIENCE_EPOCHS = 500, 3
LEFT = 0.01
LEAST_SPREAD = 1e-3  # of logits; the probabilities then differ by a fourth of that
SURE = 0.8  # with which an attack that learned is better than its start
LEAST_SELECTION = 20  # records of a kind below which that interval says little
EPOCH_CHUNK, CHUNK_STEPS = 10, 300


class Positions(NamedTuple):
    """Where the attacked records of each kind stand among the features, in order."""

    train: np.ndarray
    selection: np.ndarray
    evaluation: np.ndarray


class Fit(NamedTuple):
    """Compiled training and scoring of one attack; one compilation serves every fit."""

    init: Callable
    epochs: Callable
    score: Callable
    # (features, indices of the attack-training records) -> features with their scales
    normalise: Callable
    preset: attack_presets.Preset


class Trained(NamedTuple):
    """A supervised attack after its training."""

    scores: np.ndarray  # (N,) logits of membership of all records, float64
    # Whether the training went anywhere: the network left its start, and the scores
    # differ. None: a rule, which is not trained.
    trained: bool | None
    # Whether the chosen epoch ranks the selection records better than the untrained
    # start does, by more than their number allows for.
    learned: bool | None = None


def make_fit(
    attack: whitebox.Attack,
    preset: attack_presets.Preset,
    moments: Callable | None = None,
) -> Fit:
    """Compiles a supervised attack.

    Args:
      attack: the attack.
      preset: of its network.
      moments: (features, known) -> their moments; None: of features that are kept.
    """
    moments = moments or compilation.compiled(features_lib.moments)
    form = features_lib.standard if preset.statistics else features_lib.root_mean_square

    def normalise(features, known):
        # What is jitted gives no records back: they would be copied.
        return features._replace(scales=form(moments(features, known)))

    return Fit(*compilation.each(attack), normalise, preset)


def train_attack(
    fit: Fit,
    key: jax.Array,
    features: Any,
    members: Positions,
    non_members: Positions,
    advance: Advance,
    *,
    keep_network: bool = False,
) -> Trained:
    """Trains one supervised attack and scores all records.

    The epoch with the largest AUC on the selection records is kept; training ends once
    that has not improved for a number of steps and of epochs, but not before the
    network has left its start. An anchored attack that is not shown to be better than
    its start, a simple rule, keeps it: what it learned is not told from chance. With
    `keep_network` it does not: a null check asks what the network makes of records, and
    without a signal it would hardly ever see more than the rule.
    """
    examples = whitebox.Examples(members.train, non_members.train)
    selection = whitebox.Examples(members.selection, non_members.selection)
    features = fit.normalise(features, np.concatenate(examples))
    key_init, key_epochs = jax.random.split(key)
    start, start_loss = fit.init(key_init, features, examples, selection)
    state, has_left = _train(
        fit, key_epochs, start, start_loss, features, examples, selection, advance
    )
    everyone = np.arange(whitebox.count(features))

    def everyone_scored(state):
        found = fit.score(state.best_params, features, everyone)
        return np.asarray(found, np.float64)

    before, after = everyone_scored(start), everyone_scored(state)
    better = learned(*([s[kind] for kind in selection] for s in (after, before)))
    keep_start = fit.preset.anchored and not better and not keep_network
    kept = before if keep_start else after
    trained = bool((has_left or better) and np.ptp(kept) > LEAST_SPREAD)
    return Trained(kept, trained, better)


def _train(fit, key, state, start_loss, features, examples, selection, advance):
    """Trains in chunks of epochs: the state, and whether it has left its start."""
    longest = max(map(len, examples))
    steps = max(1, longest // (fit.preset.batch_size // 2))
    total = max(fit.preset.epochs, math.ceil(fit.preset.least_steps / steps))
    at_once = max(1, min(EPOCH_CHUNK, CHUNK_STEPS // steps, total))
    start_loss, start_auc = float(start_loss), float(state.best_auc)

    def enough(done, state, info):
        del done, state
        aucs = [start_auc, *info["selection_auc"].tolist()]
        left = left_start(start_loss, info["train_loss"].tolist())
        return left and stops(aucs, steps)

    state, info = chunks.run(
        lambda *of: fit.epochs(key, of[0], features, examples, selection, of[1]),
        state,
        total,
        length=at_once,
        advance=advance,
        stop=enough,
    )
    return state, left_start(start_loss, info["train_loss"].tolist())


def left_start(start_loss: float, train_losses: Sequence[float]) -> bool:
    """Whether the training loss has fallen from where it was before the first epoch.

    With small initial weights nothing moves for thousands of steps before it does.

    Args:
      start_loss: before the first epoch.
      train_losses: of the epochs so far.
    """
    return min(train_losses) < (1 - LEFT) * start_loss


def stops(aucs: Sequence[float], steps: int) -> bool:
    """Whether the best AUC on the selection records is too old to go on.

    That is at least `PATIENCE_STEPS` steps and `PATIENCE_EPOCHS` epochs.

    Args:
      aucs: before the first epoch and after each.
      steps: of an epoch.
    """
    age = len(aucs) - 1 - int(np.argmax(aucs))
    return age >= PATIENCE_EPOCHS and age * steps >= PATIENCE_STEPS


def learned(
    after: tuple[np.ndarray, np.ndarray], before: tuple[np.ndarray, np.ndarray]
) -> bool:
    """Whether scores order members and non-members better than before, beyond chance.

    That is, whether the interval of the difference of the two AUCs on the same records
    (DeLong) lies above 0. It decides which scores are taken and is no test to report:
    the epoch was chosen on these records, so that on noise it is true more often than
    the interval says. What the scores are worth, the evaluation records say. Of fewer
    than `LEAST_SELECTION` records of a kind nothing is said to be better.

    Args:
      after: scores of M members and of N non-members.
      before: of the same records in the same order.
    """
    if min(map(len, after)) < LEAST_SELECTION:
        return False
    return membership.auc_difference(after, before, SURE).low > 0


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
