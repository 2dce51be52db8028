"""The settings of the audit of a privacy claim."""

from __future__ import annotations

import dataclasses
import math

from jaxprivacy import checks, errors
from jaxprivacy.studies import parts

SAMPLINGS = ("poisson", "shuffled")

_SHARE = checks.that(lambda value: 0 < value < 1, "are numbers between 0 and 1")


@dataclasses.dataclass(frozen=True)
class Private:
    """How the model is trained, by DP-SGD."""

    epochs: int = parts.setting(
        30,
        "How often a record is in a batch, on average.",
        "training",
        checks.integers(),
    )
    batch_size: int = parts.changed(
        parts.Training,
        "batch_size",
        default=64,
        told="How many records a batch has, on average.",
    )
    noise_multiplier: float = parts.setting(
        1.0,
        "Standard deviation of the noise on the summed gradients, in units of "
        "`max_norm`; 0: none.",
        "training",
        checks.at_least_zero,
    )
    max_norm: float = parts.setting(
        1.0,
        "Norm to which each record's gradient is clipped; inf: not clipped.",
        "training",
    )
    sampling: str = parts.setting(
        "poisson",
        "How batches are drawn: poisson, each record apart from the others, or "
        "shuffled, of which nothing is claimed.",
        "training",
        checks.choices(SAMPLINGS),
    )
    learning_rate: float = parts.changed(
        parts.Training,
        "learning_rate",
        default=0.5,
        told="Learning rate of DP-SGD.",
    )


@dataclasses.dataclass(frozen=True)
class Canaries:
    """What is put into the training, and what is claimed and found of it."""

    canaries: int = parts.setting(
        500,
        "How many canaries there are, records with a wrong label, each of which is "
        "trained on with probability 1/2.",
        "attacks",
        checks.integers(),
    )
    delta: float = parts.setting(
        1e-5, "Delta of the claim and of the bounds.", "attacks", _SHARE
    )
    confidence: float = parts.setting(
        0.95, "Confidence with which all bounds hold together.", "attacks", _SHARE
    )


@dataclasses.dataclass(frozen=True)
class PrivacySettings(parts.Seed, Canaries, Private, parts.Network, parts.Data):
    """What it does; the field names are the flags of `launch.audit_privacy`."""

    records: int | None = parts.changed(
        parts.Data,
        "records",
        told="How many records are used, drawn at random class by class. Absent: all.",
    )
    model: str = parts.changed(
        parts.Network,
        "model",
        default="mlp",
        told="Model: mlp, or cnn (paper A's network for the image size), which takes "
        "ten times as long.",
    )


def check(settings: PrivacySettings) -> None:
    """Checks every setting that can be judged without the data.

    Raises:
      InputError: naming the setting, its value and what is accepted.
    """
    parts.check(settings)
    norm = settings.max_norm
    if not norm > 0 or (settings.noise_multiplier and math.isinf(norm)):
        raise errors.InputError(
            "max_norm",
            norm,
            "are numbers above 0, and inf beside `noise_multiplier`=0",
        )
