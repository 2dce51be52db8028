"""Fine-tuning: three kinds of record, told apart in pairs and three ways."""

from __future__ import annotations

import itertools

import jax
import numpy as np

from jaxprivacy.evaluation import membership as membership_evaluation, three_way
from jaxprivacy.studies import (
    membership_records,
    results,
    whitebox_attacks,
    whitebox_splits as splits,
    whitebox_study as shared,
    whitebox_targets,
)


def fine_tuned(
    study, seed, count, place, mode, victim=0, *, control=False
) -> shared.Finding:
    """Trains on the base records, then on the others, and tells the kinds apart.

    The attacker holds the model before and after fine-tuning (paper B, section on
    fine-tuning; PAPERS row B15). The pairs of kinds are attacked one by one, and from
    the three attacks' scores it is told which of the three a record is.
    """
    settings, dataset = study.settings, study.prepared.dataset
    split = study.prepared.splits[count, seed]
    row = shared.row_of(settings, seed, count, place, mode)
    before, after = _tuned(study, split, seed, place, mode)
    snapshots = jax.tree.map(
        lambda a, b: np.stack([a[-1], b[-1]]), before.snapshots, after.snapshots
    )
    study.stages.stage(f"attacks (seed {seed})", shared.ATTACKING)
    batch, positions = membership_records.gather(dataset, split.members.values())
    observation = shared.observed_at(study, snapshots, batch)
    where = dict(zip(split.members, positions, strict=True))
    pairs = list(itertools.combinations(where, 2))
    found = {}
    for number, (first, second) in enumerate(pairs):
        found[first, second] = whitebox_attacks.attack(
            study.attacks,
            observation,
            membership_records.Records(batch, where[first], where[second]),
            jax.random.fold_in(shared.key(settings, seed, "attacks"), number),
            row | {"pair": f"{first} / {second}"},
            lambda share: study.stages.advance(share / len(pairs)),
        )
    reached = results.accuracies(before.info).items()
    row |= {f"base_{name}": value for name, value in reached}
    scored = [s for of_pair in found.values() for s in of_pair]
    evaluation = {kind: of_kind.evaluation for kind, of_kind in where.items()}
    controls = ()
    if control:
        fresh = membership_records.Records(
            batch, where[splits.BASE], where[splits.FRESH]
        )
        told = shared.row_of(settings, seed, count, place, mode)
        controls = shared.control(study, observation, fresh, told, seed)
    finding = shared.Finding(
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
    return shared.light(
        shared.with_evidence(finding, dataset, held, kinds, measured=tuning)
    )


def _tuned(study, split, seed, place, mode):
    """What was seen of the base training and of the fine-tuning after it."""
    settings, dataset = study.settings, study.prepared.dataset
    base, tuning = split.shares
    seens, params = [], None
    for name, share, total, purpose, earlier in (
        ("base training", base, settings.rounds, "target", []),
        ("fine-tuning", tuning, settings.fine_tuning_rounds, "fine-tuning", [base]),
    ):
        study.stages.stage(f"{name} (seed {seed})", shared.TRAINING / 2)
        trained = shared.trainer(study, 1, place, mode, total=total, records=len(share))
        given = whitebox_targets.give(dataset, [share], split.unheld, share[:1], 0.0)
        key = shared.key(settings, seed, purpose)
        kept = shared.kept(
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
        conditions.pop("learned", None)
        conditions["trained"] = all(s.trained for s in duels.values())
        rows.append(
            three_way.three_way_row(
                conditions | {"setting": "finetune"},
                {pair: s.everyone for pair, s in duels.items()},
                evaluation,
                membership_evaluation.simultaneous_confidence(len(chosen)),
            )
        )
    return tuple(rows)
