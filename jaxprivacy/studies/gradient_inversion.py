"""The study of gradient inversion: records reconstructed from one update."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import cards, data as data_lib
from jaxprivacy.evaluation import images, inversion_rows
from jaxprivacy.programs import compilation
from jaxprivacy.report import contents, progress, verdict
from jaxprivacy.studies import (
    inversion_attacks,
    inversion_settings,
    inversion_target,
    results,
    training,
)

SHOWN = 10  # records of each row, in the figure
MOST_PUBLIC = 2000  # records that the attacker has of the distribution


class Prepared(NamedTuple):
    """What is settled before anything is computed: indices into the data."""

    dataset: data_lib.Dataset
    attacked: np.ndarray  # the participant's records
    training: np.ndarray  # those that train the model before the update
    public: np.ndarray  # of the attacker, for baselines, quantiles and averages


class Row(NamedTuple):
    """One row with its pictures."""

    result: dict[str, Any]
    records: np.ndarray  # (N, *D) in the order of the batches
    found: np.ndarray  # (N, *D)


def prepare(settings: inversion_settings.InversionSettings) -> Prepared:
    """Checks the settings, loads the data and divides it.

    Raises:
      InputError: what the settings ask for cannot be had.
    """
    inversion_settings.check(settings)
    dataset = data_lib.load(settings.data)
    inversion_settings.check_data(settings, dataset)
    order = np.random.default_rng(settings.seed).permutation(len(dataset.y))
    count = inversion_settings.drawn(settings)
    attacked, rest = order[:count], order[count:]
    half = len(rest) // 2
    return Prepared(dataset, attacked, rest[half:], rest[:half][:MOST_PUBLIC])


def weight(settings: inversion_settings.InversionSettings) -> float:
    """The sum of the weights of the stages that will be run."""
    return (settings.epochs > 0) + len(inversion_settings.cases(settings))


def run(
    settings: inversion_settings.InversionSettings,
    prepared: Prepared,
    stages: progress.Stages,
    command: str,
) -> contents.Report:
    """Runs every row.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      command: how the run was started, for the report.
    """
    begun = results.begin()
    dataset = prepared.dataset
    doubts = inversion_settings.doubts(settings, dataset)
    for sentence in doubts:
        stages.say(f"Beforehand: {sentence}")
    if settings.epochs:
        stages.stage("training the model", 1.0)
    target = inversion_target.target(settings, dataset, prepared.training)
    known = knowledge(prepared, target)
    rows = []
    for case in inversion_settings.cases(settings):
        stages.stage(_title(case), 1.0)
        rows.append(row(settings, prepared, known, case, stages.advance))
    in_effect = {"model": inversion_settings.model_name(settings, dataset)}
    given = dataclasses.asdict(settings)
    result = {
        **results.origin(command, given, in_effect, dataset, begun),
        "target": inversion_target.accuracies(
            target, dataset, prepared.training, prepared.attacked
        ),
        "membership": [],
        "null_checks": [],
        "reconstruction": [],
        "gradient_inversion": _baseline_rows(settings, prepared, known)
        + [one.result for one in rows],
    }
    result["verdict"] = verdict.verdict(result)
    return _report(settings, prepared, rows, result, doubts, in_effect)


def knowledge(
    prepared: Prepared, target: inversion_target.Target
) -> inversion_attacks.Known:
    """What the attacker knows: the model, and records of others."""
    public = jnp.asarray(prepared.dataset.x[prepared.public])
    outputs = compilation.compiled(target.model.apply)(target.params, public)
    everything = prepared.dataset.x
    low, high = (-1.0, 1.0)
    if not prepared.dataset.is_image:
        low, high = float(everything.min()), float(everything.max())
    return inversion_attacks.Known(
        target.model.apply,
        target.params,
        target.last_bias,
        jax.nn.softmax(outputs).mean(axis=0),
        public,
        low,
        high,
    )


def _batches(settings, prepared, size) -> tuple[np.ndarray, np.ndarray]:
    """The batches of a size: (M, B, *D) records and (M, B) labels."""
    # A batch of several begins with the record that is attacked alone.
    chosen = prepared.attacked.reshape(settings.records, -1)[:, :size]
    return prepared.dataset.x[chosen], prepared.dataset.y[chosen]


def row(
    settings: inversion_settings.InversionSettings,
    prepared: Prepared,
    known: inversion_attacks.Known,
    case: inversion_settings.Case,
    advance: Callable[[float], None],
    release: inversion_attacks.Release | None = None,
) -> Row:
    """Attacks every batch of one row.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      known: what the attacker knows.
      case: the row.
      advance: told the share done.
      release: see `inversion_attacks.attack`.
    """
    name = f"gradient inversion, {'/'.join(map(str, case))}"
    key_trap, key_starts = jax.random.split(training.named_key(settings.seed, name))
    attack = inversion_attacks.attack(settings, case, known, key_trap, release)
    x, y = _batches(settings, prepared, case.batch_size)
    founds = []
    for index, batch in enumerate(zip(x, y, strict=True)):
        found = attack(jax.random.fold_in(key_starts, index), *batch)
        founds.append(jax.tree.map(np.asarray, found))
        advance(1 / len(x))
    found = np.stack([f.x for f in founds])
    labels = np.stack([f.y for f in founds]), y
    measured, matched = inversion_rows.measure(found, x, known.low, known.high, labels)
    made = inversion_rows.row(
        measured,
        _baselines(settings, prepared, known, case.batch_size),
        len(inversion_settings.cases(settings)),
        **case._asdict(),
    )
    shape = (-1, *x.shape[2:])
    return Row(made, x.reshape(shape), matched.reshape(shape))


def _baselines(settings, prepared, known, size) -> dict[str, inversion_rows.Measured]:
    """What is reached without the update, on the records of one batch size.

    The best of as many sets of public records as a search has starts, and the mean of
    all public records.
    """
    x, _ = _batches(settings, prepared, size)
    public = prepared.dataset.x[prepared.public]
    rng = np.random.default_rng([settings.seed, size])
    best = []
    for batch in x:
        tries = rng.integers(len(public), size=(settings.restarts, size))
        best.append(images.best_public(public[tries], batch))
    mean = np.broadcast_to(public.mean(axis=0), x.shape)
    found = dict(zip(inversion_rows.BASELINES, (np.stack(best), mean), strict=True))
    return {
        name: inversion_rows.measure(made, x, known.low, known.high)[0]
        for name, made in found.items()
    }


def _baseline_rows(settings, prepared, known) -> list[dict[str, Any]]:
    """The rows of the baselines, once for each batch size."""
    return [
        inversion_rows.row(measured, {}, attack=name, batch_size=size, local_steps=None)
        for size in dict.fromkeys(settings.batch_size)
        for name, measured in _baselines(settings, prepared, known, size).items()
    ]


def _title(case: inversion_settings.Case) -> str:
    """What readers call a row."""
    records = f"{case.batch_size} record{'s' * (case.batch_size > 1)}"
    steps = f"{case.local_steps} local step{'s' * (case.local_steps > 1)}"
    return f"{cards.CARDS[case.attack].title}, {records}, {steps}"


def _report(settings, prepared, rows, result, doubts, in_effect) -> contents.Report:
    dataset = prepared.dataset
    pictures = [
        contents.Samples(_title(case), one.records[:SHOWN], one.found[:SHOWN])
        for case, one in zip(inversion_settings.cases(settings), rows, strict=True)
        if dataset.is_image
    ]
    trains = "train the model before" if settings.epochs else "are used for nothing"
    return contents.Report(
        result=result,
        settings=results.used_settings(settings, dataset, **in_effect),
        split_counts=[
            ("participant", len(prepared.attacked), "to be reconstructed"),
            ("others", len(prepared.training), f"{trains} the update"),
            ("public", len(prepared.public), "held by the attacker: for baselines"),
        ],
        notes=doubts,
        inversions=pictures,
    )
