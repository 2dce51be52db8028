"""The membership half of a federated audit: its runs, and the attacks on them."""

from __future__ import annotations

from typing import NamedTuple

import jax

from jaxprivacy import checks, data as data_lib, errors
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.report import progress
from jaxprivacy.studies import (
    federated_run,
    membership,
    membership_records,
    server_attacks,
    settings as settings_lib,
    training,
)

DEFAULT = (*membership.NETWORKS, *membership.RULES)
ATTACKS = (*DEFAULT, *server_attacks.NAMES)
CONTROL = 1000  # its key's number, beyond those of the passive attacks
# Weights of the stages on the progress bar: their seconds on two cores, roughly.
TRAINING, PASSIVE, UPLOADS, CONTROLLED, ASCENT, UNDER_ASCENT = STAGES = {
    "federated training": 10.0,
    "passive attacks on it": 30.0,
    "attacks by all uploads": 15.0,
    "positive control": 7.0,
    "training under gradient ascent": 10.0,
    "active attacks on it": 30.0,
}


class Found(NamedTuple):
    """What the attacks on membership found."""

    scored: list[membership_rows.Scored]  # the attacks
    stand_ins: list[membership_rows.Scored]  # further null checks
    controls: list[membership_rows.Scored]  # those on a planted leak
    records: membership_records.Records
    passive: membership.Run
    raised: membership.Run | None  # under gradient ascent; None: nobody attacks it


def chosen(settings: settings_lib.Settings) -> tuple[str, ...]:
    """The attacks that are run, in the order of their rows.

    Raises:
      InputError: an unknown one, or one that compares with participants there are not.
    """
    asked = settings.attacks or DEFAULT
    for name in asked:
        checks.one_of("attacks", name, (*ATTACKS, "all"))
    if "all" in asked:
        asked = ATTACKS
    compare = [name for name in asked if name in server_attacks.COMPARE]
    if compare and settings.participants < server_attacks.FEWEST:
        if "all" not in settings.attacks:
            raise errors.InputError(
                "participants",
                settings.participants,
                found=f"{compare[0]} compares the victim with others",
                accepted=f"are at least {server_attacks.FEWEST}",
            )
        asked = [name for name in asked if name not in compare]
    return tuple(name for name in ATTACKS if name in asked)


def stages(names: tuple[str, ...]) -> tuple[str, ...]:
    """The stages that attacks of these names have."""
    needed = {
        UPLOADS: server_attacks.NAMES,
        CONTROLLED: ("white_box", "loss_threshold"),
        ASCENT: ("white_box",),
        UNDER_ASCENT: ("white_box",),
    }
    return tuple(
        stage for stage in STAGES if set(needed.get(stage, names)) & set(names)
    )


def attack(
    settings: settings_lib.Settings,
    dataset: data_lib.Dataset,
    split: data_lib.Split,
    names: tuple[str, ...],
    key: jax.Array,
    shown: progress.Stages,
) -> Found:
    """Both federated runs, all attacks on them and the positive control.

    Args:
      settings: checked settings.
      dataset: the data.
      split: who holds what.
      names: of `chosen`.
      key: of the runs and of attacks that learn.
      shown: where progress is shown.
    """
    key_run, key_passive, key_active = jax.random.split(key, 3)
    records = _records(settings, dataset, split)
    wanted = stages(names)

    def begin(stage):
        shown.stage(stage, STAGES[stage])

    def federated(**options):
        given = settings, dataset, split, records, key_run, shown.advance
        return federated_run.play(*given, inside="white_box" in names, **options)

    common = records, names, shown
    begin(TRAINING)
    passive = federated(ascent=False, all_uploads=UPLOADS in wanted)
    fits = _fits(settings, dataset, names)
    white_box = {name: fits[name] for name in ("white_box",) if name in fits}
    begin(PASSIVE)
    scored = _attacked(fits, passive, "passive", key_passive, *common)
    stand_ins, controls, raised = [], [], None
    if UPLOADS in wanted:
        begin(UPLOADS)
        seen = _signals(settings, dataset, passive, records, shown)
        asked = seen, records, split.victim, names
        scored += server_attacks.attack(*asked)
        stand_ins = server_attacks.stand_ins(*asked)
    if CONTROLLED in wanted:
        begin(CONTROLLED)
        key_control = jax.random.fold_in(key_passive, CONTROL)
        controls = membership.control(
            white_box, passive, records, settings.seed, key_control, shown.advance
        )
    if ASCENT in wanted:
        begin(ASCENT)
        raised = federated(ascent=True)
        begin(UNDER_ASCENT)
        scored += _attacked(white_box, raised, "gradient_ascent", key_active, *common)
    return Found(scored, stand_ins, controls, records, passive, raised)


def _attacked(fits, run, mode, key, records, names, shown):
    """The attack networks of `fits`, and the rules among the named attacks."""
    # Each network keeps its number, and so its key, where another is left out.
    first = int("white_box" not in fits)
    given = fits, run, records, mode, key, shown.advance
    return [
        *membership.attack_run(*given, first=first),
        *membership.simple_rules(run, records, mode, names),
    ]


def _records(settings, dataset, split):
    others = None
    if settings.others_non_members:
        others = data_lib.of_others(dataset, split, settings.seed)
    return membership.attacked_records(dataset, split, others)


def _fits(settings, dataset, names):
    """The attack networks among the named attacks."""
    layers = membership.captured_layers(settings, dataset)
    return {
        name: membership.make_fit(settings, layers if name == "white_box" else ())
        for name in membership.NETWORKS
        if name in names
    }


def _signals(settings, dataset, run, records, shown):
    """What all uploads of a run show of the attacked records."""
    model = training.target_model(settings, dataset, dataset.num_classes)
    batch = records.batch
    return server_attacks.signals(
        model.apply, run, batch.x, batch.y, advance=shown.advance
    )
