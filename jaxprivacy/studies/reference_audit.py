"""The stand-alone audit: one party's training, attacked with reference models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import jax
import numpy as np
import optax

from jaxprivacy import errors, types
from jaxprivacy.data import Dataset, copies, shifts
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.programs import checkpoint
from jaxprivacy.report import contents, progress, verdict
from jaxprivacy.studies import (
    audit_data,
    evidence,
    exposure,
    mimicry,
    reference_records,
    reference_scores,
    reference_signals,
    references,
    results,
    settings as settings_lib,
    training,
)
from jaxprivacy.training import gradients

TRAINED_BY = (
    "errors.py",
    "types.py",
    "data/copies.py",
    "data/reference_sets.py",
    "data/stratify.py",
    "studies/reference_audit.py",
    "studies/reference_records.py",
    "studies/references.py",
    "studies/training.py",
    "models/convolution.py",
    "models/targets.py",
    "programs/chunks.py",
    "programs/compilation.py",
    "programs/placement.py",
    "training",
)
# Relative to the training of one model.
STAGES = {"models": 1.0, "attacks": 4.0, "attacks from within": 20.0}


def recipe(settings: settings_lib.Settings, model: types.Model):
    """The training of one model: (key, records) -> params."""
    return training.from_the_start(
        model,
        gradients.plain(model),
        optax.sgd(settings.learning_rate, settings.momentum or None),
        epochs=settings.rounds * settings.local_epochs,
        batch_size=settings.batch_size,
    )


class Prepared(NamedTuple):
    """What is settled before anything is trained."""

    dataset: Dataset
    names: tuple[str, ...]  # of attacks
    dealt: reference_records.Dealt

    @property
    def records(self) -> tuple[np.ndarray, np.ndarray]:
        """Records and labels of the attacked, and behind them of the population."""
        everyone = self.dealt.everyone
        return self.dataset.x[everyone], self.dataset.y[everyone]


def prepare(settings: settings_lib.Settings) -> Prepared:
    """Checks the settings, loads the data and deals it.

    Raises:
      InputError: what the settings ask for cannot be had.
    """
    settings_lib.check(settings)
    names = reference_records.chosen(settings)
    dataset = audit_data.load(settings)
    _check_queries(settings.queries, dataset)
    return Prepared(dataset, names, reference_records.deal(settings, dataset, names))


def _check_queries(queries, dataset):
    most = shifts.most(dataset.x.shape[1:]) if dataset.is_image else 1
    if queries > most:
        told = "a table's record" if most == 1 else "each of these images"
        raise errors.InputError(
            "queries",
            queries,
            found=f"there {'is' if most == 1 else 'are'} {most} of {told}",
            accepted=f"is 1 to {most}" if most > 1 else "is 1",
        )


def weight(settings: settings_lib.Settings) -> float:
    """The sum of the weights of the stages."""
    models = STAGES["models"] * (settings.references + 2)
    return models + STAGES["attacks"] + STAGES["attacks from within"]


def checkpoints(
    settings: settings_lib.Settings, prepared: Prepared, folder: str
) -> AbstractContextManager[checkpoint.Checkpoints]:
    """Opens the folder that keeps the trained models; see `checkpoint.study`."""
    trained_by = {
        name: getattr(settings, name)
        for name in (
            "data records model mlp_widths references rounds local_epochs batch_size "
            "learning_rate momentum seed"
        ).split()
    }
    identity = results.identity(trained_by, prepared.dataset, TRAINED_BY)
    return checkpoint.study(folder, identity)


def run(
    settings: settings_lib.Settings,
    prepared: Prepared,
    stages: progress.Stages,
    command: str,
    kept: checkpoint.Checkpoints = checkpoint.nowhere,
) -> contents.Report:
    """Trains target and reference models, attacks, and gathers what was found.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      command: how the run was started, for the report.
      kept: where trained models are kept.
    """
    begun = results.begin()
    dataset, _, dealt = prepared
    trained = train(settings, prepared, stages, kept)
    scored = attacked(settings, prepared, trained, stages)
    rows, null_rows = membership_rows.rows(scored, "standalone")
    controls = reference_scores.of_lookup(
        prepared.records, dealt, prepared.names, settings.seed
    )
    right = accuracies(trained.said, dealt)
    result = {
        **results.head(command, settings, dataset, begun, models=len(dealt.held)),
        "target": right["target"],
        "references": right["references"],
        "evidence": [_evidence(dataset, dealt, trained) | right["target"]],
        "membership": rows,
        "exposure": exposure.told(scored, dealt, dataset.y[dealt.attacked]),
        "null_checks": null_rows,
        "positive_controls": membership_rows.control_rows(controls, "standalone"),
        "reconstruction": [],
    }
    result["data"] |= copies.told(dealt.left_out, dealt.kept)
    result["verdict"] = verdict.verdict(result)
    return contents.Report(
        result=result,
        settings=results.used_settings(settings, dataset),
        split_counts=_counts(dealt),
        roc_curves=[
            results.roc_curve(*s.scores[2:], row)
            for s, row in zip(scored, rows, strict=True)
            if not row.get("seed") and s.trained is not False
        ],
        notes=[
            mimicry.told(right["target"], right["references"]),
            *copies.notes(dealt.left_out, dealt.kept),
        ],
    )


class Trained(NamedTuple):
    """The target, its complement and the references."""

    params: types.Params  # (1, ...) the target's
    said: references.Said  # of everyone's records
    outputs: np.ndarray  # (N, K) the target's, of the attacked records
    inside: reference_signals.Inside | None  # where an attack takes gradients


def train(
    settings: settings_lib.Settings,
    prepared: Prepared,
    stages: progress.Stages,
    kept: checkpoint.Checkpoints = checkpoint.nowhere,
) -> Trained:
    """Trains all models and asks them about everyone's records."""
    dataset, _, dealt = prepared
    model = training.target_model(settings, dataset, dataset.num_classes)
    stages.stage("target and reference models", STAGES["models"] * len(dealt.held))
    lots = references.lots(
        recipe(settings, model),
        training.batch(dataset, dealt.attacked),
        dealt.held,
        jax.random.key(settings.seed),
        stages.advance,
        kept,
    )
    return ask(settings, prepared, model, model.apply, lots)


def ask(
    settings: settings_lib.Settings,
    prepared: Prepared,
    model: types.Model,
    release: Callable[[types.Params, jax.Array], jax.Array],
    lots: Iterable[types.Params],
) -> Trained:
    """Asks trained models about everyone's records.

    Of no more than a lot of them the parameters are held at a time.

    Args:
      settings: by whose seed the models were trained.
      prepared: see `prepare`.
      model: the classifier.
      release: (params, x) -> the logits (N, K) that outputs are asked by.
      lots: the models' parameters, some at a time, the target's first.
    """
    x, y = prepared.records
    names, key = prepared.names, jax.random.key(settings.seed)
    look = None
    if set(names) & set(reference_records.OF_GRADIENTS):
        drawn = training.named_key(settings.seed, "projection")
        look = reference_signals.asker(model.apply, x, y, drawn)
    first, said, inside = None, [], []
    for lot in lots:
        said.append(references.ask(release, lot, x, y, settings.queries))
        for one in references.each(lot):
            first = one if first is None else first
            if look:
                own = jax.random.fold_in(key, len(inside))
                inside.append(look(one, training.begin(model, own)[0]))
    outputs = references.outputs(release, first, x[: len(prepared.dealt.attacked)])
    return Trained(
        jax.tree.map(lambda a: a[None], first),
        references.joined(said),
        outputs,
        reference_signals.stacked(inside) if inside else None,
    )


def attacked(
    settings: settings_lib.Settings,
    prepared: Prepared,
    trained: Trained,
    stages: progress.Stages,
) -> list[membership_rows.Scored]:
    """Every attack's scores, of each target in turn; networks attack the first."""
    dataset, names, dealt = prepared
    records, several, scored = prepared.records, settings.targets_in_pool > 1, []
    stages.stage("attacks", STAGES["attacks"])
    for target in range(settings.targets_in_pool):
        found = reference_scores.of_outputs(
            trained.said, records, dealt, names, target, settings.seed, trained.inside
        )
        scored += [(target, one) for one in found]
        stages.advance(1 / settings.targets_in_pool)
    stages.stage("attacks from within", STAGES["attacks from within"])
    found = reference_scores.from_within(
        settings, dataset, dealt, trained.params, names, stages.advance
    )
    scored += [(0, one) for one in found]
    # Models of the pool differ in records and randomness, as those of seeds do.
    return [
        one._replace(row=one.row | ({"seed": target} if several else {}))
        for target, one in scored
    ]


def accuracies(
    said: references.Said, dealt: reference_records.Dealt
) -> dict[str, dict[str, float]]:
    """The accuracies on members and non-members: the target's, the references' mean."""
    right = said.right[:, : len(dealt.attacked)]
    each = mimicry.accuracies(right, dealt.held)
    return {"target": each[0], "references": mimicry.mean(each[2:])}


def _evidence(dataset, dealt, trained):
    member = dealt.held[0]
    kinds = [np.flatnonzero(kind & dealt.judged) for kind in (member, ~member)]
    return evidence.of_target(
        dataset,
        dealt.attacked[member],
        *(dealt.attacked[kind] for kind in kinds),
        trained.outputs[np.concatenate(kinds)],
    )


def _counts(dealt: reference_records.Dealt) -> Sequence[tuple[str, int, str]]:
    """How many records each kind has, and what they are for."""
    member = dealt.held[0]
    return [
        ("members", int(member.sum()), "of the target; in half of the references"),
        ("non-members", int((~member).sum()), "likewise"),
        ("known, of both", int(dealt.known.sum()), "attacks learn from them"),
        (
            "selection, of both",
            int(dealt.selection.sum()),
            "for the choice of thresholds and weights",
        ),
        ("population", len(dealt.population), "in no model"),
    ]
