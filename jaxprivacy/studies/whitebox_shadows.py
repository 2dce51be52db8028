"""Shadow models: an attack that learns from models of the attacker's own making."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import errors
from jaxprivacy.data import Dataset, attack_sets
from jaxprivacy.evaluation.membership_rows import Scored
from jaxprivacy.programs import checkpoint as checkpoint_lib, chunks, placement
from jaxprivacy.studies import (
    attack_training,
    membership_records,
    training,
    whitebox_settings,
    whitebox_splits,
    whitebox_targets,
    whitebox_views as views_lib,
)
from jaxprivacy.studies.membership_records import Records
from jaxprivacy.studies.whitebox_attacks import Attacks


class Shadows(NamedTuple):
    """What the attacker knows of its own models, as features of their records."""

    observations: list[views_lib.Observation]
    count: int  # members of each, and as many non-members behind them
    overlapping: bool  # whether its records are among the target's training records


def pool(
    dataset: Dataset, split: whitebox_splits.Split, each: int
) -> tuple[np.ndarray, bool]:
    """The attacker's records, and whether the target trained on some of them.

    Never those on which the attack is selected or measured, nor, where they are not
    attacked, those with exact copies: of a shadow model too, membership would be no
    question. Where enough are left that nobody holds, they are the pool; else all that
    are left, as in paper B for CIFAR-100 (PAPERS row B14).
    """
    sets = [*split.members.values(), *split.non_members.values()]
    judged = np.concatenate([np.concatenate(kind[1:]) for kind in sets])
    if not split.copies_kept:
        judged = np.union1d(judged, np.flatnonzero(split.copied))
    free = np.setdiff1d(split.unheld, judged)
    if len(free) >= 2 * each:
        return free, False
    return dataset.without(judged), True


def check_memory(
    settings: whitebox_settings.WhiteboxSettings,
    split: whitebox_splits.Split,
    each: int,
) -> None:
    """Checks that the target's features can be kept, as this attack needs them.

    Args:
      settings: checked settings.
      split: of any seed.
      each: of `whitebox_views.record_bytes`.

    Raises:
      InputError: naming `feature_memory`.
    """
    sets = [*split.members.values(), *split.non_members.values()]
    needed = each * sum(len(part) for kind in sets for part in kind) / 2**30
    if needed > settings.feature_memory:
        raise errors.InputError(
            "feature_memory",
            f"{settings.feature_memory:g}",
            found=f"the attacked records' features take {needed:.3g} GiB",
            accepted="with `supervision`=shadow is as much, or fewer records",
        )


def train(
    settings: whitebox_settings.WhiteboxSettings,
    dataset: Dataset,
    split: whitebox_splits.Split,
    records: Records,
    observer: views_lib.Observer,
    key: jax.Array,
    seed: int,
    advance: attack_training.Advance,
    kept: Callable[
        [Sequence[np.ndarray]], checkpoint_lib.Checkpoint | None
    ] = lambda shares: None,
) -> Shadows:
    """Trains all shadow models in one program, each like the target.

    Each trains on as many random records of the pool as the target, or on half of it if
    it is smaller; as many others are its non-members. Of both the attack learns from so
    many that all shadows together give what a supervised attacker would know.

    Args:
      settings: checked settings.
      dataset: the data.
      split: who holds what.
      records: that are attacked, for how many the attack learns from.
      observer: what the attacker sees of a model.
      key: randomness of the shadows' training.
      seed: of which records each trains on.
      advance: told the share done.
      kept: where shadows that train on these records are kept; complete ones are not
        trained again, and an interrupted training goes on.

    Raises:
      InputError: the pool is too small, or a training diverges.
    """
    each = len(split.shares[0])
    owned, overlapping = pool(dataset, split, each)
    each = min(each, len(owned) // 2)
    count = max(attack_sets.LEAST, len(records.members.train) // settings.shadows)
    count = min(count, each)
    if each < attack_sets.LEAST:
        raise errors.InputError(
            "evaluation_records",
            settings.evaluation_records,
            found=f"leaves {len(owned)} records for shadow models",
            accepted=f"are values that leave at least {2 * attack_sets.LEAST}",
        )
    rng = np.random.default_rng([seed, settings.shadows])
    draws = [rng.permutation(owned)[: 2 * each] for _ in range(settings.shadows)]
    shares = [draw[:each] for draw in draws]
    trained = _train_all(settings, dataset, shares, key, advance, kept(shares))
    observations = []
    for i, draw in enumerate(draws):
        known = np.concatenate([draw[:count], draw[each : each + count]])
        batch = training.batch(dataset, known)
        snapshot = jax.tree.map(lambda a, i=i: a[i][None], trained)
        observations.append(observer.observe(snapshot, batch.x, batch.y))
        whitebox_targets.check_observed(settings, observations[-1].basic)
    return Shadows(observations, count, overlapping)


def _train_all(settings, dataset, shares, key, advance, kept=None):
    """The parameters of all shadow models, (S, ...)."""
    network = whitebox_targets.model(settings, dataset)
    role = whitebox_targets.participant(settings, network, len(shares[0]))

    @placement.program
    def init(key, data):
        key_init, _ = jax.random.split(key)
        params = network.init(key_init)
        return params, role.init(key_init, params, data)

    @placement.program
    def rounds(indices, key, model, data):
        _, key_rounds = jax.random.split(key)

        def round_(model, index):
            params, state = model
            key = jax.random.fold_in(key_rounds, index)
            state, update, _ = role.step(key, state, params, data)
            return (jax.tree.map(jnp.add, params, update), state), None

        return jax.lax.scan(round_, model, indices)[0]

    keys, data = jax.random.split(key, len(shares)), training.stack(dataset, shares)
    models, _ = chunks.run(
        lambda models, indices: (rounds((indices,), (keys, models, data)), {}),
        init((), (keys, data)),
        settings.rounds,
        length=chunks.chunk_length(settings.rounds),
        advance=advance,
        checkpoint=kept,
    )
    return models[0]


def attack(
    attacks: Attacks,
    observation: views_lib.Observation,
    shadows: Shadows,
    records: Records,
    key: jax.Array,
    row: dict[str, Any],
    advance: attack_training.Advance,
) -> list[Scored]:
    """The supervised attack, learned from the shadows and applied to the target.

    No membership label of the target's records is used: the epoch and the threshold are
    chosen on the last shadow's records.
    """
    found = []
    for i, (variant, view) in enumerate(attacks.views):
        fit = attacks.observer.fit(view)
        inputs = [
            attacks.observer.inputs(o, view)
            for o in (observation, *shadows.observations)
        ]
        stacked = jax.tree.map(
            lambda *parts: jnp.concatenate(parts, axis=1),
            *(part._replace(label=()) for part in inputs),
        )
        labels = jnp.concatenate([part.label for part in inputs])
        features = stacked._replace(label=labels)
        members, others = _positions(len(observation.y), shadows)
        learned = attack_training.train_attack(
            fit,
            jax.random.fold_in(key, i),
            features,
            members,
            others,
            lambda share: advance(share / len(attacks.views)),
        )
        told = {
            "attack": "shadow",
            **views_lib.described(variant),
            "supervision": "shadow",
            "learned": learned.learned,
        }
        if not (view.hidden or view.gradients):
            told["outputs_only"] = True
        found.append(_scored(told | row, learned, members, others, records, attacks))
    return found


def _positions(start, shadows):
    """Where the shadows' members and non-members stand behind the target's records."""
    count = shadows.count
    firsts = start + 2 * count * np.arange(len(shadows.observations))
    members = firsts[:, None] + np.arange(count)
    nobody = np.zeros(0, int)

    def positions(where):
        return attack_training.Positions(where[:-1].reshape(-1), where[-1], nobody)

    return positions(members), positions(members + count)


def _scored(row, learned, members, others, records, attacks):
    def scores(first, second):
        return attack_training.scores(
            learned.scores,
            members._replace(evaluation=first.evaluation),
            others._replace(evaluation=second.evaluation),
        )

    null = None
    if attacks.settings.null_checks:
        null = scores(*membership_records.null_pair(records))
    # The null check's attack is the same one, trained on shadows: so is what it knows.
    return Scored(
        row,
        scores(records.members, records.non_members),
        null,
        trained=learned.trained,
        null_trained=learned.trained,
    )
