"""The settings of the trade-off between what protects and what it costs."""

from __future__ import annotations

import dataclasses

from jaxprivacy import checks, errors
from jaxprivacy.cards import defenses as cards
from jaxprivacy.studies import (
    audit_parts,
    defended_training,
    parts,
    reference_attacks,
    settings as settings_lib,
    whitebox_parts,
)
from jaxprivacy.studies.privacy_settings import Canaries, Private

ATTACKS = ("loss_threshold", "lira_online", "rmia_online")
DEFENSES = (
    "none",
    "dp_sgd:8",
    "early_stopping:3",
    "label_smoothing:0.2",
    "mixup:1",
)


@dataclasses.dataclass(frozen=True)
class TradeoffSettings(whitebox_parts.Seeds, parts.Training, parts.Network, parts.Data):
    """What it does; the field names are the flags of `launch.tradeoff`."""

    defenses: tuple[str, ...] = parts.setting(
        DEFENSES,
        "Defenses, each with its strength behind a colon: none, dp_sgd:EPSILON, "
        "early_stopping:ROUNDS, weight_decay:FACTOR, dropout:RATE, "
        "label_smoothing:SHARE, mixup:ALPHA, temperature:DIVISOR.",
        "training",
    )
    attacks: tuple[str, ...] = parts.setting(
        ATTACKS,
        "Names of membership attacks on outputs, as launch.audit has them.",
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
        Private,
        "learning_rate",
        told="Learning rate of DP-SGD. It is not searched: a search on the same data "
        "would spend epsilon that nothing here counts.",
    )
    max_norm: float = parts.changed(
        Private,
        "max_norm",
        told="Norm to which DP-SGD clips each record's gradient.",
    )
    delta: float = parts.changed(
        Canaries, "delta", told="Delta at which the epsilon of DP-SGD is guaranteed."
    )

    def chosen(self) -> list[cards.Chosen]:
        """The defenses in the order given."""
        return [cards.read(text) for text in self.defenses]

    def recipe(self) -> defended_training.Recipe:
        """How a model is trained."""
        return defended_training.Recipe(
            epochs=self.rounds * self.local_epochs,
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


def check(settings: TradeoffSettings) -> None:
    """Checks every setting that can be judged without the data.

    Raises:
      InputError: naming the setting, its value and what is accepted.
    """
    parts.check(settings)
    checks.positive("max_norm", settings.max_norm)
    for name in settings.attacks:
        checks.one_of("attacks", name, tuple(reference_attacks.ATTACKS))
    _check_different("attacks", settings.attacks)
    _check_different("defenses", settings.defenses)
    for text, chosen in zip(settings.defenses, settings.chosen(), strict=True):
        if chosen.card.name not in defended_training.NAMES:
            raise errors.InputError(
                "defenses",
                text,
                found="protects uploads, and one party's training has none",
                accepted=f"are {', '.join(defended_training.NAMES)}",
            )
    for seed in range(settings.seeds):
        settings_lib.check(settings.audit(settings.seed + seed))


def _check_different(name, values):
    if not values or len(set(values)) < len(values):
        raise errors.InputError(
            name, ",".join(values), "are one or more, each of them once"
        )
