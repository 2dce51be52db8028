"""Lower bounds on the epsilon of DP-SGD, beside what is claimed of it.

For each epsilon a further model is trained that is promised the same, with canaries
among its records, and what these give away is held against the promise.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxprivacy.defenses import accounting
from jaxprivacy.studies import (
    privacy_audit,
    privacy_settings,
    tradeoff_settings,
    training,
)


class Audit(NamedTuple):
    """A training with canaries, of one seed; its noise is that of a promise."""

    settings: privacy_settings.PrivacySettings
    prepared: privacy_audit.Prepared


def prepare(
    settings: tradeoff_settings.TradeoffSettings, model: str
) -> tuple[Audit, ...]:
    """The trainings of all seeds, of which nothing is promised yet.

    Args:
      settings: checked settings.
      model: the name of the model that is trained.

    Raises:
      InputError: what the settings ask for cannot be had.
    """
    numbers = range(settings.seed, settings.seed + settings.seeds)
    given = (settings.private(seed, model) for seed in numbers)
    return tuple(Audit(one, privacy_audit.prepare(one)) for one in given)


def promising(audits: Sequence[Audit], epsilon: float) -> tuple[Audit, ...]:
    """The same trainings with the noise that guarantees an epsilon.

    It is worked out anew: canaries are put among other records than those that the
    attacked models hold, and more of them.

    Raises:
      InputError: no noise that is searched guarantees it.
    """
    noise = functools.cache(functools.partial(accounting.noise, epsilon))
    return tuple(
        Audit(
            dataclasses.replace(
                given, noise_multiplier=noise(made.rate, made.steps, given.delta)
            ),
            made,
        )
        for given, made in audits
    )


def bound(audit: Audit, advance: Callable[[float], None]) -> dict:
    """Trains with canaries and bounds epsilon: `privacy_audit` of result.json.

    Raises:
      InputError: the training diverges.
    """
    given, prepared = audit
    model = training.target_model(given, prepared.dataset, prepared.dataset.num_classes)
    trained = privacy_audit.train(given, prepared, model, advance)
    claimed = privacy_audit.claim(given, prepared)
    included = prepared.dealt.included
    return privacy_audit.bounds(given, trained.scores, included, claimed)


def summary(bounds: Sequence[dict], confidence: float) -> dict | None:
    """What the canaries of all seeds say together: `audit` of a trade-off's row.

    Each seed's bounds hold with a share of the error, so that the largest of them holds
    with the confidence.

    Args:
      bounds: of each seed, what `bound` returns; none where nothing was claimed.
      confidence: with which all of them hold together.
    """
    if not bounds:
        return None
    rows = [row for one in bounds for row in one["bounds"]]
    return {
        "epsilon": max(r["epsilon"] for r in rows if r["assumes"] == "nothing"),
        "detectable": max(one["detectable"] for one in bounds),
        "refuted": any(one["refuted"] for one in bounds),
        "canaries": bounds[0]["canaries"],
        "confidence": confidence,
    }
