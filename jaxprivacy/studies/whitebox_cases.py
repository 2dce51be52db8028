"""One target of paper B's study: trained, or loaded, and attacked."""

from __future__ import annotations

import jax
import numpy as np

from jaxprivacy.evaluation import membership as membership_evaluation, membership_rows
from jaxprivacy.studies import (
    training,
    whitebox_attacks,
    whitebox_checks,
    whitebox_imports,
    whitebox_report,
    whitebox_settings,
    whitebox_shadows,
    whitebox_splits as splits,
    whitebox_study as shared,
    whitebox_targets,
)

SHADOWS_BY = ("studies/whitebox_shadows.py",)


def attacked(
    study, seed, count, place, mode, victim=0, *, control=False
) -> shared.Finding:
    """Trains one target at each rate of ascent, and attacks the one chosen.

    With `control` the positive control is run on it too.
    """
    settings, dataset = study.settings, study.prepared.dataset
    split = splits.of_victim(
        settings, dataset, study.prepared.splits[count, seed], victim, seed
    )
    records = whitebox_attacks.gather(
        dataset, split.members[place], split.non_members[place]
    )
    row = shared.row_of(settings, seed, count, place, mode)
    if settings.victims == "all" and place == "global":
        row |= {"victim": victim}
    trained = shared.trainer(
        study, count, place, mode, total=settings.rounds, records=len(split.shares[0])
    )
    tried, diverged = [], []
    for rate in settings.rates(mode):
        case = place, mode, rate, victim
        try:
            tried.append(_at_rate(study, trained, split, records, row, seed, case))
        except training.Diverged as error:
            diverged.append(error)
    if not tried:
        raise diverged[0]
    best = max(tried, key=lambda finding: _selected(finding.scored))
    if "shadow" in settings.supervision:
        study.stages.stage("shadow models and their attack", shared.SHADOWS)
        best = best._replace(
            scored=best.scored + _shadowed(study, best.seen, split, records, row, seed)
        )
    if control:
        text = settings.observed_rounds[0]
        rounds = [r + 1 for r in whitebox_settings.observed(text, settings.rounds)]
        rate = best.row.get("ascent_rate", 0.0)
        seen = observation(study, best.seen, records, rounds, rate)
        best = best._replace(controls=shared.control(study, seen, records, row, seed))
    notes = tuple(f"Left out, {_named(row)}: {error}." for error in diverged)
    return shared.light(best._replace(notes=notes))


def _named(row):
    return ", ".join(str(value) for value in row.values())


def _at_rate(study, trained, split, records, row, seed, case):
    """Trains one target at one rate of ascent, and attacks it.

    Raises:
      training.Diverged: it cannot be attacked.
    """
    settings, dataset = study.settings, study.prepared.dataset
    place, _, rate, victim = case
    study.stages.stage(f"training ({_named(row)})", shared.TRAINING)
    kinds = split.members[place], split.non_members[place]
    attacked = np.concatenate([*kinds[0], *kinds[1]])
    given = whitebox_targets.give(
        dataset, split.shares, split.unheld, attacked, rate, victim
    )
    # Participant 0's are named as before there was another.
    kept_as = case if victim else case[:3]
    seen = _target(study, trained, given, split, seed, kept_as, attacked)
    study.stages.stage(f"attacks ({_named(row)})", shared.ATTACKING)
    told = {"ascent_rate": rate} if rate else {}
    found = attack_one(study, seen, records, row | told, seed)
    found = shared.with_evidence(found, dataset, np.concatenate(split.shares), kinds)
    if settings.setting == "federated" and place == "global":
        reached = whitebox_targets.victim_accuracies(trained, given, seen)
        found = found._replace(row=found.row | reached)
    return found


def on_untrained(study, seed, count, place, mode) -> list[membership_rows.Scored]:
    """The null checks on a model that was trained on nothing."""
    settings, dataset = study.settings, study.prepared.dataset
    split = study.prepared.splits[count, seed]
    row = shared.row_of(settings, seed, count, place, mode)
    pairs = whitebox_checks.untrained_pairs(settings, list(split.members), place)
    study.stages.stage(
        f"null check on an untrained model (seed {seed})", shared.ATTACKING * len(pairs)
    )
    found = []
    for first, second in pairs:
        pair = {} if first == second else {"pair": f"{first} / {second}"}
        found += whitebox_attacks.on_untrained(
            study.attacks,
            whitebox_targets.model(settings, dataset),
            whitebox_attacks.gather(
                dataset, split.members[first], split.non_members[second]
            ),
            shared.key(settings, seed, "untrained"),
            row | pair,
            lambda share: study.stages.advance(share / len(pairs)),
        )
    return found


def _target(study, trained, given, split, seed, case, attacked):
    """Trains one target, or loads it, and saves it where that is asked for."""
    settings, dataset = study.settings, study.prepared.dataset
    if settings.import_target:
        return whitebox_imports.imported(settings, dataset, split.shares, given)
    kept = shared.kept(
        study,
        trained,
        shares=split.shares,
        seed=seed,
        case=case,
        others=[attacked] if given.rate else [],
    )
    key, advance = shared.key(settings, seed, "target"), study.stages.advance
    seen, _ = whitebox_targets.train(trained, given, key, advance, checkpoint=kept)
    if settings.export_target:
        whitebox_imports.export(settings, dataset, split.shares, seed, seen)
    return seen


def _selected(scored):
    """By what a rate is chosen: the first trained attack's AUC on selection records.

    Without a supervised attack the attacker has no labels to choose by, and all are
    equal: the first rate is taken.
    """
    for s in scored:
        if s.row.get("supervision") == "supervised" and s.trained is not False:
            return membership_evaluation.auc(*s.scores[:2]).value
    return 0.0


def observation(study, seen, records, rounds, ascent_rate):
    """What the attacker holds at these rounds, counted from 1."""
    where = np.array([seen.rounds.index(number) for number in rounds])
    snapshots = jax.tree.map(lambda a: a[where], seen.snapshots)
    return shared.observed_at(study, snapshots, records.batch, ascent_rate)


def attack_one(study, seen, records, row, seed) -> shared.Finding:
    """Every attack on one trained target, at each choice of observed rounds."""
    settings = study.settings
    federated = settings.setting == "federated"
    several = len(settings.observed_rounds) > 1
    found = []
    for number, text in enumerate(settings.observed_rounds):
        rounds = [r + 1 for r in whitebox_settings.observed(text, settings.rounds)]
        told = {"observed_rounds": rounds} if federated or several else {}
        key = jax.random.fold_in(shared.key(settings, seed, "attacks"), number)
        found += whitebox_attacks.attack(
            study.attacks,
            observation(study, seen, records, rounds, row.get("ascent_rate", 0.0)),
            records,
            key,
            row | told,
            lambda share: study.stages.advance(share / len(settings.observed_rounds)),
        )
    shown = whitebox_report.diagnosed(records)
    basic = study.attacks.observer.observe_basic(
        seen.snapshots, records.batch.x[shown], records.batch.y[shown]
    )
    whitebox_targets.check_observed(settings, basic, row.get("ascent_rate", 0.0))
    unit = "round" if federated else "epoch"
    told = whitebox_report.diagnostics(basic, seen.rounds, found, unit)
    return shared.Finding(row, seen, found, told, outputs=np.asarray(basic.output[-1]))


def _shadowed(study, seen, split, records, row, seed):
    settings = study.settings
    last = seen._replace(
        snapshots=jax.tree.map(lambda a: a[-1:], seen.snapshots),
        rounds=seen.rounds[-1:],
    )
    observer = study.attacks.observer
    observation = observer.observe(last.snapshots, records.batch.x, records.batch.y)
    key_train, key_attack = jax.random.split(shared.key(settings, seed, "shadows"))

    def half(share):
        study.stages.advance(share / 2)

    def kept(shares):
        total, few = settings.rounds, len(shares[0])
        trained = shared.trainer(
            study, 1, "global", "passive", total=total, records=few
        )
        last = trained._replace(rounds=[])  # No round but the last is looked at.
        return shared.kept(
            study, last, shares=shares, seed=seed, case=("shadows",), modules=SHADOWS_BY
        )

    shadows = whitebox_shadows.train(
        settings,
        study.prepared.dataset,
        split,
        records,
        observer,
        key_train,
        seed,
        half,
        kept,
    )
    row = row | {"overlapping": shadows.overlapping}
    return whitebox_shadows.attack(
        study.attacks,
        observation,
        shadows,
        records,
        key_attack,
        row,
        half,
    )
