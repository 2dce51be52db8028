"""The stand-alone audit: one party's training, attacked with reference models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
import optax

from jaxprivacy import cards, checks, types
from jaxprivacy.attacks import membership
from jaxprivacy.data import Dataset, copies, reference_sets, stratify
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.evaluation.membership import MembershipScores
from jaxprivacy.evaluation.membership_rows import Scored
from jaxprivacy.experiments import (
    evidence,
    reference_attacks,
    references,
    results,
    training,
)
from jaxprivacy.experiments.checkpoint import Checkpoints
from jaxprivacy.experiments.settings import Settings
from jaxprivacy.report import contents, verdict
from jaxprivacy.report.progress import Stages
from jaxprivacy.training import gradients, local

POPULATION = 0.2  # share of the records that no model is trained on
COMBINED = "combined"
ATTACKS = (*reference_attacks.ATTACKS, COMBINED)
# Relative to the training of one model.
STAGES = {"models": 1.0, "attacks": 4.0}


class Dealt(NamedTuple):
    """Who has which records; indices into the data."""

    attacked: np.ndarray  # (N,) each in half of the models
    population: np.ndarray  # (Z,) in none
    held: np.ndarray  # (S, N) bool
    selection: np.ndarray  # (N,) bool: thresholds and weights are chosen on these
    left_out: int  # records with exact copies
    kept: bool  # such records are attacked all the same


def chosen(settings: Settings) -> tuple[str, ...]:
    """The attacks that are run, in the cards' order.

    Raises:
      InputError: one of them needs reference models and there are none.
    """
    asked = settings.attacks or ATTACKS
    if asked == ("all",):
        asked = ATTACKS
    for name in asked:
        checks.one_of("--attacks", name, (*ATTACKS, "all"))
    without = [name for name in asked if _needs_references(name)]
    if without and not settings.references:
        if settings.attacks and settings.attacks != ("all",):
            raise checks.InputError(
                f"--references={settings.references}: {without[0]} compares with "
                "reference models; accepted are even numbers of at least 2"
            )
        asked = tuple(name for name in asked if name not in without)
    return tuple(card.name for card in cards.MEMBERSHIP if card.name in asked)


def _needs_references(name: str) -> bool:
    return any(need.startswith("references") for need in cards.CARDS[name].needs)


def deal(settings: Settings, dataset: Dataset) -> Dealt:
    """Deals the records: a population, and the others to the models.

    Raises:
      InputError: of `reference_sets.halves`.
    """
    rng = np.random.default_rng([settings.seed, *b"references"])
    kinds = [np.arange(len(dataset.y))]
    left = copies.leave_out(copies.have_copies(dataset.x), kinds)
    free = left.kinds[0]
    count = round(POPULATION * len(free))
    drawn = stratify.draw(dataset.y[free], count, rng)
    population = free[drawn]
    attacked = np.delete(free, drawn)
    models = settings.references + 2
    held = reference_sets.halves(dataset.y[attacked], models, rng)
    selection = np.zeros(len(attacked), bool)
    chosen_for = stratify.draw(
        dataset.y[attacked], round(settings.selection_fraction * len(attacked)), rng
    )
    selection[chosen_for] = True
    return Dealt(attacked, population, held, selection, left.left_out, left.kept)


def recipe(settings: Settings, model: types.Model):
    """The training of one model: (key, records) -> params."""
    optimizer = optax.sgd(settings.learning_rate, settings.momentum or None)
    epochs = local.sgd(
        gradients.plain(model),
        optimizer,
        epochs=settings.rounds * settings.local_epochs,
        batch_size=settings.batch_size,
    )

    def train(key, records):
        key_init, key_run = jax.random.split(key)
        params = model.init(key_init)
        return epochs(key_run, params, optimizer.init(params), records)[0]

    return train


def run(
    settings: Settings,
    dataset: Dataset,
    stages: Stages,
    command: str,
    checkpoints: Checkpoints,
) -> contents.Report:
    """Trains target and reference models, attacks, and gathers what was found.

    Args:
      settings: checked settings.
      dataset: the data.
      stages: where progress is shown.
      command: how the run was started, for the report.
      checkpoints: where trained models are kept.
    """
    begun = results.begin()
    names, dealt = chosen(settings), deal(settings, dataset)
    model = training.target_model(settings, dataset, dataset.num_classes)
    stages.stage("target and reference models", STAGES["models"] * len(dealt.held))
    params = references.train(
        recipe(settings, model),
        training.batch(dataset, dealt.attacked),
        dealt.held,
        jax.random.key(settings.seed),
        stages.advance,
        checkpoints,
    )
    everyone = np.concatenate([dealt.attacked, dealt.population])
    x, y = dataset.x[everyone], dataset.y[everyone]
    outputs = references.outputs(model.apply, params, x)
    stages.stage("attacks", STAGES["attacks"])
    scored = []
    targets = range(settings.targets_in_pool)
    for target in targets:
        seen = reference_attacks.shown(outputs, dealt.held, y, x, target, settings.seed)
        found = _scored(seen, names, dealt, dealt.held[target], settings)
        told = {"seed": target} if len(targets) > 1 else {}
        scored += [s._replace(row=s.row | told) for s in found]
        stages.advance(1 / len(targets))
    rows, null_rows = membership_rows.rows(scored, "standalone")
    accuracies = _accuracies(outputs, y, dealt)
    result = {
        **results.head(command, settings, dataset, begun, models=len(dealt.held)),
        "target": accuracies["target"],
        "references": accuracies["references"],
        "evidence": [_evidence(dataset, dealt, outputs) | accuracies["target"]],
        "membership": rows,
        "null_checks": null_rows,
        "positive_controls": [],
        "reconstruction": [],
    }
    result["data"] |= copies.told(dealt.left_out, dealt.kept)
    result["verdict"] = verdict.verdict(result)
    first = scored[: len(names)]
    return contents.Report(
        result=result,
        settings=results.used_settings(settings, dataset),
        split_counts=_counts(dealt),
        roc_curves=[
            results.roc_curve(*s.scores[2:], row)
            for s, row in zip(first, rows[: len(first)], strict=True)
        ],
        gradient_norms=None,
        training=None,
        reconstructions=None,
        notes=[_mimicry(accuracies), *copies.notes(dealt.left_out, dealt.kept)],
    )


def _scored(seen, names, dealt, member, settings) -> list[Scored]:
    """Each attack's scores of one target, and of its null check."""
    plain = [name for name in names if name != COMBINED]
    by_name = reference_attacks.scores(seen, plain)
    rng = np.random.default_rng([settings.seed, *b"null"])
    others = np.flatnonzero(~member)
    pretended = np.zeros(len(member), bool)
    pretended[rng.permutation(others)[: len(others) // 2]] = True
    found = []
    for name in names:
        card = cards.CARDS[name]
        learns = True if card.learns else None
        values, null = by_name.get(name), None
        if name == COMBINED:
            values = _combined(by_name, dealt.selection, member)
            kept = ~member
            null = _combined(
                {n: v[kept] for n, v in by_name.items()},
                dealt.selection[kept],
                pretended[kept],
            )
            everyone = np.zeros(len(member))
            everyone[kept] = null
            null = everyone
        row = {"attack": name, "attacker": "global", "mode": "passive"}
        found.append(
            Scored(
                row,
                _sets(values, member, ~member, dealt.selection),
                _sets(
                    values if null is None else null,
                    pretended,
                    ~member & ~pretended,
                    dealt.selection,
                ),
                trained=learns,
                null_trained=learns,
            )
        )
    return found


def _combined(by_name, selection, member):
    stacked = np.stack(list(by_name.values()), axis=1)
    return membership.combine(stacked, stacked[selection], member[selection])


def _sets(values, members, non_members, selection) -> MembershipScores:
    return MembershipScores(
        values[members & selection],
        values[non_members & selection],
        values[members & ~selection],
        values[non_members & ~selection],
    )


def _accuracies(outputs, y, dealt):
    """Of the target on its members and its non-members, and of the references."""
    right = outputs[:, : dealt.held.shape[1]].argmax(-1) == y[: dealt.held.shape[1]]
    if outputs.shape[-1] == 1:
        right = (outputs[:, : dealt.held.shape[1], 0] > 0) == y[: dealt.held.shape[1]]
    each = [
        {
            "train_accuracy": float(r[h].mean()),
            "test_accuracy": float(r[~h].mean()),
        }
        for r, h in zip(right, dealt.held, strict=True)
    ]
    mean = {name: float(np.mean([e[name] for e in each[2:]])) for name in each[0]}
    return {"target": each[0], "references": mean if len(each) > 2 else {}}


def _evidence(dataset, dealt, outputs):
    member = dealt.held[0]
    evaluated = ~dealt.selection
    order = np.concatenate(
        [np.flatnonzero(member & evaluated), np.flatnonzero(~member & evaluated)]
    )
    return evidence.of_target(
        dataset,
        dealt.attacked[member],
        dealt.attacked[member & evaluated],
        dealt.attacked[~member & evaluated],
        outputs[0, order],
    )


def _counts(dealt: Dealt) -> Sequence[tuple[str, int, str]]:
    """How many records each kind has, and what they are for."""
    member, chosen_for = dealt.held[0], int(dealt.selection.sum())
    return [
        ("members", int(member.sum()), "of the target; in half of the references"),
        ("non-members", int((~member).sum()), "likewise"),
        ("of both", chosen_for, "for the choice of thresholds and weights"),
        ("population", len(dealt.population), "in no model"),
    ]


def _mimicry(accuracies) -> str:
    """How far the references are models like the target."""
    if not accuracies["references"]:
        return "No reference models were trained: attacks that need them were not run."
    target, like = accuracies["target"], accuracies["references"]
    return (
        f"The reference models are right on {100 * like['train_accuracy']:.1f} % of "
        f"what they were trained on and {100 * like['test_accuracy']:.1f} % of the "
        f"rest, the target on {100 * target['train_accuracy']:.1f} and "
        f"{100 * target['test_accuracy']:.1f} %."
    )
