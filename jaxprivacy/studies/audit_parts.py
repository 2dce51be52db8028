"""What the settings of an audit have beside those of every study."""

from __future__ import annotations

import dataclasses

from jaxprivacy import checks
from jaxprivacy.data import partitions
from jaxprivacy.studies import parts

MODELS = (*parts.MODELS, "alexnet")
SETTINGS = ("federated", "standalone")


@dataclasses.dataclass(frozen=True)
class Target(parts.Network):
    """The model that is attacked, and who trains it."""

    model: str | None = parts.changed(
        parts.Network, "model", check=checks.choices(MODELS)
    )
    setting: str = parts.setting(
        "federated",
        "How the target is trained: federated, or standalone, by one party, with "
        "reference models beside it.",
        "training",
        checks.choices(SETTINGS),
    )


@dataclasses.dataclass(frozen=True)
class Training(parts.Training):
    """How the target is trained, in rounds whose rate may decay."""

    local_epochs: int = parts.changed(parts.Training, "local_epochs", default=2)
    round_decay: float = parts.setting(
        1.0,
        "What the learning rate is multiplied by after each round of federated "
        "training.",
        "training",
        checks.fraction,
    )


@dataclasses.dataclass(frozen=True)
class Membership:
    """Membership inference in a federated or a stand-alone training."""

    attacks: tuple[str, ...] = parts.setting(
        (),
        "Names of attacks, or all. Absent: all that the setting has; of a federated "
        "one all but those of a server that keeps every upload.",
        "attacks",
    )
    references: int = parts.setting(
        16,
        "How many models are trained like a stand-alone target, each on half of the "
        "records; 0: none.",
        "attacks",
        checks.all_of(
            checks.integers(least=0),
            checks.that(
                lambda models: models % 2 == 0 and models != 2,
                "are 0 and even numbers of at least 4, half of which hold each record",
            ),
        ),
    )
    targets_in_pool: int = parts.setting(
        1,
        "How many of the trained models are attacked in turn, with the others for "
        "references.",
        "attacks",
        checks.integers(),
    )
    queries: int = parts.setting(
        1,
        "In how many forms each image is shown to target and reference models: itself, "
        "then shifted by a pixel, in colour mirrored too. Of stand-alone targets; "
        "attacks with reference models look at all forms, others at the first.",
        "attacks",
        checks.integers(),
    )
    victim: int = parts.setting(
        0,
        "Which participant's members are attacked, counted from 0.",
        "attacks",
        checks.integers(least=0),
    )
    others_non_members: bool = parts.setting(
        False,
        "Whether records of the other participants are among the victim's "
        "non-members, of each as many as of nobody's.",
        "attacks",
    )
    observed_rounds: int = parts.setting(
        5,
        "How many rounds, evenly spaced, the server keeps the victim's parameters of.",
        "attacks",
        checks.integers(),
    )
    attack_train_fraction: float = parts.setting(
        0.4,
        "Share of the victim's records that the attacker knows.",
        "attacks",
        checks.fraction,
    )
    selection_fraction: float = parts.setting(
        0.15,
        "Share of the known records on which the attack's epoch is selected.",
        "attacks",
        checks.fraction,
    )
    preset: str = parts.preset(
        "Attack network: anchored, table-xiv, authors-2019 or ml-privacy-meter-0.1."
    )
    gradient_kernels: int = (
        parts.setting(  # the preset's own are out of two cores' reach
            10,
            "How many kernels the attack network has over each layer's gradient. Table "
            "XIV has 1000, which take a hundred times the work.",
            "attacks",
            checks.integers(),
        )
    )
    ascent_rate: float = parts.setting(
        0.5, "Rate of the active server's gradient ascent.", "attacks", checks.positive
    )
    gan_rounds: int = parts.setting(
        60,
        "How many rounds collaborative training under the GAN attack takes.",
        "attacks",
        checks.integers(),
    )


@dataclasses.dataclass(frozen=True)
class Shares(parts.Federation):
    """How an audit's participants come by their records."""

    members_per_participant: int | None = parts.setting(
        None,
        "How many records a participant trains on. Absent: records / "
        "(participants + 4).",
        "federation",
        checks.integers(),
    )
    partition: str = parts.setting(
        "iid",
        "How records are dealt to participants: iid, by_class or dirichlet. The GAN "
        "attack always deals them by class.",
        "federation",
        checks.choices(partitions.PARTITIONS),
    )
    dirichlet_alpha: float = parts.setting(
        1.0,
        "Concentration of `partition`=dirichlet.",
        "federation",
        checks.positive,
    )
