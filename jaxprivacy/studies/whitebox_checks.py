"""Checks of the white-box study: on no leak at all, and on one of known size."""

from __future__ import annotations

import dataclasses
import itertools

import jax
import numpy as np

from jaxprivacy.attacks import threshold as rules
from jaxprivacy.evaluation.membership_rows import Scored
from jaxprivacy.studies import (
    attack_training,
    membership_records,
    planted,
    whitebox_attacks,
    whitebox_settings,
    whitebox_views as views_lib,
)

CONTROLLED = ("loss_threshold", "white_box", "black_box")
# Seed, participants, attacker's place, mode, and perhaps victim.
Case = tuple


def untrained_cases(cases: list[Case]) -> list[Case]:
    """The cases among whose attacked records no two are the same, the first of each.

    Records are drawn anew for each seed, number of participants and attacker's place;
    modes and victims share them, or have theirs drawn alike.
    """
    first = {}
    for case in cases:
        first.setdefault(case[:3], case[:4])
    return list(first.values())


def untrained_pairs(
    settings: whitebox_settings.WhiteboxSettings, kinds: list[str], place: str
) -> list:
    """Which two kinds of record each null check of one case tells apart."""
    if settings.setting != "finetune":
        return [(place, place)]
    return list(itertools.combinations(kinds, 2))


def control(
    attacks: whitebox_attacks.Attacks,
    observation: views_lib.Observation,
    records: membership_records.Records,
    key: jax.Array,
    row: dict,
    advance: attack_training.Advance,
) -> list[Scored]:
    """The positive control: non-members of one target, of which some leak.

    The rule on the loss, and with supervision one trained attack, are run as they are
    run on members: on the view with most layers if it sees the loss, else on the black
    box.

    Args:
      attacks: of the study.
      observation: of the target.
      records: the attacked ones, in the observation's order; members play no part.
      key: of the trained attack; the records are drawn by the study's seed.
      row: what distinguishes the target.
      advance: told the share done.

    Returns:
      The attacks' scores, their rows marked `control` and with the AUC `planted`.
    """
    settings = attacks.settings
    signal = np.asarray(rules.loss_threshold(observation.basic))
    leaking, told = planted.leaking(records, signal, settings.seed)
    _, widest = view = whitebox_attacks.widest(attacks.views)
    settings = dataclasses.replace(
        settings,
        null_checks=False,
        supervision=tuple({"supervised"} & set(settings.supervision)),
        black_box=not widest.loss,
        attack_members=(),
        attack_non_members=(),
    )
    found = whitebox_attacks.attack(
        attacks._replace(settings=settings, views=[view] if widest.loss else []),
        observation,
        leaking,
        key,
        row | told,
        advance,
    )
    return [s for s in found if s.row["attack"] in CONTROLLED]
