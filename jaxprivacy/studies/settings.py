"""The settings of the audit and of the GAN attack, checked before anything runs.

They are composed of parts, whose fields say what each is and what is accepted.
"""

from __future__ import annotations

import dataclasses

from jaxprivacy import errors
from jaxprivacy.models import attack_presets
from jaxprivacy.studies import audit_parts, gan_parts, parts


@dataclasses.dataclass(frozen=True)
class Settings(
    parts.Seed,
    parts.Gan,
    audit_parts.Membership,
    audit_parts.Shares,
    audit_parts.Training,
    audit_parts.Target,
    parts.Data,
):
    """What an audit does; the field names are the flags of `launch.audit`."""

    generator_steps: int = parts.changed(parts.Gan, "generator_steps", default=10)

    def attack_preset(self) -> attack_presets.Preset:
        """The attack network's preset with the number of kernels asked for."""
        return dataclasses.replace(
            attack_presets.PRESETS[self.preset], gradient_kernels=self.gradient_kernels
        )

    def collaboration(self) -> GanSettings:
        """The settings of the audit's run under the GAN attack."""
        return parts.shared(self, GanSettings, rounds=self.gan_rounds)


@dataclasses.dataclass(frozen=True)
class GanSettings(
    parts.Seed,
    gan_parts.Compared,
    gan_parts.Uploads,
    gan_parts.Decaying,
    parts.Network,
    gan_parts.Held,
):
    """Collaborative training under the GAN attack; the flags of `launch.gan_attack`."""


def check(settings: Settings) -> None:
    """Checks every setting of an audit that can be judged without the data.

    Raises:
      InputError: naming the setting, its value and what is accepted.
    """
    parts.check(settings)
    if settings.targets_in_pool > settings.references + 2:
        raise errors.InputError(
            "targets_in_pool",
            settings.targets_in_pool,
            f"are 1 to {settings.references + 2}, the references and the target "
            "with its complement",
        )
    if settings.observed_rounds > settings.rounds:
        raise errors.InputError(
            "observed_rounds",
            settings.observed_rounds,
            f"are 1 to `rounds`={settings.rounds}",
        )


def check_gan(settings: GanSettings) -> None:
    """Checks every setting of the GAN attack that can be judged without the data.

    Raises:
      InputError: naming the setting, its value and what is accepted.
    """
    parts.check(settings)
    if settings.start_accuracy and not settings.adversary_data:
        raise errors.InputError(
            "start_accuracy",
            settings.start_accuracy,
            found="without data the adversary cannot measure it",
            accepted="is 0 (use `start_round`)",
        )
