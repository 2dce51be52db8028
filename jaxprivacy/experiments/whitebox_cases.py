"""One target of paper B's study: trained, or loaded, and attacked."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxprivacy import data as data_lib
from jaxprivacy.evaluation import membership as membership_evaluation
from jaxprivacy.evaluation import three_way
from jaxprivacy.evaluation.membership_rows import Scored
from jaxprivacy.experiments import (
    evidence,
    results,
    training,
    whitebox_attacks,
    whitebox_checks,
    whitebox_imports,
    whitebox_kept,
    whitebox_report,
    whitebox_shadows,
    whitebox_targets,
)
from jaxprivacy.experiments import whitebox_splits as splits
from jaxprivacy.experiments.whitebox_attacks import Attacks
from jaxprivacy.experiments.whitebox_settings import WhiteboxSettings, observed
from jaxprivacy.experiments.whitebox_targets import Attacker
from jaxprivacy.models import interception
from jaxprivacy.report import contents
from jaxprivacy.report.progress import Stages

DIAGNOSED_ROUNDS = 10
TRAINING, ATTACKING, SHADOWS = 1.0, 2.0, 4.0  # weights on the progress bar


class Prepared(NamedTuple):
    """What is settled before anything is trained."""

    dataset: data_lib.Dataset
    splits: dict[tuple[int, int], splits.Split]  # (participants, seed) -> its split
    layers: tuple[interception.Layer, ...]
    views: list
    channels: dict[str, int]  # of the layers' inputs that are images


class Study(NamedTuple):
    """What all targets of a study share."""

    settings: WhiteboxSettings
    prepared: Prepared
    attacks: Attacks
    stages: Stages
    targets: str  # folder of trained targets
    data: str  # its fingerprint, where targets are kept
    kept: dict  # identities of the targets that were kept before
    trainers: dict  # (participants, place, mode) -> what trains such targets


class Finding(NamedTuple):
    """What came of one target."""

    row: dict[str, Any]  # what distinguishes it, and what is known of the victim
    seen: whitebox_targets.Seen
    scored: list[Scored]
    diagnostics: contents.Diagnostics | None
    notes: tuple[str, ...] = ()
    three_way: tuple[dict, ...] = ()  # rows of fine-tuning's three kinds
    evidence: dict[str, Any] = {}  # what the records and outputs let any attack see
    outputs: np.ndarray | None = None  # (N, K) of attacked records, in the end
    controls: tuple[Scored, ...] = ()  # of a planted leak


def _kept_rounds(settings, total):
    """All rounds at which some attack looks, and those of the diagnostics."""
    wanted = {r for text in settings.observed_rounds for r in observed(text, total)}
    count = min(DIAGNOSED_ROUNDS, total)
    return sorted(wanted | set(observed(str(count), total)))


def _trainer(study, count, place, mode, *, total, records):
    known = (count, place, mode, total, records)
    if known not in study.trainers:
        study.trainers[known] = whitebox_targets.trainer(
            study.settings,
            study.prepared.dataset,
            Attacker(place, mode),
            _kept_rounds(study.settings, total),
            total=total,
            records=records,
        )
    return study.trainers[known]


def _kept(study, trained, **options):
    """Where a target is kept; None: nowhere."""
    if not study.targets:
        return None
    described = whitebox_kept.identity(
        study.settings, trained, data=study.data, **options
    )
    return whitebox_kept.kept(study.targets, described, study.kept, study.stages.say)


def _key(settings, seed, name):
    """A key for one purpose; targets that differ only in their attacker share it."""
    purposes = "target attacks shadows fine-tuning untrained control".split()
    return jax.random.fold_in(jax.random.key(seed), purposes.index(name))


def attacked(study, seed, count, place, mode, victim=0, *, control=False) -> Finding:
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
    attacked = np.concatenate([*split.members[place], *split.non_members[place]])
    row = _row(settings, seed, count, place, mode)
    if settings.victims == "all" and place == "global":
        row |= {"victim": victim}
    trained = _trainer(
        study, count, place, mode, total=settings.rounds, records=len(split.shares[0])
    )
    tried, diverged = [], []
    named = ", ".join(str(value) for value in row.values())
    for rate in settings.rates(mode):
        study.stages.stage(f"training ({named})", TRAINING)
        given = whitebox_targets.give(
            dataset, split.shares, split.unheld, attacked, rate, victim
        )
        # Participant 0's are named as before there was another.
        case = (place, mode, rate, victim)[: 4 if victim else 3]
        told = {"ascent_rate": rate} if rate else {}
        try:
            seen = _target(study, trained, given, split, seed, case, attacked)
            study.stages.stage(f"attacks ({named})", ATTACKING)
            found = _attack_one(study, seen, records, row | told, seed)
        except training.Diverged as error:
            diverged.append(error)
            continue
        kinds = split.members[place], split.non_members[place]
        found = _with_evidence(found, dataset, np.concatenate(split.shares), kinds)
        if settings.setting == "federated" and place == "global":
            reached = whitebox_targets.victim_accuracies(trained, given, seen)
            found = found._replace(row=found.row | reached)
        tried.append(found)
    if not tried:
        raise diverged[0]
    best = max(tried, key=lambda finding: _selected(finding.scored))
    if "shadow" in settings.supervision:
        study.stages.stage("shadow models and their attack", SHADOWS)
        best = best._replace(
            scored=best.scored + _shadowed(study, best.seen, split, records, row, seed)
        )
    if control:
        rounds = [r + 1 for r in observed(settings.observed_rounds[0], settings.rounds)]
        rate = best.row.get("ascent_rate", 0.0)
        seen = _observation(study, best.seen, records, rounds, rate)
        best = best._replace(controls=_control(study, seen, records, row, seed))
    notes = tuple(f"Left out, {named}: {error}." for error in diverged)
    return _light(best._replace(notes=notes))


def _control(study, observation, records, row, seed):
    study.stages.stage("positive control", ATTACKING / 2)
    key, advance = _key(study.settings, seed, "control"), study.stages.advance
    return tuple(
        whitebox_checks.control(study.attacks, observation, records, key, row, advance)
    )


def on_untrained(study, seed, count, place, mode) -> list[Scored]:
    """The null checks on a model that was trained on nothing."""
    settings, dataset = study.settings, study.prepared.dataset
    split = study.prepared.splits[count, seed]
    row = _row(settings, seed, count, place, mode)
    pairs = whitebox_checks.untrained_pairs(settings, list(split.members), place)
    study.stages.stage(
        f"null check on an untrained model (seed {seed})", ATTACKING * len(pairs)
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
            _key(settings, seed, "untrained"),
            row | pair,
            lambda share: study.stages.advance(share / len(pairs)),
        )
    return found


def _target(study, trained, given, split, seed, case, attacked):
    """Trains one target, or loads it, and saves it where that is asked for."""
    settings, dataset = study.settings, study.prepared.dataset
    if settings.import_target:
        return whitebox_imports.imported(settings, dataset, split.shares, given)
    kept = _kept(
        study,
        trained,
        shares=split.shares,
        seed=seed,
        case=case,
        others=[attacked] if given.rate else [],
    )
    key, advance = _key(settings, seed, "target"), study.stages.advance
    seen, _ = whitebox_targets.train(trained, given, key, advance, checkpoint=kept)
    if settings.export_target:
        whitebox_imports.export(settings, dataset, split.shares, seed, seen)
    return seen


def _with_evidence(finding, dataset, held, kinds, measured=None):
    """With what its records and outputs let any attack see, in the outputs' place."""
    evaluated = [kind.evaluation for kind in kinds]
    told = evidence.of_target(dataset, held, *evaluated, finding.outputs, measured)
    return finding._replace(evidence=told, outputs=None)


def _light(finding):
    """Without the snapshots, which are the most of it and have served."""
    return finding._replace(seen=finding.seen._replace(snapshots=()))


def _row(settings, seed, count, place, mode):
    row = {"attacker": place, "mode": mode}
    if settings.setting == "federated":
        row["participants"] = count
    return row | {"seed": seed}


def _selected(scored):
    """By what a rate is chosen: the first trained attack's AUC on selection records.

    Without a supervised attack the attacker has no labels to choose by, and all are
    equal: the first rate is taken.
    """
    for s in scored:
        if s.row.get("supervision") == "supervised":
            return membership_evaluation.auc(*s.scores[:2]).value
    return 0.0


def _observation(study, seen, records, rounds, ascent_rate):
    """What the attacker holds at these rounds, counted from 1."""
    where = np.array([seen.rounds.index(number) for number in rounds])
    snapshots = jax.tree.map(lambda a: a[where], seen.snapshots)
    return _observed(study, snapshots, records.batch, ascent_rate)


def _observed(study, snapshots, batch, ascent_rate=0.0):
    """The snapshots as attacks take them; refused where they overflow."""
    observation = study.attacks.observer.observe(snapshots, batch.x, batch.y)
    whitebox_targets.check_observed(study.settings, observation.basic, ascent_rate)
    return observation


def _attack_one(study, seen, records, row, seed) -> Finding:
    """Every attack on one trained target, at each choice of observed rounds."""
    settings = study.settings
    federated = settings.setting == "federated"
    several = len(settings.observed_rounds) > 1
    found = []
    for number, text in enumerate(settings.observed_rounds):
        rounds = [r + 1 for r in observed(text, settings.rounds)]
        told = {"observed_rounds": rounds} if federated or several else {}
        key = jax.random.fold_in(_key(settings, seed, "attacks"), number)
        found += whitebox_attacks.attack(
            study.attacks,
            _observation(study, seen, records, rounds, row.get("ascent_rate", 0.0)),
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
    return Finding(row, seen, found, told, outputs=np.asarray(basic.output[-1]))


def _shadowed(study, seen, split, records, row, seed):
    settings = study.settings
    last = seen._replace(
        snapshots=jax.tree.map(lambda a: a[-1:], seen.snapshots),
        rounds=seen.rounds[-1:],
    )
    observer = study.attacks.observer
    observation = observer.observe(last.snapshots, records.batch.x, records.batch.y)
    key_train, key_attack = jax.random.split(_key(settings, seed, "shadows"))

    def half(share):
        study.stages.advance(share / 2)

    def kept(shares):
        total, few = settings.rounds, len(shares[0])
        trained = _trainer(study, 1, "global", "passive", total=total, records=few)
        last = trained._replace(rounds=[])  # No round but the last is looked at.
        return _kept(study, last, shares=shares, seed=seed, case=("shadows",))

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


def fine_tuned(study, seed, count, place, mode, victim=0, *, control=False) -> Finding:
    """Trains on the base records, then on the others, and tells the kinds apart.

    The attacker holds the model before and after fine-tuning (paper B, section on
    fine-tuning; PAPERS row B15). The pairs of kinds are attacked one by one, and from
    the three attacks' scores it is told which of the three a record is.
    """
    settings, dataset = study.settings, study.prepared.dataset
    split = study.prepared.splits[count, seed]
    row = _row(settings, seed, count, place, mode)
    before, after = _tuned(study, split, seed, place, mode)
    snapshots = jax.tree.map(
        lambda a, b: np.stack([a[-1], b[-1]]), before.snapshots, after.snapshots
    )
    study.stages.stage(f"attacks (seed {seed})", ATTACKING)
    batch, positions = whitebox_attacks.gather_kinds(dataset, split.members.values())
    observation = _observed(study, snapshots, batch)
    where = dict(zip(split.members, positions, strict=True))
    pairs = list(itertools.combinations(where, 2))
    found = {}
    for number, (first, second) in enumerate(pairs):
        found[first, second] = whitebox_attacks.attack(
            study.attacks,
            observation,
            whitebox_attacks.Records(batch, where[first], where[second]),
            jax.random.fold_in(_key(settings, seed, "attacks"), number),
            row | {"pair": f"{first} / {second}"},
            lambda share: study.stages.advance(share / len(pairs)),
        )
    reached = results.accuracies(before.info).items()
    row |= {f"base_{name}": value for name, value in reached}
    scored = [s for of_pair in found.values() for s in of_pair]
    evaluation = {kind: of_kind.evaluation for kind, of_kind in where.items()}
    controls = ()
    if control:
        fresh = whitebox_attacks.Records(batch, where[splits.BASE], where[splits.FRESH])
        told = _row(settings, seed, count, place, mode)
        controls = _control(study, observation, fresh, told, seed)
    finding = Finding(
        row,
        after,
        scored,
        None,
        three_way=_three_way(found, evaluation),
        controls=controls,
        outputs=np.asarray(observation.basic.output[-1]),
    )
    kinds = split.members[splits.BASE], split.members[splits.FRESH]
    held, (_, tuning) = np.concatenate(split.shares), split.shares
    return _light(_with_evidence(finding, dataset, held, kinds, measured=tuning))


def _tuned(study, split, seed, place, mode):
    """What was seen of the base training and of the fine-tuning after it."""
    settings, dataset = study.settings, study.prepared.dataset
    base, tuning = split.shares
    seens, params = [], None
    for name, share, total, purpose, earlier in (
        ("base training", base, settings.rounds, "target", []),
        ("fine-tuning", tuning, settings.fine_tuning_rounds, "fine-tuning", [base]),
    ):
        study.stages.stage(f"{name} (seed {seed})", TRAINING / 2)
        trained = _trainer(study, 1, place, mode, total=total, records=len(share))
        given = whitebox_targets.give(dataset, [share], split.unheld, share[:1], 0.0)
        key = _key(settings, seed, purpose)
        kept = _kept(
            study,
            trained,
            shares=[share],
            seed=seed,
            case=(purpose, settings.rounds),
            others=earlier,
        )
        seen, params = whitebox_targets.train(
            trained, given, key, study.stages.advance, params=params, checkpoint=kept
        )
        seens.append(seen)
    return seens


def _three_way(found, evaluation):
    """Each trained attack's answers to which of the kinds a record is."""
    chosen = [
        i
        for i, s in enumerate(next(iter(found.values())))
        if s.row.get("supervision") == "supervised"
    ]
    rows = []
    for i in chosen:
        duels = {pair: of_pair[i] for pair, of_pair in found.items()}
        conditions = dict(next(iter(duels.values())).row)
        del conditions["pair"]
        rows.append(
            three_way.three_way_row(
                conditions | {"setting": "finetune"},
                {pair: s.everyone for pair, s in duels.items()},
                evaluation,
                membership_evaluation.simultaneous_confidence(len(chosen)),
            )
        )
    return tuple(rows)
