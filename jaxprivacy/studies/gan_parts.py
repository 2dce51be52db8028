"""What the settings of the GAN attack have beside those of every study."""

from __future__ import annotations

import dataclasses

from jaxprivacy import checks
from jaxprivacy.studies import parts

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
class Held(parts.Data):
    """Which records there are, and who holds any."""

    held_fraction: float = parts.setting(
        0.8,
        "Share of the records that the participants hold together; the independent "
        "judge learns from the rest.",
        "data",
        checks.that(
            lambda value: 0 < value < 1,
            "are fractions between 0 and 1; the judge learns from the rest",
        ),
    )
    adversary_data: bool = parts.setting(
        True, "Whether the adversary holds records of its own.", "data"
    )


@dataclasses.dataclass(frozen=True)
class Decaying(parts.Training):
    """How each participant trains."""

    rounds: int = parts.changed(parts.Training, "rounds", default=60)
    learning_rate_decay: float = parts.setting(
        0.0,
        "Decay d of the learning rate: that of step t is learning_rate / (1 + d t).",
        "training",
        checks.at_least_zero,
    )


@dataclasses.dataclass(frozen=True)
class Uploads(parts.Federation):
    """What participants of collaborative training upload and download."""

    participants: int = parts.changed(
        parts.Federation, "participants", default=2, check=checks.integers(least=2)
    )
    order: str = parts.setting(
        "round_robin",
        "In which order participants take their turns: round_robin, random, or "
        "asynchronous (all train at once, on parameters as old as their own last "
        "upload; uploads come in at random).",
        "federation",
        checks.choices(ORDERS),
    )
    upload_fraction: float = parts.setting(
        1.0,
        "Share of the parameters that a participant uploads (theta_u).",
        "federation",
        checks.fraction,
    )
    download_fraction: float = parts.setting(
        1.0,
        "Share of the parameters that a participant downloads, the most updated first "
        "(theta_d).",
        "federation",
        checks.fraction,
    )
    upload_rule: str = parts.setting(
        "largest",
        "Which parameters are uploaded: the largest, or random ones among those above "
        "`threshold`.",
        "federation",
        checks.choices(UPLOADS),
    )
    threshold: float = parts.setting(
        1e-4,
        "Threshold of a random or private upload (tau).",
        "federation",
        checks.at_least_zero,
    )
    gradient_bound: float | None = parts.setting(
        None,
        "Bound to which uploads are clipped on either side of 0 (gamma). Absent: they "
        "are not clipped; 0.001 under privacy.",
        "federation",
        checks.positive,
    )
    epsilon_per_parameter: float | None = parts.setting(
        None,
        "Noise on the uploads by the sparse-vector technique: epsilon of each "
        "uploaded parameter and round; inf: none. Absent: another rule "
        "(`upload_rule`).",
        "federation",
        # Infinity is no noise.
        checks.that(lambda epsilon: epsilon > 0, "are numbers above 0 and inf"),
    )
    clip_first: bool = parts.setting(
        True,
        "Whether updates are clipped to `gradient_bound` before the noise, so that "
        "uploads are differentially private. Without it the release is the paper's, "
        "which guarantees nothing.",
        "federation",
    )


@dataclasses.dataclass(frozen=True)
class Compared(parts.Gan):
    """The GAN attack, and what is run beside it."""

    influence: bool = parts.setting(
        True,
        "Whether the adversary injects its samples as an artificial class.",
        "attacks",
    )
    start_round: int = parts.setting(
        0,
        "How many rounds of honest training come before the attack.",
        "attacks",
        checks.integers(least=0),
    )
    start_accuracy: float = parts.setting(
        0.0,
        "The attack waits until the shared model reaches this accuracy on the "
        "adversary's records.",
        "attacks",
        checks.that(lambda value: 0 <= value <= 1, "are numbers in [0, 1]"),
    )
    generator_optimizer: str = parts.setting(
        "sgd",
        "Optimizer of the attacker's generator: sgd or adam.",
        "attacks",
        checks.choices(OPTIMIZERS),
    )
    mode_seeking: float = parts.setting(
        0.03,
        "Weight of the mode-seeking term in the row gan_improved.",
        "attacks",
        checks.at_least_zero,
    )
    compare: tuple[str, ...] = parts.setting(
        COMPARED,
        "What is run beside the attack.",
        "attacks",
        checks.each(checks.choices(COMPARED)),
    )
    dcgan_steps: int = parts.setting(
        8000,
        "How many steps the DCGAN on the victim's images takes at most; it ends where "
        "it no longer improves.",
        "attacks",
        checks.integers(),
    )
