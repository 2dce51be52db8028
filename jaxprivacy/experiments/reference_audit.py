"""The stand-alone audit: one party's training, attacked with reference models."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import jax
import numpy as np
import optax

from jaxprivacy import cards, checks, types
from jaxprivacy.attacks import membership as membership_attacks
from jaxprivacy.data import Dataset, copies, reference_sets, stratify
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.evaluation.membership import MembershipScores
from jaxprivacy.evaluation.membership_rows import Scored
from jaxprivacy.experiments import (
    audit_data,
    checkpoint,
    evidence,
    membership,
    provenance,
    reference_attacks,
    references,
    results,
    training,
)
from jaxprivacy.experiments.attack_training import Positions
from jaxprivacy.experiments.settings import Settings, check
from jaxprivacy.report import contents, verdict
from jaxprivacy.report.progress import Stages
from jaxprivacy.training import gradients, local

POPULATION = 0.2  # share of the records that no model is trained on
COMBINED = "combined"
FEWEST_REFERENCES = 4  # a variance needs two models with a record and two without
# What these take, only who holds the model sees; two of them learn from known members.
OF_INSIDE = ("gradient_norm", "black_box", "white_box")
ATTACKS = (*reference_attacks.ATTACKS, *OF_INSIDE, COMBINED)
TRAINED_BY = (
    "types.py",
    "data/copies.py",
    "data/reference_sets.py",
    "data/stratify.py",
    "experiments/reference_audit.py",
    "experiments/references.py",
    "experiments/spread.py",
    "experiments/training.py",
    "models/convolution.py",
    "models/targets.py",
    "training",
)
LEARN = ("black_box", "white_box")
# Relative to the training of one model.
STAGES = {"models": 1.0, "attacks": 4.0, "attacks from within": 20.0}


class Dealt(NamedTuple):
    """Who has which records; indices into the data."""

    attacked: np.ndarray  # (N,) each in half of the models
    population: np.ndarray  # (Z,) in none
    held: np.ndarray  # (S, N) bool
    known: np.ndarray  # (N,) bool: attacks learn from these
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
    without = [name for name in asked if needs_references(name)]
    if without and not settings.references:
        if settings.attacks and settings.attacks != ("all",):
            raise checks.InputError(
                f"--references={settings.references}: {without[0]} compares with "
                "reference models; accepted are even numbers of at least 4"
            )
        asked = tuple(name for name in asked if name not in without)
    return tuple(card.name for card in cards.MEMBERSHIP if card.name in asked)


def needs_references(name: str) -> bool:
    """Whether an attack compares with models that are trained like the target."""
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
    population = free[rng.permutation(drawn)]  # Parts of it are to be alike.
    attacked = np.delete(free, drawn)
    models = settings.references + 2
    held = reference_sets.halves(dataset.y[attacked], models, rng)
    order = rng.permutation(len(attacked))
    learns = any(name in LEARN for name in chosen(settings))
    shares = settings.attack_train_fraction * learns, settings.selection_fraction
    ends = (np.cumsum(shares) * len(attacked)).astype(int)
    parts = np.split(order, ends)[:2]
    known, selection = (np.isin(np.arange(len(attacked)), part) for part in parts)
    return Dealt(attacked, population, held, known, selection, left.left_out, left.kept)


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


class Prepared(NamedTuple):
    """What is settled before anything is trained."""

    dataset: Dataset
    dealt: Dealt


def prepare(settings: Settings) -> Prepared:
    """Checks the settings, loads the data and deals it.

    Raises:
      InputError: what the settings ask for cannot be had.
    """
    check(settings)
    chosen(settings)
    dataset = audit_data.load(settings)
    return Prepared(dataset, deal(settings, dataset))


def weight(settings: Settings) -> float:
    """The sum of the weights of the stages."""
    models = STAGES["models"] * (settings.references + 2)
    return models + STAGES["attacks"] + STAGES["attacks from within"]


def checkpoints(
    settings: Settings, prepared: Prepared, folder: str
) -> AbstractContextManager[checkpoint.Checkpoints]:
    """Opens the folder that keeps the trained models; see `checkpoint.study`."""
    trained_by = {
        name: getattr(settings, name)
        for name in (
            "data records model mlp_widths references rounds local_epochs batch_size "
            "learning_rate momentum seed"
        ).split()
    }
    code = {"code": provenance.code(TRAINED_BY)}
    data = {"content_of_data": checkpoint.fingerprint(prepared.dataset)}
    return checkpoint.study(folder, trained_by | data | training.versions() | code)


def run(
    settings: Settings,
    prepared: Prepared,
    stages: Stages,
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
    names, (dataset, dealt) = chosen(settings), prepared
    model = training.target_model(settings, dataset, dataset.num_classes)
    stages.stage("target and reference models", STAGES["models"] * len(dealt.held))
    params = references.train(
        recipe(settings, model),
        training.batch(dataset, dealt.attacked),
        dealt.held,
        jax.random.key(settings.seed),
        stages.advance,
        kept,
    )
    everyone = np.concatenate([dealt.attacked, dealt.population])
    x, y = dataset.x[everyone], dataset.y[everyone]
    outputs = references.outputs(model.apply, params, x)
    stages.stage("attacks", STAGES["attacks"])
    scored = []
    targets = range(settings.targets_in_pool)
    for target in targets:
        found = _scored(outputs, (x, y), dealt, names, target, settings.seed)
        told = {"seed": target} if len(targets) > 1 else {}
        scored += [s._replace(row=s.row | told) for s in found]
        stages.advance(1 / len(targets))
    stages.stage("attacks from within", STAGES["attacks from within"])
    scored += _from_within(settings, dataset, dealt, params, names, stages.advance)
    rows, null_rows = membership_rows.rows(scored, "standalone")
    right = accuracies(outputs, y, dealt)
    result = {
        **results.head(command, settings, dataset, begun, models=len(dealt.held)),
        "target": right["target"],
        "references": right["references"],
        "evidence": [_evidence(dataset, dealt, outputs) | right["target"]],
        "membership": rows,
        "null_checks": null_rows,
        "positive_controls": [],
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
        gradient_norms=None,
        training=None,
        reconstructions=None,
        notes=[_mimicry(right), *copies.notes(dealt.left_out, dealt.kept)],
    )


def _scored(outputs, records, dealt, names, target, seed) -> list[Scored]:
    """Each attack's scores of one target's outputs, and of its null check.

    The null check attacks another model of the pool, whose records were drawn without
    regard to the target's, and asks for the target's members: of the pair nothing is
    among the references. It finds what the pool itself would tell of membership.
    """
    models = len(dealt.held)
    member, another = dealt.held[target], (target + 2) % models
    plain = [name for name in names if name in reference_attacks.ATTACKS]

    def scores(attacked, *left_out):
        left = reference_sets.others(models, attacked, *left_out)
        enough = len(left) >= FEWEST_REFERENCES
        seen = reference_attacks.shown(
            outputs, dealt.held, *reversed(records), attacked, left, seed
        )
        run = [name for name in plain if enough or not needs_references(name)]
        found = reference_attacks.scores(seen, run)
        if COMBINED in names:
            found[COMBINED] = _combined(found, dealt.selection, member)
        return found

    real, null = scores(target), scores(another, target) if models > 2 else {}
    found = []
    for name, values in real.items():
        row = {"attack": name, "attacker": "global", "mode": "passive"}
        learns = True if cards.CARDS[name].learns else None
        check = _sets(null[name], member, dealt) if name in null else None
        of = _sets(values, member, dealt)
        found.append(Scored(row, of, check, trained=learns, null_trained=learns))
    return found


def _combined(by_name, known, member):
    stacked = np.stack(list(by_name.values()), axis=1)
    return membership_attacks.combine(stacked, stacked[known], member[known])


def _sets(values, member, dealt) -> MembershipScores:
    kinds, judged = (member, ~member), ~dealt.selection & ~dealt.known
    return MembershipScores(
        *(values[kind & dealt.selection] for kind in kinds),
        *(values[kind & judged] for kind in kinds),
    )


def _from_within(settings, dataset, dealt, params, names, advance) -> list[Scored]:
    """The attacks on the target's inside, which learn from known members."""
    wanted = [name for name in OF_INSIDE if name in names]
    if not wanted:
        return []
    everyone = np.concatenate([dealt.attacked, dealt.population])
    nobodys = len(dealt.attacked) + np.arange(len(dealt.population))
    shares = settings.attack_train_fraction, settings.selection_fraction
    ends = (np.cumsum(shares) * len(nobodys)).astype(int)
    member = dealt.held[0]
    parts = dealt.known, dealt.selection, ~dealt.known & ~dealt.selection
    records = membership.Records(
        training.batch(dataset, everyone),
        *(
            Positions(*(np.flatnonzero(kind & part) for part in parts))
            for kind in (member, ~member)
        ),
        Positions(*np.split(nobodys, ends)),
    )
    snapshots = jax.tree.map(lambda a: a[:1], params)
    run = membership.Run(
        membership.observed(settings, dataset, snapshots, records.batch), {}
    )
    scored = membership.simple_rules(run, records, "passive", wanted)
    layers = membership.captured_layers(settings, dataset)
    for name in [name for name in LEARN if name in wanted]:
        of = layers if name == "white_box" else ()
        scored += membership.attack_run(
            {name: membership.make_fit(settings, of)},
            run,
            records,
            "passive",
            training.named_key(settings.seed, name),
            lambda share: advance(share / len(LEARN)),
        )
    return scored


def accuracies(outputs, y, dealt):
    """The accuracies on members and non-members: the target's, the references' mean."""
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
    evaluated = ~dealt.selection & ~dealt.known
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


def _mimicry(right) -> str:
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
