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
    membership_records,
    planted,
    settings as settings_lib,
    training,
)
from jaxprivacy.studies.membership_records import Records
from jaxprivacy.targets import layers as layers_lib


class Run(NamedTuple):
    """One federated run as the server saw it."""

    features: features_lib.Features  # of all attacked records
    info: dict  # per round: loss (R, P), train_accuracy, test_accuracy (R,)
    transcript: transcript_lib.Transcript | None = None  # with all uploads, if kept


def attacked_records(
    dataset: Dataset, split: Split, others: Sequence[np.ndarray] | None = None
) -> Records:
    """Gathers the records of all sets: three kinds of n records each.

    Args:
      dataset: the data.
      split: who holds what.
      others: of `data.of_others`, which stand behind them.
    """
    sets = (split.attack_train, split.selection, split.evaluation)
    kinds = list(zip(*sets, strict=True))
    if others is not None:
        kinds.append((np.zeros(0, int), *others))  # None to learn from.
    batch, positions = membership_records.gather(dataset, kinds)
    return Records(batch, *positions)


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


def make_fit(settings: settings_lib.Settings, layers) -> attack_training.Fit:
    """Builds a supervised attack on the gradients of `layers`; () is the black box."""
    preset = settings.attack_preset()
    return attack_training.make_fit(whitebox.supervised(tuple(layers), preset), preset)


def attack_run(
    fits: dict[str, attack_training.Fit],
    run: Run,
    records: Records,
    mode: str,
    key: jax.Array,
    advance: attack_training.Advance,
    *,
    null_checks: bool = True,
    first: int = 0,
) -> list[Scored]:
    """Scores one run's records by every supervised attack, its null check along.

    Their keys are made of `key` and their numbers, from `first` on.
    """
    inputs = {"white_box": run.features, "black_box": black_box(run.features)}

    def attack(number, name, fit):
        def score(members, non_members, which, tell):
            return attack_training.train_attack(
                fit,
                jax.random.fold_in(key, 2 * number + which),
                inputs[name],
                members,
                non_members,
                tell,
                keep_network=which > 0,
            )

        return membership_records.scored(
            _row(name, mode),
            records,
            score,
            lambda share: advance(share / len(fits)),
            null_checks=null_checks,
        )

    return [attack(i, *named) for i, named in enumerate(fits.items(), first)]


def named_attacks(
    fits: dict[str, attack_training.Fit],
    run: Run,
    records: Records,
    seed: int,
    advance: attack_training.Advance,
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


def _row(attack: str, mode: str) -> dict:
    return {"attack": attack, "attacker": "global", "mode": mode}


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
        scored_rule(attack, rule(run.features), mode, records)
        for attack, rule in RULES.items()
        if attack in names
    ]


def scored_rule(
    attack: str,
    values: np.ndarray,
    mode: str,
    records: Records,
    *,
    null_checks: bool = True,
) -> Scored:
    """What a rule says of all attacked records, (N,), and its null check along."""
    return membership_records.scored(
        _row(attack, mode),
        records,
        membership_records.rule(values),
        lambda share: None,
        null_checks=null_checks,
    )


def control(
    fits: dict[str, attack_training.Fit],
    run: Run,
    records: Records,
    seed: int,
    key: jax.Array,
    advance: attack_training.Advance,
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
    signal = np.asarray(threshold.loss_threshold(run.features))
    leaking, told = planted.leaking(records, signal, seed)
    name, alone = "loss_threshold", {"null_checks": False}
    rule = scored_rule(name, signal, "passive", leaking, **alone)
    found = attack_run(fits, run, leaking, "passive", key, advance, **alone)
    return [s._replace(row=s.row | told) for s in (rule, *found)]
