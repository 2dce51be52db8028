"""The settings of the trade-off between what protects and what it costs."""

from __future__ import annotations

import dataclasses

from jaxprivacy import checks, errors
from jaxprivacy.cards import defenses as cards
from jaxprivacy.studies import (
    audit_parts,
    defended_federation,
    defended_training,
    gan_parts,
    parts,
    privacy_settings,
    reference_attacks,
    settings as settings_lib,
    whitebox_parts,
)

ATTACKS = ("loss_threshold", "lira_online", "rmia_online")
# Where none are given, by `kind`.
DEFENSES = {
    "membership": (
        "none",
        "dp_sgd:8",
        "early_stopping:3",
        "label_smoothing:0.2",
        "mixup:1",
    ),
    "gan": ("none", "dp_sgd:8", "participant_dp:8", "secure_aggregation", "top_k:0.1"),
}


@dataclasses.dataclass(frozen=True)
class TradeoffSettings(
    whitebox_parts.Seeds,
    parts.Gan,
    parts.Training,
    parts.Network,
    gan_parts.Held,
):
    """What it does; the field names are the flags of `launch.tradeoff`."""

    defenses: tuple[str, ...] = parts.setting(
        (),
        "Defenses, each with its strength behind a colon: none, dp_sgd:EPSILON, "
        "early_stopping:ROUNDS, weight_decay:FACTOR, dropout:RATE, "
        "label_smoothing:SHARE, mixup:ALPHA, temperature:DIVISOR; under the GAN "
        "attack none, dp_sgd:EPSILON, participant_dp:EPSILON, secure_aggregation, "
        "top_k:FRACTION, sign, quantised:LEVELS. Absent: none and four of these.",
        "training",
    )
    attacks: tuple[str, ...] = parts.setting(
        ATTACKS,
        "Names of membership attacks on outputs, as launch.audit has them; or gan, "
        "a participant's attack on a class.",
        "attacks",
    )
    references: int = parts.changed(audit_parts.Membership, "references", default=8)
    targets_in_pool: int = parts.changed(
        audit_parts.Membership, "targets_in_pool", default=4
    )
    seeds: int = parts.changed(whitebox_parts.Seeds, "seeds", default=3)
    rounds: int = parts.changed(
        parts.Training, "rounds", default=60, told="How many epochs a training takes."
    )
    local_epochs: int = parts.changed(
        parts.Training, "local_epochs", told="How many times `rounds` epochs it takes."
    )
    private_learning_rate: float = parts.changed(
        privacy_settings.Private,
        "learning_rate",
        told="Learning rate of DP-SGD. It is not searched: a search on the same data "
        "would spend epsilon that nothing here counts.",
    )
    participants: int = parts.changed(
        gan_parts.Uploads,
        "participants",
        told="How many participants train together under the GAN attack.",
    )
    generator_optimizer: str = parts.changed(gan_parts.Compared, "generator_optimizer")
    update_norm: float = parts.setting(
        0.5,
        "Norm to which participant-level differential privacy clips each "
        "participant's update.",
        "training",
        checks.positive,
    )
    max_norm: float = parts.changed(
        privacy_settings.Private,
        "max_norm",
        told="Norm to which DP-SGD clips each record's gradient.",
    )
    delta: float = parts.changed(
        privacy_settings.Canaries,
        "delta",
        told="Delta at which the epsilon of DP-SGD is guaranteed.",
    )

    def chosen(self) -> list[cards.Chosen]:
        """The defenses in the order given."""
        return [cards.read(text) for text in self.named()]

    def named(self) -> tuple[str, ...]:
        """The defenses as they are written, those that are usual if none were given."""
        return self.defenses or DEFENSES[kind(self)]

    def recipe(self, rounds: int) -> defended_training.Recipe:
        """How a model is trained in so many rounds."""
        return defended_training.Recipe(
            epochs=rounds * self.local_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            private_learning_rate=self.private_learning_rate,
            max_norm=self.max_norm,
            delta=self.delta,
        )

    def audit(self, seed: int) -> settings_lib.Settings:
        """The stand-alone audit of one seed."""
        same = {field.name for field in dataclasses.fields(settings_lib.Settings)}
        shared = {name: v for name, v in vars(self).items() if name in same}
        own = {"seed": seed, "setting": "standalone", "observed_rounds": 1}
        return settings_lib.Settings(**shared | own)

    def gan(self, seed: int) -> settings_lib.GanSettings:
        """The GAN attack of one seed."""
        same = {field.name for field in dataclasses.fields(settings_lib.GanSettings)}
        shared = {name: v for name, v in vars(self).items() if name in same}
        return settings_lib.GanSettings(**shared | {"seed": seed, "compare": ()})


def kind(settings: TradeoffSettings) -> str:
    """What the attacks are of: membership, or a class (gan)."""
    return "gan" if "gan" in settings.attacks else "membership"


def defenses_of(settings: TradeoffSettings) -> tuple[str, ...]:
    """The defenses that there are of what is trained."""
    if kind(settings) == "gan":
        return defended_federation.NAMES
    return defended_training.NAMES


def check(settings: TradeoffSettings) -> None:
    """Checks every setting that can be judged without the data.

    Raises:
      InputError: naming the setting, its value and what is accepted.
    """
    parts.check(settings)
    checks.positive("max_norm", settings.max_norm)
    for name in settings.attacks:
        checks.one_of("attacks", name, (*reference_attacks.ATTACKS, "gan"))
    _check_different("attacks", settings.attacks)
    _check_different("defenses", settings.named())
    if "gan" in settings.attacks and len(settings.attacks) > 1:
        raise errors.InputError(
            "attacks",
            ",".join(settings.attacks),
            found="of one class and of members different models are trained",
            accepted="are gan alone, or others without it",
        )
    known = defenses_of(settings)
    for text, chosen in zip(settings.named(), settings.chosen(), strict=True):
        if chosen.card.name not in known:
            raise errors.InputError(
                "defenses",
                text,
                found=f"is none of what `attacks`={','.join(settings.attacks)} attacks",
                accepted=f"are {', '.join(known)}",
            )
    for seed in range(settings.seeds):
        if kind(settings) == "gan":
            settings_lib.check_gan(settings.gan(settings.seed + seed))
        else:
            settings_lib.check(settings.audit(settings.seed + seed))


def _check_different(name, values):
    if not values or len(set(values)) < len(values):
        raise errors.InputError(
            name, ",".join(values), "are one or more, each of them once"
        )
