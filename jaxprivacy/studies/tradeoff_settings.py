"""The settings of the trade-off between what protects and what it costs."""

from __future__ import annotations

import dataclasses
import math

from jaxprivacy import checks, errors
from jaxprivacy.cards import defenses as cards
from jaxprivacy.studies import (
    audit_parts,
    defended_federation,
    defended_training,
    gan_parts,
    inversion_settings,
    parts,
    privacy_settings,
    reference_records,
    server_attacks,
    settings as settings_lib,
    whitebox_parts,
)

ATTACKS = ("loss_threshold", "lira_online", "rmia_online")
# A server's attacks on membership, which see uploads.
UPLOADS = tuple(server_attacks.NAMES)
CONFIDENCE = 0.95  # of lower bounds
OBSERVED = 10  # rounds that the server keeps, evenly spaced
INVERSIONS = ("invert_gradients", "dlg")
KIND_OF = {
    "gan": "gan",
    **dict.fromkeys(INVERSIONS, "inversion"),
    **dict.fromkeys(UPLOADS, "server"),
}
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
    "server": ("none", "dp_sgd:8", "secure_aggregation", "top_k:0.1", "sign"),
    "inversion": ("none", "dp_sgd:8", "secure_aggregation", "top_k:0.1", "sign"),
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
        "label_smoothing:SHARE, mixup:ALPHA, temperature:DIVISOR; of uploads "
        "none, dp_sgd:EPSILON, participant_dp:EPSILON, secure_aggregation, "
        "top_k:FRACTION, sign, quantised:LEVELS. Absent: none and four of these.",
        "training",
    )
    attacks: tuple[str, ...] = parts.setting(
        ATTACKS,
        "Names of membership attacks, as a stand-alone launch.audit has them; or gan, "
        "a participant's attack on a class; or invert_gradients or dlg, a server's on "
        "one update; or fedmia_loss, mean_cosine and others, a server's on members.",
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
        told="How many participants train together, where uploads are protected.",
    )
    updates: int = parts.setting(
        4, "How many updates are inverted.", "attacks", checks.integers()
    )
    update_size: int = parts.setting(
        1, "How many records an inverted update is of.", "attacks", checks.integers()
    )
    restarts: int = parts.changed(inversion_settings.Attack, "restarts", default=2)
    iterations: int | None = parts.changed(inversion_settings.Attack, "iterations")
    total_variation: float = parts.changed(inversion_settings.Attack, "total_variation")
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
    canaries: int = parts.changed(
        privacy_settings.Canaries,
        "canaries",
        default=0,
        told="How many canaries a further training by DP-SGD is given, on all records, "
        "to bound its epsilon from below; 0: it is not bounded.",
        check=checks.integers(least=0),
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

    def rounds_of(self, records: int) -> defended_federation.Recipe:
        """The rounds of a federation whose honest participants have so many records.

        Args:
          records: of the one with the fewest.
        """
        return defended_federation.Recipe(
            self.rounds,
            self.participants,
            records,
            self.recipe(1),
            self.update_norm,
        )

    def audit(self, seed: int) -> settings_lib.Settings:
        """The stand-alone audit of one seed."""
        return parts.shared(
            self,
            settings_lib.Settings,
            seed=seed,
            setting="standalone",
            observed_rounds=1,
        )

    def private(self, seed: int, model: str) -> privacy_settings.PrivacySettings:
        """The training of a model with canaries of one seed, its noise aside."""
        return parts.shared(
            self,
            privacy_settings.PrivacySettings,
            seed=seed,
            model=model,
            epochs=self.rounds * self.local_epochs,
            learning_rate=self.private_learning_rate,
            # The largest bound of all seeds is to hold with the confidence.
            confidence=1 - (1 - CONFIDENCE) / self.seeds,
        )

    def federated(self, seed: int) -> settings_lib.Settings:
        """The federated audit of one seed, by the server that sees uploads."""
        return parts.shared(
            self,
            settings_lib.Settings,
            seed=seed,
            setting="federated",
            references=0,
            targets_in_pool=1,
            observed_rounds=min(self.rounds, OBSERVED),
        )

    def gan(self, seed: int) -> settings_lib.GanSettings:
        """The GAN attack of one seed."""
        return parts.shared(self, settings_lib.GanSettings, seed=seed, compare=())

    def inversion(self, seed: int) -> inversion_settings.InversionSettings:
        """Gradient inversion of one seed."""
        return parts.shared(
            self,
            inversion_settings.InversionSettings,
            seed=seed,
            records=self.updates,
            attack=tuple(name for name in self.attacks if name in INVERSIONS),
            # Of a sum too, whether or not one is asked for: one defense more must not
            # change whose records are attacked, and who trains.
            batch_size=(self.update_size, self.update_size * self.participants),
        )


def kind(settings: TradeoffSettings) -> str:
    """What the attacks are of: membership, a class (gan) or an update (inversion)."""
    named = {KIND_OF.get(name, "membership") for name in settings.attacks}
    if len(named) > 1:
        raise errors.InputError(
            "attacks",
            ",".join(settings.attacks),
            found="of members, classes and updates different things are trained",
            accepted="are of one kind: gan; one of "
            f"{', '.join(INVERSIONS)}; some of {', '.join(UPLOADS)}; or others",
        )
    return named.pop() if named else "membership"


def promises(chosen: cards.Chosen) -> bool:
    """Whether a stand-alone model under a defense comes with an epsilon."""
    return chosen.card.name == "dp_sgd" and math.isfinite(chosen.strength)


def defenses_of(settings: TradeoffSettings) -> tuple[str, ...]:
    """The defenses that there are of what is trained."""
    if kind(settings) == "membership":
        return defended_training.NAMES
    names = defended_federation.NAMES
    # Participant-level privacy trusts the server, which is who attacks here.
    trusting = () if kind(settings) == "gan" else ("participant_dp",)
    return tuple(name for name in names if name not in trusting)


def check(settings: TradeoffSettings) -> None:
    """Checks every setting that can be judged without the data.

    Raises:
      InputError: naming the setting, its value and what is accepted.
    """
    parts.check(settings)
    checks.positive("max_norm", settings.max_norm)
    for name in settings.attacks:
        checks.one_of("attacks", name, (*reference_records.ATTACKS, *KIND_OF))
    _check_different("attacks", settings.attacks)
    of = kind(settings)
    if of in ("gan", "inversion") and len(settings.attacks) > 1:
        raise errors.InputError(
            "attacks", ",".join(settings.attacks), "are, of these, one alone"
        )
    _check_different("defenses", settings.named())
    known = defenses_of(settings)
    for text, chosen in zip(settings.named(), settings.chosen(), strict=True):
        if chosen.card.name not in known:
            raise errors.InputError(
                "defenses",
                text,
                found=f"is none of what `attacks`={','.join(settings.attacks)} attacks",
                accepted=f"are {', '.join(known)}",
            )
    promised = of == "membership" and any(map(promises, settings.chosen()))
    if settings.canaries and not promised:
        raise errors.InputError(
            "canaries",
            settings.canaries,
            found="nothing is promised that they could refute",
            accepted="beside attacks on stand-alone models are defenses with dp_sgd",
        )
    for seed in range(settings.seed, settings.seed + settings.seeds):
        if of == "gan":
            settings_lib.check_gan(settings.gan(seed))
        elif of == "server":
            settings_lib.check(settings.federated(seed))
        elif of == "membership":
            settings_lib.check(settings.audit(seed))


def _check_different(name, values):
    if not values or len(set(values)) < len(values):
        raise errors.InputError(
            name, ",".join(values), "are one or more, each of them once"
        )
