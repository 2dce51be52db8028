"""Membership inference by the server against one participant, passive and active."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxprivacy import types
from jaxprivacy.attacks import features as features_lib, threshold, whitebox
from jaxprivacy.data import Dataset, Split
from jaxprivacy.evaluation.membership_rows import Scored
from jaxprivacy.federated import transcript as transcript_lib
from jaxprivacy.programs import compilation
from jaxprivacy.studies import (
    attack_training,
    planted,
    settings as settings_lib,
    training,
)
from jaxprivacy.studies.attack_training import (
    Advance,
    Fit,
    Positions,
    Trained,
    scores,
    train_attack,
)
from jaxprivacy.targets import layers as layers_lib


class Records(NamedTuple):
    """The records whose membership is asked, and where each kind stands."""

    batch: types.Batch  # members, then non-members, then untrained records
    members: Positions
    non_members: Positions
    untrained: Positions
    others: Positions | None = None  # other participants', among the non-members too


class Run(NamedTuple):
    """One federated run as the server saw it."""

    features: features_lib.Features  # of all attacked records
    info: dict  # per round: loss (R, P), train_accuracy, test_accuracy (R,)
    transcript: transcript_lib.Transcript | None = None  # with all uploads, if kept


def attacked_records(
    dataset: Dataset, split: Split, others: Sequence[np.ndarray] | None = None
) -> Records:
    """Gathers the records of all sets: three kinds of n records each, set after set.

    Args:
      dataset: the data.
      split: who holds what.
      others: of `data.of_others`, which stand behind them.
    """
    sets = (split.attack_train, split.selection, split.evaluation)
    kinds = [np.concatenate(kind) for kind in zip(*sets, strict=True)]
    ends = np.cumsum([len(s.members) for s in sets])

    def positions(kind):
        return Positions(*np.split(kind * ends[-1] + np.arange(ends[-1]), ends[:-1]))

    numbers = [np.zeros(0, int), *(others or ())]
    placed = np.split(
        3 * ends[-1] + np.arange(sum(map(len, numbers))),
        np.cumsum([len(part) for part in numbers])[:-1],
    )
    return Records(
        training.batch(dataset, np.concatenate([*kinds, *numbers])),
        *map(positions, range(3)),
        others=None if others is None else Positions(*placed),
    )


def captured_layers(
    settings: settings_lib.Settings, dataset: Dataset
) -> tuple[types.Layer, ...]:
    """The target's layers; nothing is computed."""
    model = training.target_model(settings, dataset, dataset.num_classes)
    params = jax.eval_shape(model.init, jax.random.key(0))
    return layers_lib.layers(model.apply, params, dataset.x[:1])


def observed(
    settings: settings_lib.Settings,
    dataset: Dataset,
    snapshots: types.Params,
    batch: types.Batch,
    inside: bool = True,
) -> features_lib.Features:
    """What snapshots of the target (T, ...) show of records: of all its layers.

    Without `inside` nothing of its layers but the norms of their gradients.
    """
    model = training.target_model(settings, dataset, dataset.num_classes)
    layers = captured_layers(settings, dataset) if inside else ()
    extract = compilation.compiled(
        lambda snapshots, x, y: features_lib.extract(
            model,
            snapshots,
            x,
            y,
            hidden=[layer.path for layer in layers[1:]],
            gradients=layers,
        )
    )
    return extract(snapshots, batch.x, batch.y)


def black_box(features: features_lib.Features) -> features_lib.Features:
    """Keeps what queries of the victim's model reveal: outputs, their loss, the label.

    At the same snapshots as the white-box attack, so that the two differ in nothing but
    access to the model's inside. Who can only query the final shared model sees less.
    """
    return features._replace(hidden={}, gradients={})


def make_fit(settings: settings_lib.Settings, layers) -> Fit:
    """Builds a supervised attack on the gradients of `layers`; () is the black box."""
    preset = settings.attack_preset()
    return attack_training.make_fit(whitebox.supervised(tuple(layers), preset), preset)


def attack_run(
    fits: dict[str, Fit],
    run: Run,
    records: Records,
    mode: str,
    key: jax.Array,
    advance: Advance,
    *,
    null_checks: bool = True,
    first: int = 0,
) -> list[Scored]:
    """Scores one run's records by every supervised attack, its null check along.

    Their keys are made of `key` and their numbers, from `first` on.
    """
    inputs = {"white_box": run.features, "black_box": black_box(run.features)}
    kinds = (records.members, records.untrained)[: 1 + null_checks]
    result = []
    for i, (attack, fit) in enumerate(fits.items(), first):
        both = []
        for j, members in enumerate(kinds):
            learned = train_attack(
                fit,
                jax.random.fold_in(key, 2 * i + j),
                inputs[attack],
                members,
                records.non_members,
                lambda share: advance(share / (len(kinds) * len(fits))),
                keep_network=j > 0,
            )
            both.append((learned, members))
        result.append(_scored(attack, mode, records, *both))
    return result


def named_attacks(
    fits: dict[str, Fit], run: Run, records: Records, seed: int, advance: Advance
) -> list[Scored]:
    """The same, passive, with a key for each attack by its name."""
    found = []
    for name, fit in fits.items():
        found += attack_run(
            {name: fit},
            run,
            records,
            "passive",
            training.named_key(seed, name),
            lambda share: advance(share / len(fits)),
        )
    return found


def _scored(attack, mode, records, real, null=None):
    def picked(learned, members):
        non_members = records.non_members
        if records.others is not None and members is records.members:
            pairs = zip(non_members, records.others, strict=True)
            non_members = Positions(*map(np.concatenate, pairs))
        return scores(learned.scores, members, non_members)

    row = {"attack": attack, "attacker": "global", "mode": mode}
    if real[0].learned is not None:
        row["learned"] = real[0].learned
    return Scored(
        row,
        picked(*real),
        picked(*null) if null else None,
        trained=real[0].trained,
        null_trained=null[0].trained if null else None,
    )


NETWORKS = ("white_box", "black_box")
RULES = {
    "loss_threshold": threshold.loss_threshold,
    "confidence": threshold.confidence,
    "gradient_norm": threshold.gradient_norm,
}


def simple_rules(
    run: Run, records: Records, mode: str, names: Sequence[str] = tuple(RULES)
) -> list[Scored]:
    """Scores one run's records by loss, confidence and the gradient's norm."""
    return [
        scored_rule(attack, np.asarray(rule(run.features), np.float64), mode, records)
        for attack, rule in RULES.items()
        if attack in names
    ]


def scored_rule(attack: str, values: np.ndarray, mode: str, records: Records) -> Scored:
    """What a rule says of all attacked records, (N,), and its null check along."""
    found = Trained(values, None)
    return _scored(
        attack, mode, records, (found, records.members), (found, records.untrained)
    )


def control(
    fits: dict[str, Fit],
    run: Run,
    records: Records,
    seed: int,
    key: jax.Array,
    advance: Advance,
) -> list[Scored]:
    """The positive control: records that nobody trained on, of which some leak.

    They are attacked as members are, by their loss and by the given attacks.

    Args:
      fits: the supervised attacks to run.
      run: what the server saw.
      records: the attacked ones; members play no part.
      seed: of the draw of who is called a member.
      key: of the attacks.
      advance: told the share done.

    Returns:
      The attacks' scores, their rows marked `control` and with the AUC `planted`.
    """
    kinds = zip(records.untrained, records.non_members, strict=True)
    pool = Positions(*map(np.concatenate, kinds))
    signal = np.asarray(threshold.loss_threshold(run.features))
    members, others, auc = planted.plant(
        pool, signal, np.random.default_rng([seed, *b"control"])
    )
    leaking = records._replace(
        members=members, non_members=others, untrained=members, others=None
    )
    [rule] = simple_rules(run, leaking, "passive", ["loss_threshold"])
    rule = rule._replace(null=None)
    found = attack_run(fits, run, leaking, "passive", key, advance, null_checks=False)
    told = {"control": "planted", "planted": auc}
    return [s._replace(row=s.row | told) for s in (rule, *found)]
