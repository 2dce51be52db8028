"""The settings of the studies, checked as a whole before anything runs."""

from __future__ import annotations

import dataclasses

import numpy as np

from jaxprivacy import checks, errors
from jaxprivacy.data import partitions
from jaxprivacy.models import attack_presets

MODELS = ("mlp", "cnn")
SETTINGS = ("federated", "standalone")
UPLOADS = ("largest", "random")
OPTIMIZERS = ("sgd", "adam")
ORDERS = ("round_robin", "random", "asynchronous")
# The rows beside the attack that can be left out.
COMPARED = (
    "gan_no_influence",
    "gan_improved",
    "model_inversion",
    "model_inversion_mlp",
    "dcgan",
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What an audit does; the field names are the flags of `launch.audit`."""

    data: str = "digits"
    setting: str = "federated"
    attacks: tuple[str, ...] = ()  # (): all that the setting has
    references: int = 16  # models beside a target that is trained alone
    targets_in_pool: int = 1
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
    preset: str = attack_presets.ANCHORED.name
    gradient_kernels: int = 10  # the preset's own are out of two cores' reach
    ascent_rate: float = 0.5
    target_class: int = 0
    gan_rounds: int = 60
    generator_learning_rate: float = 0.02
    generator_steps: int = 10
    generator_batch: int = 32
    injected: int = 32
    seed: int = 0

    def attack_preset(self) -> attack_presets.Preset:
        """The attack network's preset with the number of kernels asked for."""
        return dataclasses.replace(
            attack_presets.PRESETS[self.preset], gradient_kernels=self.gradient_kernels
        )

    def collaboration(self) -> GanSettings:
        """The settings of the audit's run under the GAN attack."""
        same = {field.name for field in dataclasses.fields(GanSettings)}
        shared = {name: v for name, v in vars(self).items() if name in same}
        return GanSettings(**shared | {"rounds": self.gan_rounds})


@dataclasses.dataclass(frozen=True)
class GanSettings:
    """Collaborative training under the GAN attack; the flags of `launch.gan_attack`."""

    data: str = "digits"
    records: int | None = None  # None: all
    model: str | None = None  # None: cnn
    mlp_widths: tuple[int, ...] = (256, 128)
    participants: int = 2
    held_fraction: float = 0.8
    adversary_data: bool = True
    rounds: int = 60
    order: str = "round_robin"
    local_epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 0.1
    learning_rate_decay: float = 0.0
    momentum: float = 0.0
    upload_fraction: float = 1.0
    download_fraction: float = 1.0
    upload_rule: str = "largest"
    threshold: float = 1e-4
    gradient_bound: float | None = None  # None: none, but 0.001 under privacy
    epsilon_per_parameter: float | None = None  # None: no privacy
    clip_first: bool = True  # False: the paper's release, which guarantees nothing
    target_class: int = 0
    influence: bool = True
    start_round: int = 0
    start_accuracy: float = 0.0
    generator_optimizer: str = "sgd"
    generator_learning_rate: float = 0.02
    generator_steps: int = 20
    generator_batch: int = 32
    injected: int = 32
    mode_seeking: float = 0.03  # of the row gan_improved only
    compare: tuple[str, ...] = COMPARED
    dcgan_steps: int = 8000  # at most; it stops where it no longer improves
    seed: int = 0


def check(settings: Settings) -> None:
    """Checks every setting of an audit that can be judged without the data.

    Raises:
      InputError: naming the flag, its value and what is accepted.
    """
    _check_shared(settings)
    checks.one_of("setting", settings.setting, SETTINGS)
    each(settings, ("targets_in_pool",))
    each(settings, ("references",), least=0)
    if settings.references % 2 or settings.references == 2:
        raise errors.InputError(
            "references",
            settings.references,
            "are 0 and even numbers of at least 4, half of which hold each record",
        )
    if settings.targets_in_pool > settings.references + 2:
        raise errors.InputError(
            "targets_in_pool",
            settings.targets_in_pool,
            f"are 1 to {settings.references + 2}, the references and the target "
            "with its complement",
        )
    checks.one_of("partition", settings.partition, partitions.PARTITIONS)
    checks.one_of("preset", settings.preset, tuple(attack_presets.PRESETS))
    each(
        settings, ("participants", "observed_rounds", "gradient_kernels", "gan_rounds")
    )
    if settings.members_per_participant is not None:
        each(settings, ("members_per_participant",))
    each(settings, ("victim",), least=0)
    for name in ("dirichlet_alpha", "ascent_rate"):
        checks.positive(name, getattr(settings, name))
    for name in ("attack_train_fraction", "selection_fraction"):
        checks.fraction(name, getattr(settings, name))
    if settings.observed_rounds > settings.rounds:
        raise errors.InputError(
            "observed_rounds",
            settings.observed_rounds,
            f"are 1 to `rounds`={settings.rounds}",
        )


def check_gan(settings: GanSettings) -> None:
    """Checks every setting of the GAN attack that can be judged without the data.

    Raises:
      InputError: naming the flag, its value and what is accepted.
    """
    _check_shared(settings)
    checks.one_of("order", settings.order, ORDERS)
    checks.one_of("upload_rule", settings.upload_rule, UPLOADS)
    checks.one_of("generator_optimizer", settings.generator_optimizer, OPTIMIZERS)
    for name in settings.compare:
        checks.one_of("compare", name, COMPARED)
    each(settings, ("participants",), least=2)
    each(settings, ("dcgan_steps",))
    each(settings, ("start_round",), least=0)
    for name in ("upload_fraction", "download_fraction"):
        checks.fraction(name, getattr(settings, name))
    if not 0 < settings.held_fraction < 1:
        raise errors.InputError(
            "held_fraction",
            settings.held_fraction,
            "are fractions between 0 and 1; the judge learns from the rest",
        )
    for name in ("learning_rate_decay", "threshold", "mode_seeking"):
        checks.at_least_zero(name, getattr(settings, name))
    if settings.gradient_bound is not None:
        checks.positive("gradient_bound", settings.gradient_bound)
    epsilon = settings.epsilon_per_parameter
    if epsilon is not None and not epsilon > 0:  # Infinity is no noise.
        raise errors.InputError(
            "epsilon_per_parameter", epsilon, "are numbers above 0 and inf"
        )
    if not 0 <= settings.start_accuracy <= 1:
        raise errors.InputError(
            "start_accuracy", settings.start_accuracy, "are numbers in [0, 1]"
        )
    if settings.start_accuracy and not settings.adversary_data:
        raise errors.InputError(
            "start_accuracy",
            settings.start_accuracy,
            found="without data the adversary cannot measure it",
            accepted="is 0 (use `start_round`)",
        )


def each(settings: object, names: tuple[str, ...], least: int = 1) -> None:
    """Checks the integers among a dataclass's fields that have these names."""
    for name in names:
        checks.positive_integer(name, getattr(settings, name), least=least)


def check_seed(seed: int, name: str = "seed") -> None:
    """Checks a seed: JAX's keys take its lower 32 bits only."""
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**32:
        raise errors.InputError(name, seed, f"are 0 to {2**32 - 1}")


def _check_shared(settings: Settings | GanSettings) -> None:
    """What both studies have."""
    if settings.model is not None:
        checks.one_of("model", settings.model, MODELS)
    each(settings, ("rounds", "local_epochs", "batch_size", "generator_steps"))
    # The generator's batch normalisation needs two samples.
    each(settings, ("generator_batch", "injected"), least=2)
    if settings.records is not None:
        each(settings, ("records",))
    for name in ("learning_rate", "generator_learning_rate"):
        checks.positive(name, getattr(settings, name))
    for width in settings.mlp_widths:
        checks.positive_integer("mlp_widths", width)
    each(settings, ("target_class",), least=0)
    check_seed(settings.seed)
    if not 0 <= settings.momentum < 1:
        raise errors.InputError("momentum", settings.momentum, "are numbers in [0, 1)")
