"""The settings of an audit, checked as a whole before anything runs."""

from __future__ import annotations

import dataclasses

from jaxprivacy import checks
from jaxprivacy.data import partitions
from jaxprivacy.models import attack_networks

MODELS = ("mlp", "cnn")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What an audit does; the field names are the flags of `launch.audit`."""

    data: str = "digits"
    records: int | None = None  # None: all, at most 4,000 where images are > 16 pixels
    model: str | None = None  # None: cnn for images, mlp for tables
    mlp_widths: tuple[int, ...] = (256, 128)
    participants: int = 4
    members_per_participant: int | None = None  # None: N // (P + 4)
    partition: str = "iid"
    dirichlet_alpha: float = 1.0
    victim: int = 0
    attack_train_fraction: float = 0.4
    selection_fraction: float = 0.15
    rounds: int = 40
    local_epochs: int = 2
    batch_size: int = 32
    learning_rate: float = 0.1
    momentum: float = 0.0
    observed_rounds: int = 5
    preset: str = "table-xiv"
    gradient_kernels: int = 10  # the preset's own are out of two cores' reach
    ascent_rate: float = 0.5
    target_class: int = 0
    gan_rounds: int = 60
    generator_learning_rate: float = 0.02
    generator_steps: int = 10
    generator_batch: int = 32
    injected: int = 32
    seed: int = 0

    def attack_preset(self) -> attack_networks.Preset:
        """The attack network's preset with the number of kernels asked for."""
        return dataclasses.replace(
            attack_networks.PRESETS[self.preset], gradient_kernels=self.gradient_kernels
        )


def check(settings: Settings) -> None:
    """Checks every setting that can be judged without the data.

    Raises:
      InputError: naming the flag, its value and what is accepted.
    """
    if settings.model is not None:
        checks.one_of("--model", settings.model, MODELS)
    checks.one_of("--partition", settings.partition, partitions.PARTITIONS)
    checks.one_of("--preset", settings.preset, tuple(attack_networks.PRESETS))
    for name in (
        "participants",
        "rounds",
        "local_epochs",
        "batch_size",
        "observed_rounds",
        "gradient_kernels",
        "gan_rounds",
        "generator_steps",
    ):
        checks.positive_integer(f"--{name}", getattr(settings, name))
    # The generator's batch normalisation needs two samples.
    for name in ("generator_batch", "injected"):
        checks.positive_integer(f"--{name}", getattr(settings, name), least=2)
    for name in ("records", "members_per_participant"):
        if getattr(settings, name) is not None:
            checks.positive_integer(f"--{name}", getattr(settings, name))
    for name in (
        "learning_rate",
        "dirichlet_alpha",
        "ascent_rate",
        "generator_learning_rate",
    ):
        checks.positive(f"--{name}", getattr(settings, name))
    for name in ("attack_train_fraction", "selection_fraction"):
        checks.fraction(f"--{name}", getattr(settings, name))
    for width in settings.mlp_widths:
        checks.positive_integer("--mlp_widths", width)
    for name in ("seed", "victim", "target_class"):
        checks.positive_integer(f"--{name}", getattr(settings, name), least=0)
    if settings.seed >= 2**32:  # JAX's keys take its lower 32 bits only.
        raise checks.InputError(
            f"--seed={settings.seed}: accepted are 0 to {2**32 - 1}"
        )
    if not 0 <= settings.momentum < 1:
        raise checks.InputError(
            f"--momentum={settings.momentum}: accepted are numbers in [0, 1)"
        )
    if settings.observed_rounds > settings.rounds:
        raise checks.InputError(
            f"--observed_rounds={settings.observed_rounds}: accepted are 1 to "
            f"--rounds={settings.rounds}"
        )
