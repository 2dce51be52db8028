"""The audit of a privacy claim: a training with canaries, and what it gives away."""

from __future__ import annotations

import functools
from importlib import metadata
from typing import NamedTuple

import jax
import numpy as np

from jaxprivacy import types
from jaxprivacy.data import Dataset, load
from jaxprivacy.defenses import accounting, dp_sgd
from jaxprivacy.evaluation import privacy_audit, trade_offs
from jaxprivacy.programs import compilation
from jaxprivacy.report import contents, progress, verdict
from jaxprivacy.studies import (
    canaries as canaries_lib,
    privacy_settings,
    results,
    training,
)
from jaxprivacy.training import losses, poisson

STAGES = {"training": 20.0, "bounds": 2.0}
SHARES = (0.05, 0.2, 0.5)  # of the canaries that are guessed


class Prepared(NamedTuple):
    """What is settled before anything is trained."""

    dataset: Dataset
    dealt: canaries_lib.Dealt
    rate: float  # the probability that a record is in a batch
    steps: int


def prepare(settings: privacy_settings.PrivacySettings) -> Prepared:
    """Checks the settings, loads the data and draws the canaries.

    Raises:
      InputError: what the settings ask for cannot be had.
    """
    privacy_settings.check(settings)
    dataset = load(settings.data, records=settings.records, seed=settings.seed)
    training.check_model(settings, dataset)
    dealt = canaries_lib.deal(settings, dataset)
    # Of the number of records that is expected: the one at hand tells of the canaries.
    rate = min(1.0, settings.batch_size / (len(dealt.trained) + settings.canaries / 2))
    return Prepared(dataset, dealt, rate, max(1, round(settings.epochs / rate)))


def weight(settings: privacy_settings.PrivacySettings) -> float:
    """The sum of the weights of the stages."""
    del settings
    return sum(STAGES.values())


def run(
    settings: privacy_settings.PrivacySettings,
    prepared: Prepared,
    stages: progress.Stages,
    command: str,
) -> contents.Report:
    """Trains with the canaries, and bounds epsilon from what they got away with.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      command: how the run was started, for the report.
    """
    begun = results.begin()
    dataset, dealt, rate, steps = prepared
    stages.stage("training with canaries", STAGES["training"])
    model = training.target_model(settings, dataset, dataset.num_classes)
    trained = train(settings, prepared, model, stages.advance)
    stages.stage("bounds", STAGES["bounds"])
    audited = bounds(
        settings, trained.scores, dealt.included, claim(settings, prepared)
    )
    accuracy = compilation.compiled(functools.partial(losses.accuracy, model))
    head = results.head(command, settings, dataset, begun, rate=rate, steps=steps)
    head["versions"] |= {"dp_accounting": metadata.version("dp_accounting")}
    result = {
        **head,
        "target": {
            f"{name}_accuracy": float(
                accuracy(trained.params, training.batch(dataset, which))
            )
            for name, which in (("train", dealt.trained), ("test", dealt.tested))
        },
        "privacy_audit": audited,
        "membership": [],
        "null_checks": [],
        "reconstruction": [],
    }
    result["verdict"] = verdict.verdict(result)
    return contents.Report(
        result=result,
        settings=results.used_settings(settings, dataset, rate=rate, steps=steps),
        split_counts=_counts(dealt),
    )


def train(
    settings: privacy_settings.PrivacySettings,
    prepared: Prepared,
    model: types.Model,
    advance,
) -> canaries_lib.Trained:
    """Trains the target, by DP-SGD or without noise, and scores the canaries.

    Raises:
      InputError: the training diverges.
    """
    dataset, dealt, rate, steps = prepared
    data = dealt.batch(dataset)
    key_batches = training.named_key(settings.seed, "batches")
    if settings.sampling == "poisson":
        batches = poisson.poisson_batches(key_batches, len(data.y), rate, steps)
    else:
        size = min(settings.batch_size, len(data.y))
        batches = poisson.shuffled_batches(key_batches, len(data.y), size, steps)
    gradient = dp_sgd.gradient(
        model,
        max_norm=settings.max_norm,
        noise_multiplier=settings.noise_multiplier,
        expected_batch=settings.batch_size,
    )
    trained = canaries_lib.train(
        gradient,
        model,
        data,
        dealt.probes(dataset),
        batches,
        _expected(settings, prepared, model),
        learning_rate=settings.learning_rate,
        max_norm=settings.max_norm,
        key=training.named_key(settings.seed, "training with canaries"),
        advance=advance,
    )
    training.check_finite(trained[:2], learning_rate=settings.learning_rate)
    return trained


def _expected(settings, prepared, model):
    """What is released at some parameters, on average over batches, canaries, noise."""
    everyone = prepared.dealt.everyone(prepared.dataset)
    average = dp_sgd.gradient(
        model,
        max_norm=settings.max_norm,
        noise_multiplier=0.0,
        expected_batch=settings.batch_size / prepared.rate,
    )
    return lambda params: average(jax.random.key(0), params, everyone)[0]


def claim(
    settings: privacy_settings.PrivacySettings, prepared: Prepared
) -> accounting.Claim | None:
    """What the training guarantees; None where nothing can be claimed of it."""
    if not settings.noise_multiplier or settings.sampling != "poisson":
        return None
    return accounting.dp_sgd(
        settings.noise_multiplier, prepared.rate, prepared.steps, settings.delta
    )


def bounds(
    settings: privacy_settings.PrivacySettings,
    scores: canaries_lib.Scores,
    included: np.ndarray,
    claimed: accounting.Claim | None,
) -> dict:
    """What the scores refute: `privacy_audit` of result.json.

    The error is split over all rows, so that all hold together. A claim is refuted by
    its whole trade-off, or by a bound above it that assumes nothing: half of the rows
    are such, and the other half of the error is left to the trade-off.

    Args:
      settings: checked settings.
      scores: of the canaries.
      included: (M,) which of them the training was given.
      claimed: what it is said to guarantee, if anything.
    """
    delta, rows = settings.delta, []
    each = 1 - (1 - settings.confidence) / (2 * len(scores))
    epsilon = functools.partial(_epsilon, delta)
    for attack, values in scores._asdict().items():
        found, guessed = privacy_audit.one_run_from_scores(
            values, included, epsilon, SHARES, each
        )
        row = {"attack": attack, "assumes": "nothing", "epsilon": found}
        rows.append(row | guessed._asdict())
        mu, guessed = privacy_audit.one_run_from_scores(
            values, included, _mu, SHARES, each
        )
        row = {"attack": attack, "assumes": "gaussian", "mu": mu}
        row["epsilon"] = trade_offs.gaussian_epsilon(mu, delta)
        rows.append(row | guessed._asdict())
    m = len(included)
    tested = 1 - (1 - each) / len(SHARES)
    most = [
        _epsilon(delta, m, made, made, tested)
        for made in (max(1, round(share * m)) for share in SHARES)
    ]
    return {
        "canaries": m,
        "included": int(included.sum()),
        "delta": delta,
        "confidence": settings.confidence,
        "claim": claimed and claimed.epsilon,
        "no_claim": None if claimed else _no_claim(settings),
        "bounds": rows,
        "detectable": max(most),
        "refuted": claimed and _refuted(claimed, scores, included, rows, each),
    }


def _epsilon(delta, canaries, made, right, confidence):
    return privacy_audit.one_run(
        canaries, made, right, delta=delta, confidence=confidence
    )


def _mu(canaries, made, right, confidence):
    return privacy_audit.one_run_gaussian(canaries, made, right, confidence=confidence)


def _refuted(claimed, scores, included, rows, confidence) -> bool:
    """Whether the claim is refuted at its delta, or by either score at every delta."""
    trade_off, m = trade_offs.of_curve(claimed.epsilons, claimed.deltas), len(included)
    above = (r["epsilon"] > claimed.epsilon for r in rows if r["assumes"] == "nothing")
    return any(above) or any(
        privacy_audit.one_run_refutes(
            m,
            *privacy_audit.guesses(values, included, max(1, round(share * m))),
            trade_off,
            confidence=1 - (1 - confidence) / len(SHARES),
        )
        for values in scores
        for share in SHARES
    )


def _no_claim(settings) -> str:
    """Why nothing is claimed of the training."""
    if not settings.noise_multiplier:
        return "no noise was added, and without it no epsilon bounds it from above"
    return "the batches were shuffled, and the accountant is for Poisson batches"


def _counts(dealt):
    included = int(dealt.included.sum())
    return [
        ("trained on", len(dealt.trained), "in every case"),
        ("canaries trained on", included, "of the canaries, each by a fair coin"),
        ("canaries left out", len(dealt.included) - included, "likewise"),
        ("tested", len(dealt.tested), "for the accuracy"),
    ]
