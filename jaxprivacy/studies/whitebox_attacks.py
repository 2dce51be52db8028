"""Every membership attack on what was observed of a target, with its null check."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxprivacy import types
from jaxprivacy.attacks import unsupervised
from jaxprivacy.data import Dataset, attack_sets
from jaxprivacy.evaluation.membership_rows import Scored
from jaxprivacy.programs import compilation
from jaxprivacy.studies import (
    attack_training,
    membership,
    membership_records,
    whitebox_settings,
    whitebox_unsupervised,
    whitebox_views as views_lib,
)
from jaxprivacy.studies.attack_training import Advance, Positions, Trained

UNSUPERVISED = 1000  # its keys are numbered from here on


Seen = tuple[whitebox_settings.Variant, views_lib.View]  # by one attack


class Attacks(NamedTuple):
    """What all attacks of a study share."""

    settings: whitebox_settings.WhiteboxSettings
    observer: views_lib.Observer
    views: list[Seen]
    layers: tuple


def gather(
    dataset: Dataset, members: attack_sets.Sets, non_members: attack_sets.Sets
) -> membership_records.Records:
    """Gathers the attacked records: members, then non-members, set after set."""
    batch, positions = membership_records.gather(dataset, [members, non_members])
    return membership_records.Records(batch, *positions)


def limited(positions: Positions, count: int | None) -> Positions:
    """The same with so many attack-training records; None: all."""
    return (
        positions
        if count is None
        else positions._replace(train=positions.train[:count])
    )


def sized(
    score: membership_records.Score, size: whitebox_settings.Size
) -> membership_records.Score:
    """The same attack, which learns from so many records of each kind."""

    def score_by_some(members, non_members, number, advance):
        members = limited(members, size.members)
        return score(members, limited(non_members, size.non_members), number, advance)

    return score_by_some


def attack(
    attacks: Attacks,
    observation: views_lib.Observation,
    records: membership_records.Records,
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
    records: membership_records.Records,
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


Job = Callable[[membership_records.Records, Advance], Scored]


def _scored(attacks, row, records, score, advance, **options) -> Scored:
    """The attack and, where the settings ask for it, its null check."""
    checks = {"null_checks": attacks.settings.null_checks}
    return membership_records.scored(row, records, score, advance, **checks, **options)


def _thresholds(attacks, observation, row) -> list[Job]:
    """The simplest attacks: by the loss, the confidence and the gradient's norm.

    The norm is of all layers, and of those that a view is limited to: what their
    gradients give away to an attacker that learns nothing.
    """
    basic = observation.basic
    cases = [({"attack": name}, rule(basic)) for name, rule in membership.RULES.items()]
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
            score = membership_records.rule(values)
            return _scored(attacks, {**name, **row}, records, score, advance)

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

            score = sized(score, size)
            return _scored(attacks, {**name, **row, **told}, records, score, advance)

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

            undecided = unsupervised.UNDECIDED
            scored = _scored(
                attacks, {**told, **row}, records, score, advance, threshold=undecided
            )
            kinds = (records.members, records.non_members)
            return scored._replace(
                embeddings=tuple(numbers[0][kind.evaluation] for kind in kinds)
            )

        return run

    return [job(i, *case) for i, case in enumerate(attacks.views)]
