"""What the settings of the white-box study have beside those of every study.

Where more than one value may be given, each is run.
"""

from __future__ import annotations

import dataclasses

from jaxprivacy import checks
from jaxprivacy.studies import parts

MODELS = ("mlp", "cnn", "alexnet", "resnet", "densenet")
SETTINGS = ("standalone", "finetune", "federated")
ATTACKERS = ("global", "local")
VICTIMS = ("first", "all")
MODES = ("passive", "gradient_ascent", "isolating", "isolating_gradient_ascent")
SUPERVISIONS = ("supervised", "unsupervised", "shadow")
NORMALISATIONS = ("group", "batch")
OPTIMIZERS = ("sgd", "adam")
BLOCKS = ("", "basic", "bottleneck")
ALL, NONE = "all", "none"  # layers
MOST_WIDTH = 2**16  # of a layer; far larger products overflow inside XLA.
MOST_ROUNDS = 2**31 - 1  # JAX counts them in 32 bits.
MOST_LOCAL_EPOCHS = 2**16

_ROUNDS = checks.integers(most=MOST_ROUNDS)
_WIDTH = checks.integers(most=MOST_WIDTH)
_COUNTS = checks.each(checks.integers())
_ANY = checks.each(lambda name, value: None, least=1)


@dataclasses.dataclass(frozen=True)
class Target(parts.Network):
    """The model that is attacked, its layout, and who trains it."""

    model: str | None = parts.changed(
        parts.Network,
        "model",
        told="Model: mlp, cnn (paper A's network for the image size), or for 32 x 32 "
        "images alexnet, resnet or densenet. Absent: cnn for images, mlp for tables.",
        check=checks.choices(MODELS),
    )
    mlp_widths: tuple[int, ...] = parts.changed(
        parts.Network, "mlp_widths", check=checks.each(_WIDTH)
    )
    depth: int = parts.setting(
        20, "Depth of a resnet or densenet.", "training", checks.integers()
    )
    growth_rate: int = parts.setting(
        12, "Growth rate of a densenet.", "training", checks.integers()
    )
    block: str = parts.setting(
        "",
        "Block of a resnet: basic or bottleneck. Absent: basic below depth 44, "
        "bottleneck from there on, as in the first version of the public models.",
        "training",
        checks.choices(BLOCKS),
    )
    normalisation: str = parts.setting(
        "group",
        "Normalisation: group, which does not mix examples, or batch, in evaluation "
        "mode, for imported weights.",
        "training",
        checks.choices(NORMALISATIONS),
    )
    import_target: str = parts.setting(
        "",
        "A target that is not trained: a folder of `export_target`, or a PyTorch file "
        "(.pth, .pt, .pth.tar) in the layout of the public CIFAR models, trained on "
        "the first `members_per_participant` records.",
        "training",
    )
    export_target: str = parts.setting(
        "", "New folder for the trained target.", "training"
    )
    setting: str = parts.setting(
        "standalone",
        "How the target is trained: standalone, finetune or federated.",
        "training",
        checks.choices(SETTINGS),
    )


@dataclasses.dataclass(frozen=True)
class Training(parts.Training):
    """How the target is trained, and after that fine-tuned."""

    rounds: int = parts.changed(
        parts.Training,
        "rounds",
        told="How many rounds the training takes; stand-alone: epochs, where "
        "`local_epochs` is 1.",
        check=_ROUNDS,
    )
    local_epochs: int = parts.changed(
        parts.Training, "local_epochs", check=checks.integers(most=MOST_LOCAL_EPOCHS)
    )
    batch_size: int = parts.changed(parts.Training, "batch_size", default=64)
    optimizer: str = parts.setting(
        "sgd",
        "Optimizer of local training: sgd or adam.",
        "training",
        checks.choices(OPTIMIZERS),
    )
    learning_rate: float = parts.changed(
        parts.Training,
        "learning_rate",
        default=0.05,
        told="Learning rate of local training.",
    )
    learning_rate_drops: tuple[int, ...] = parts.setting(
        (),
        "Rounds after which the learning rate is divided by ten.",
        "training",
        _COUNTS,
    )
    weight_decay: float = parts.setting(
        0.0,
        "L2 regularisation: this times the parameters is added to the gradient.",
        "training",
        checks.at_least_zero,
    )
    fine_tuning_fraction: float = parts.setting(
        0.4,
        "Share of the target's records that fine-tuning takes.",
        "training",
        checks.that(lambda value: 0 < value < 1, "are fractions between 0 and 1"),
    )
    fine_tuning_rounds: int = parts.setting(
        20,
        "How many rounds fine-tuning takes, after `rounds` on the base records.",
        "training",
        _ROUNDS,
    )


@dataclasses.dataclass(frozen=True)
class Seeds(parts.Seed):
    """What all that is random depends on, and how often all is run."""

    seeds: int = parts.setting(
        1, "How many seeds are run, from `seed` on.", "training", checks.integers()
    )


@dataclasses.dataclass(frozen=True)
class Federation(parts.Federation):
    """Who trains together, and on how many records."""

    participants: tuple[int, ...] = parts.changed(
        parts.Federation,
        "participants",
        default=(4,),
        told="How many participants federated training has; several numbers: a run "
        "each.",
        check=checks.each(checks.integers(), least=1),
    )
    members_per_participant: int | None = parts.setting(
        None,
        "How many records a participant trains on; stand-alone, the target. Absent: "
        "records / (2 participants).",
        "federation",
        checks.integers(),
    )


@dataclasses.dataclass(frozen=True)
class Attackers:
    """Who attacks, by what means, and what it learns from."""

    attacker: tuple[str, ...] = parts.setting(
        ("global",),
        "Who attacks: global (the server), local (a participant), or both with a "
        "comma.",
        "attacks",
        checks.several_of(ATTACKERS),
    )
    mode: tuple[str, ...] = parts.setting(
        ("passive",),
        "What the attacker does: passive, gradient_ascent, isolating, "
        "isolating_gradient_ascent, or several with commas; a local attacker isolates "
        "nobody.",
        "attacks",
        checks.several_of(MODES),
    )
    victims: str = parts.setting(
        "first",
        "Which participants a global attacker attacks: first, or all (each in turn, "
        "averaged).",
        "attacks",
        checks.choices(VICTIMS),
    )
    supervision: tuple[str, ...] = parts.setting(
        ("supervised",),
        "What the attack learns from: supervised, unsupervised, shadow, or several "
        "with commas.",
        "attacks",
        checks.several_of(SUPERVISIONS),
    )
    shadows: int = parts.setting(
        8,
        "How many shadow models `supervision`=shadow trains.",
        "attacks",
        checks.integers(),
    )


@dataclasses.dataclass(frozen=True)
class Seen:
    """What an attack sees of the target, and when."""

    layers: tuple[str, ...] = parts.setting(
        (ALL,),
        "Layers whose outputs the attack sees: all, none, names, or numbers from the "
        "end (-1: the class probabilities, and with them loss and label), with "
        "commas. Given several times: one attack each, paired with `gradients`.",
        "attacks",
        _ANY,
        repeated=True,
    )
    gradients: tuple[str, ...] = parts.setting(
        (ALL,),
        "Layers whose gradients the attack sees, likewise.",
        "attacks",
        _ANY,
        repeated=True,
    )
    loss_and_label: bool = parts.setting(
        False,
        "Whether every attack sees the loss and the label, and not those alone that "
        "see the last layer's output.",
        "attacks",
    )
    black_box: bool = parts.setting(
        True, "Whether the black-box attack is run beside the others.", "attacks"
    )
    observed_rounds: tuple[str, ...] = parts.setting(
        ("1",),
        "How many rounds the attacker keeps, evenly spaced up to the last, or which, "
        "with commas (one alone: 30,). Given several times: one attack each.",
        "attacks",
        _ANY,
        repeated=True,
    )


@dataclasses.dataclass(frozen=True)
class Attack:
    """On what records an attack is trained and measured, and how."""

    attack_members: tuple[int, ...] = parts.setting(
        (),
        "How many members the attack learns from; several numbers: an attack each. "
        "Absent: 40 % of those there are.",
        "attacks",
        _COUNTS,
    )
    attack_non_members: tuple[int, ...] = parts.setting(
        (),
        "How many non-members the attack learns from, paired with `attack_members`.",
        "attacks",
        _COUNTS,
    )
    evaluation_records: int | None = parts.setting(
        None,
        "How many members, and as many non-members, the attacks are measured on. "
        "Absent: 45 % of those there are.",
        "attacks",
        checks.integers(),
    )
    preset: str = parts.preset(
        "Attack network: anchored (begins as the best simple rule on what it sees), "
        "table-xiv (the paper's), authors-2019 or ml-privacy-meter-0.1."
    )
    gradient_kernels: int | None = parts.setting(
        None,
        "How many kernels the attack network has over each layer's gradient. Absent: "
        "the preset's, and 10 in place of Table XIV's 1000, which take a hundred "
        "times the work.",
        "attacks",
        _WIDTH,
    )
    attack_learning_rate: float | None = parts.setting(
        None,
        "Learning rate of the attack network. Absent: the preset's.",
        "attacks",
        checks.positive,
    )
    attack_epochs: int | None = parts.setting(
        None,
        "Most epochs of the attack network. Absent: the preset's, or as many as 1,000 "
        "steps take, if that is more.",
        "attacks",
        checks.integers(),
    )
    null_checks: bool = parts.setting(
        True,
        "Whether each attack is repeated among non-members alone, and once for each "
        "draw of records on a model that was not trained.",
        "attacks",
    )
    ascent_rate: tuple[float, ...] = parts.setting(
        (0.1, 0.5),
        "Rate of an active attacker's gradient ascent; of several, the one with the "
        "best attack on the selection records is reported.",
        "attacks",
        checks.each(checks.positive, least=1),
    )
    feature_batch: int = parts.setting(
        256,
        "How many records' features are computed at once.",
        "attacks",
        checks.integers(),
    )
    feature_memory: float = parts.setting(
        2.0,
        "GiB that the features of all records may take; if they would take more, they "
        "are computed batch by batch.",
        "attacks",
        checks.positive,
    )
