"""What attacks of a stand-alone audit say of each record."""

from __future__ import annotations

import jax
import numpy as np

from jaxprivacy import cards
from jaxprivacy.attacks import membership as membership_attacks
from jaxprivacy.data import reference_sets
from jaxprivacy.evaluation import membership as membership_evaluation, membership_rows
from jaxprivacy.studies import (
    attack_training,
    lookup,
    membership,
    membership_records,
    reference_attacks,
    reference_records,
    training,
)

FEWEST_REFERENCES = 4  # a variance needs two models with a record and two without


def of_outputs(
    said, records, dealt, names, target, seed, inside=None
) -> list[membership_rows.Scored]:
    """Each attack's scores of one target's outputs, and of its null check.

    The null check attacks another model of the pool, whose records were drawn without
    regard to the target's, and asks for the target's members: of the pair nothing is
    among the references. It finds what the pool itself would tell of membership.
    `inside` are numbers of the gradients, where attacks take them.
    """
    models = len(dealt.held)
    another = (target + 2) % models
    real = target, reference_sets.others(models, target)
    null = (another, reference_sets.others(models, another, target))
    return _pairs(
        said, records, dealt, names, (real, null if models > 2 else None), seed, inside
    )


def of_given(said, records, dealt, names, seed) -> list[membership_rows.Scored]:
    """The same of a target that was trained elsewhere.

    Args:
      said: (1 + S, N + Z), the target first, behind it S references.
      records: x (N + Z, *D) and y (N + Z,).
      dealt: `held` is (1 + S, N); references 2 i and 2 i + 1 are complements.
      names: of attacks.
      seed: of attacks that learn.
    """
    models = len(dealt.held) - 1
    real = 0, 1 + np.arange(models)
    null = 1, 1 + reference_sets.others(models, 0)
    return _pairs(said, records, dealt, names, (real, null), seed)


def of_lookup(records, dealt, names, seed) -> list[membership_rows.Scored]:
    """The positive control: the scores of models that know their records by heart.

    They hold what target and references hold, and the same attacks look at them.
    """
    rng = np.random.default_rng([seed, *b"lookup"])
    y = records[1]
    tables = lookup.models(dealt.held, y, max(2, int(y.max()) + 1), rng)
    left = reference_sets.others(len(dealt.held), 0)
    found = _pairs(
        tables.said, records, dealt, names, ((0, left), None), seed, tables.inside
    )
    told = {"control": "lookup", "planted": tables.planted}
    return [one._replace(row=one.row | told) for one in found]


def _pairs(said, records, dealt, names, attacked, seed, inside=None):
    """Rows of a target and of the null check, each a model and its references."""
    real, null = attacked
    needs = reference_records.needs_references
    member = dealt.held[real[0]]
    plain = [name for name in names if name in reference_attacks.ATTACKS]
    gradients = [name for name in names if name in reference_records.OF_GRADIENTS]

    def scores(model, left):
        enough = len(left) >= FEWEST_REFERENCES
        seen = reference_attacks.shown(
            said, dealt.held, *reversed(records), model, left, seed, inside
        )

        def run(some):
            some = (n for n in some if enough or not needs(n))
            return reference_attacks.scores(seen, list(some))

        found = run(plain)
        if reference_records.COMBINED in names and found:
            found[reference_records.COMBINED] = _combined(
                found, dealt.selection, member
            )
        return found | run(gradients)

    by_name, checked = scores(*real), scores(*null) if null else {}
    found = []
    for name, values in by_name.items():
        row = {"attack": name, "attacker": "global", "mode": "passive"}
        learns = True if cards.CARDS[name].learns else None
        check = _sets(checked[name], member, dealt) if name in checked else None
        of = _sets(values, member, dealt)
        found.append(
            membership_rows.Scored(row, of, check, trained=learns, null_trained=learns)
        )
    return found


def from_within(
    settings, dataset, dealt, params, names, advance
) -> list[membership_rows.Scored]:
    """The attacks on the target's inside, which learn from known members."""
    wanted = [name for name in names if name in reference_records.OF_INSIDE]
    if not wanted:
        return []
    nobodys = len(dealt.attacked) + np.arange(len(dealt.population))
    shares = settings.attack_train_fraction, settings.selection_fraction
    ends = (np.cumsum(shares) * len(nobodys)).astype(int)
    member = dealt.held[0]
    parts = dealt.known, dealt.selection, dealt.judged
    records = membership_records.Records(
        training.batch(dataset, dealt.everyone),
        *(
            attack_training.Positions(*(np.flatnonzero(kind & part) for part in parts))
            for kind in (member, ~member)
        ),
        attack_training.Positions(*np.split(nobodys, ends)),
    )
    snapshots = jax.tree.map(lambda a: a[:1], params)
    run = membership.Run(
        membership.observed(settings, dataset, snapshots, records.batch), {}
    )
    layers = membership.captured_layers(settings, dataset)
    fits = {
        name: membership.make_fit(settings, layers if name == "white_box" else ())
        for name in wanted
        if name in membership.NETWORKS
    }
    return [
        *membership.simple_rules(run, records, "passive", wanted),
        *membership.named_attacks(fits, run, records, settings.seed, advance),
    ]


def _combined(by_name, known, member):
    stacked = np.stack(list(by_name.values()), axis=1)
    return membership_attacks.combine(stacked, stacked[known], member[known])


def _sets(values, member, dealt) -> membership_evaluation.MembershipScores:
    kinds = member, ~member
    return membership_evaluation.MembershipScores(
        *(values[kind & dealt.selection] for kind in kinds),
        *(values[kind & dealt.judged] for kind in kinds),
    )
