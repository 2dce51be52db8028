"""Every membership attack on what was observed of a target, with its null check."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxprivacy import types
from jaxprivacy.attacks import threshold as rules, unsupervised
from jaxprivacy.data import Dataset, attack_sets
from jaxprivacy.evaluation.membership_rows import Scored
from jaxprivacy.programs import compilation
from jaxprivacy.studies import (
    attack_training,
    training,
    whitebox_settings,
    whitebox_unsupervised,
    whitebox_views as views_lib,
)
from jaxprivacy.studies.attack_training import Advance, Positions, Trained

UNSUPERVISED = 1000  # its keys are numbered from here on


class Records(NamedTuple):
    """The records whose membership is asked, and where each kind stands."""

    batch: types.Batch
    members: Positions
    non_members: Positions


Seen = tuple[whitebox_settings.Variant, views_lib.View]  # by one attack


class Attacks(NamedTuple):
    """What all attacks of a study share."""

    settings: whitebox_settings.WhiteboxSettings
    observer: views_lib.Observer
    views: list[Seen]
    layers: tuple


def gather(
    dataset: Dataset, members: attack_sets.Sets, non_members: attack_sets.Sets
) -> Records:
    """Gathers the attacked records: members, then non-members, set after set."""
    batch, positions = gather_kinds(dataset, [members, non_members])
    return Records(batch, *positions)


def gather_kinds(
    dataset: Dataset, kinds: Iterable[attack_sets.Sets]
) -> tuple[types.Batch, list[Positions]]:
    """Gathers the records of any number of kinds: kind after kind, set after set."""
    parts = [part for sets in kinds for part in sets]
    ends = np.cumsum([len(part) for part in parts])
    where = np.split(np.arange(ends[-1]), ends[:-1])
    batch = training.batch(dataset, np.concatenate(parts))
    return batch, [Positions(*where[i : i + 3]) for i in range(0, len(parts), 3)]


def limited(positions: Positions, count: int | None) -> Positions:
    """The same with so many attack-training records; None: all."""
    return (
        positions
        if count is None
        else positions._replace(train=positions.train[:count])
    )


def null_positions(records: Records) -> tuple[Positions, Positions]:
    """Non-members in the place of members and of non-members."""
    first, second = attack_sets.halves(attack_sets.Sets(*records.non_members))
    return Positions(*first), Positions(*second)


def attack(
    attacks: Attacks,
    observation: views_lib.Observation,
    records: Records,
    key: jax.Array,
    row: dict[str, Any],
    advance: Advance,
) -> list[Scored]:
    """Runs every attack that the settings ask for on one target at given rounds.

    Args:
      attacks: of the study.
      observation: of the target.
      records: the attacked ones, in the observation's order.
      key: of the attacks' random choices.
      row: what distinguishes the target, for the rows of the result.
      advance: told the share done.
    """
    settings = attacks.settings
    jobs = _thresholds(attacks, observation, row)
    if "supervised" in settings.supervision:
        for size in settings.attack_sizes():
            jobs += _supervised(attacks, observation, key, row, size)
    if "unsupervised" in settings.supervision:
        jobs += _unsupervised(attacks, observation, key, row)
    found = []
    for job in jobs:
        found.append(job(records, lambda share: advance(share / len(jobs))))
    return found


def widest(views: list[Seen]) -> Seen:
    """The view of most layers, which stands for the others in checks."""
    return max(views, key=lambda v: len(v[1].hidden) + len(v[1].gradients))


def on_untrained(
    attacks: Attacks,
    network: types.Model,
    records: Records,
    key: jax.Array,
    row: dict[str, Any],
    advance: Advance,
) -> list[Scored]:
    """Runs the attacks on a model that was trained on nothing: a null check.

    The check among non-members cannot see that members were sampled in another way than
    non-members, by which an attack could tell them apart without any target. Here the
    real members and non-members are attacked, through a random model.

    Args:
      attacks: of the study; the one that sees most layers is run.
      network: the target's.
      records: the attacked ones.
      key: of the random model and of the attacks.
      row: what distinguishes the target.
      advance: told the share done.
    """
    settings = dataclasses.replace(
        attacks.settings,
        null_checks=False,
        black_box=False,
        attack_members=(),
        attack_non_members=(),
    )
    key_params, key_attacks = jax.random.split(key)
    params = compilation.initial(network.init, key_params)
    observation = attacks.observer.observe(
        jax.tree.map(lambda a: a[None], params), records.batch.x, records.batch.y
    )
    return attack(
        attacks._replace(settings=settings, views=[widest(attacks.views)]),
        observation,
        records,
        key_attacks,
        row | {"target": "untrained"},
        advance,
    )


Job = Callable[[Records, Advance], Scored]


def _scored(
    settings: whitebox_settings.WhiteboxSettings,
    row: dict,
    records: Records,
    score: Callable[[Positions, Positions, int, Advance], Trained],
    advance: Advance,
    *,
    size: whitebox_settings.Size | None = None,
    threshold: float | None = None,
) -> Scored:
    """Scores members against non-members and, for the null check, among the latter.

    `score` takes where members and non-members stand, a number for its key, and who is
    told the share done; it returns scores of all records, and whether it was trained.
    """
    passes = 2 if settings.null_checks else 1

    def once(number, members, non_members):
        return score(
            members, non_members, number, lambda share: advance(share / passes)
        )

    size = size or whitebox_settings.Size(None, None)
    known = limited(records.members, size.members)
    others = limited(records.non_members, size.non_members)
    found = once(0, known, others)
    if found.learned is not None:
        row = row | {"learned": found.learned}
    real = attack_training.scores(found.scores, known, others)
    null, null_trained = None, None
    if settings.null_checks:
        first, second = null_positions(records)
        first, second = limited(first, size.members), limited(second, size.non_members)
        of_null = once(1, first, second)
        null = attack_training.scores(of_null.scores, first, second)
        null_trained = of_null.trained
    return Scored(
        row,
        real,
        null,
        threshold,
        everyone=found.scores,
        trained=found.trained,
        null_trained=null_trained,
    )


def _thresholds(attacks, observation, row) -> list[Job]:
    """The simplest attacks: by the loss, the confidence and the gradient's norm.

    The norm is of all layers, and of those that a view is limited to: what their
    gradients give away to an attacker that learns nothing.
    """
    basic = observation.basic
    cases = [
        ({"attack": "loss_threshold"}, rules.loss_threshold(basic)),
        ({"attack": "confidence"}, rules.confidence(basic)),
        ({"attack": "gradient_norm"}, rules.gradient_norm(basic)),
    ]
    limited_to = {
        variant.gradients: [layer in view.gradients for layer in attacks.layers]
        for variant, view in attacks.views
        if 0 < len(view.gradients) < len(attacks.layers)
    }
    for gradients, chosen in limited_to.items():
        norm = np.linalg.norm(np.asarray(basic.layer_norms[-1])[:, chosen], axis=1)
        cases.append(({"attack": "gradient_norm", "gradients": gradients}, -norm))

    def job(name, values):
        def run(records, advance):
            scores = Trained(np.asarray(values, np.float64), None)
            return _scored(
                attacks.settings,
                {**name, **row},
                records,
                lambda members, others, number, tell: (tell(1), scores)[1],
                advance,
            )

        return run

    return [job(*case) for case in cases]


def _supervised(attacks, observation, key, row, size) -> list[Job]:
    """The attack network on each view, and the black-box attack."""
    settings, observer = attacks.settings, attacks.observer
    cases = [
        ({"attack": "white_box", **views_lib.described(variant)}, view)
        for variant, view in attacks.views
    ]
    if settings.black_box:
        cases.append(({"attack": "black_box"}, views_lib.BLACK_BOX))
    many = len(settings.attack_sizes()) > 1

    def job(number, name, view):
        fit = observer.fit(view, views_lib.streams(observation, view))
        inputs = observer.inputs(observation, view)

        def run(records, advance):
            told = {"supervision": "supervised"}
            if name["attack"] == "white_box" and not (view.hidden or view.gradients):
                told["outputs_only"] = True  # It holds more, and uses none of it.
            if many:
                told |= {
                    "attack_members": len(limited(records.members, size.members).train),
                    "attack_non_members": len(
                        limited(records.non_members, size.non_members).train
                    ),
                }

            def score(members, non_members, which, tell):
                key_fit = jax.random.fold_in(jax.random.fold_in(key, number), which)
                return attack_training.train_attack(
                    fit,
                    key_fit,
                    inputs,
                    members,
                    non_members,
                    tell,
                    keep_network=which > 0,
                )

            return _scored(
                settings, {**name, **row, **told}, records, score, advance, size=size
            )

        return run

    return [job(i, *case) for i, case in enumerate(cases)]


def _unsupervised(attacks, observation, key, row) -> list[Job]:
    """The autoencoder on each view; it never sees which records are members."""
    settings = attacks.settings

    def job(number, variant, view):
        told = {
            "attack": "unsupervised",
            **views_lib.described(variant),
            "supervision": "unsupervised",
        }
        key_view = jax.random.fold_in(key, UNSUPERVISED + number)

        def run(records, advance):
            numbers = {}

            def score(members, non_members, which, tell):
                # In an order of their own, which the attack does not use.
                where = np.sort(np.concatenate([*members[1:], *non_members[1:]]))
                key_case = jax.random.fold_in(key_view, which)
                found = whitebox_unsupervised.scores(
                    attacks.observer,
                    observation,
                    view,
                    where,
                    key_case,
                    tell,
                    preset=settings.attack_preset(),
                    seed=settings.seed,
                )
                scores, numbers[which] = np.zeros((2, len(observation.y)))
                scores[where], numbers[which][where] = found
                return Trained(scores, bool(np.ptp(found[0]) > 0))

            scored = _scored(
                settings,
                {**told, **row},
                records,
                score,
                advance,
                threshold=unsupervised.UNDECIDED,
            )
            kinds = (records.members, records.non_members)
            return scored._replace(
                embeddings=tuple(numbers[0][kind.evaluation] for kind in kinds)
            )

        return run

    return [job(i, *case) for i, case in enumerate(attacks.views)]
