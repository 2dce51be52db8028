"""The settings of the audit of a privacy claim."""

from __future__ import annotations

import dataclasses
import math

from jaxprivacy import checks
from jaxprivacy.experiments import settings as settings_lib

SAMPLINGS = ("poisson", "shuffled")


@dataclasses.dataclass(frozen=True)
class PrivacySettings:
    """What it does; the field names are the flags of `launch.audit_privacy`."""

    data: str = "digits"
    records: int | None = None  # None: all
    model: str = "mlp"
    mlp_widths: tuple[int, ...] = (256, 128)
    canaries: int = 500
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 0.5
    noise_multiplier: float = 1.0
    max_norm: float = 1.0
    sampling: str = "poisson"
    delta: float = 1e-5
    confidence: float = 0.95
    seed: int = 0


def check(settings: PrivacySettings) -> None:
    """Checks every setting that can be judged without the data.

    Raises:
      InputError: naming the flag, its value and what is accepted.
    """
    checks.one_of("--model", settings.model, settings_lib.MODELS)
    checks.one_of("--sampling", settings.sampling, SAMPLINGS)
    settings_lib.each(settings, ("canaries", "epochs", "batch_size"))
    if settings.records is not None:
        settings_lib.each(settings, ("records",))
    for width in settings.mlp_widths:
        checks.positive_integer("--mlp_widths", width)
    checks.positive("--learning_rate", settings.learning_rate)
    checks.at_least_zero("--noise_multiplier", settings.noise_multiplier)
    norm = settings.max_norm
    if not norm > 0 or (settings.noise_multiplier and math.isinf(norm)):
        raise checks.InputError(
            f"--max_norm={norm}: accepted are numbers above 0, and inf beside "
            "--noise_multiplier=0"
        )
    for name in ("delta", "confidence"):
        value = getattr(settings, name)
        if not 0 < value < 1:
            raise checks.InputError(
                f"--{name}={value}: accepted are numbers between 0 and 1"
            )
    settings_lib.check_seed(settings.seed)
