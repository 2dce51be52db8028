"""The parts that the studies' settings are composed of.

A field carries what there is to say of it: its default, its help, the group of the help
that it stands in, and its check. Flags, help and checks are made from these, and a
study that has another default, help or check of a field changes that alone.
Texts name other settings in backticks; a command calls them by their flags.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from jaxprivacy import checks
from jaxprivacy.models import attack_presets

MODELS = ("mlp", "cnn")
GROUPS = ("data", "training", "federation", "attacks", "report")

BELOW_1 = checks.that(lambda value: 0 <= value < 1, "are numbers in [0, 1)")


def setting(
    default: Any,
    told: str,
    group: str,
    check: checks.Check | None = None,
    *,
    repeated: bool = False,
) -> Any:
    """A field of settings.

    Args:
      default: its value where none is given. None means that the study chooses, and is
        not checked.
      told: of the help, in sentences.
      group: of the help, of `GROUPS`.
      check: what a value must pass, by itself.
      repeated: whether the flag may be given several times, each time a case of its
        own.
    """
    metadata = {"help": told, "group": group, "check": check, "repeated": repeated}
    return dataclasses.field(default=default, metadata=metadata)


def preset(told: str) -> Any:
    """A field for the attack network of paper B, by the name of its preset."""
    names = tuple(attack_presets.PRESETS)
    default = attack_presets.ANCHORED.name
    return setting(default, told, "attacks", checks.choices(names))


def changed(part: type, name: str, **changes: Any) -> Any:
    """A field as a part has it, but for these arguments of `setting`."""
    field = part.__dataclass_fields__[name]
    same = {
        "default": field.default,
        "told": field.metadata["help"],
        **{key: field.metadata[key] for key in ("group", "check", "repeated")},
    }
    return setting(**same | changes)


def shared(settings: Any, kind: type, **own: Any) -> Any:
    """Other settings, which take over all that these have too.

    Args:
      settings: these.
      kind: of the others.
      **own: what they have otherwise.
    """
    names = {field.name for field in dataclasses.fields(kind)}
    both = {name: value for name, value in vars(settings).items() if name in names}
    return kind(**both | own)


def check(settings: Any) -> None:
    """Checks each setting by itself.

    Raises:
      InputError: naming the setting, its value and what is accepted.
    """
    for field in dataclasses.fields(settings):
        of_field, value = field.metadata["check"], getattr(settings, field.name)
        if of_field is not None and not (value is None and field.default is None):
            of_field(field.name, value)


@dataclasses.dataclass(frozen=True)
class Data:
    """Which records there are."""

    data: str = setting(
        "digits",
        "Data set: digits, att_faces, tfds:NAME or npz:PATH. An npz file holds x and "
        "y, or x_train, y_train, x_test and y_test.",
        "data",
    )
    records: int | None = setting(
        None,
        "How many records are used, drawn at random class by class. Absent: all; an "
        "audit takes at most 4000 of images larger than 16 pixels.",
        "data",
        checks.integers(),
    )


@dataclasses.dataclass(frozen=True)
class Network:
    """The model that is trained and attacked."""

    model: str | None = setting(
        None,
        "Model: mlp, or cnn (paper A's network for the image size); an audit also "
        "takes alexnet for 32 x 32 images. Absent: cnn for images, mlp for tables.",
        "training",
        checks.choices(MODELS),
    )
    mlp_widths: tuple[int, ...] = setting(
        (256, 128),
        "Widths of the mlp's hidden layers.",
        "training",
        checks.each(checks.integers()),
    )


@dataclasses.dataclass(frozen=True)
class Training:
    """How a model is trained, alone or by each participant."""

    rounds: int = setting(
        40, "How many rounds the training takes.", "training", checks.integers()
    )
    local_epochs: int = setting(
        1,
        "How many epochs each participant trains in a round.",
        "training",
        checks.integers(),
    )
    batch_size: int = setting(
        32,
        "How many records a batch of local training has.",
        "training",
        checks.integers(),
    )
    learning_rate: float = setting(
        0.1, "Learning rate of local SGD.", "training", checks.positive
    )
    momentum: float = setting(
        0.0, "Momentum of local SGD, kept from round to round.", "training", BELOW_1
    )


@dataclasses.dataclass(frozen=True)
class Seed:
    """What all that is random depends on."""

    seed: int = setting(0, "Seed of every random choice.", "training", checks.seed)


@dataclasses.dataclass(frozen=True)
class Federation:
    """Who trains together."""

    participants: int = setting(
        4,
        "How many participants federated training has.",
        "federation",
        checks.integers(),
    )


@dataclasses.dataclass(frozen=True)
class Gan:
    """The GAN attack of a participant."""

    target_class: int = setting(
        0,
        "Which class the GAN attacker reconstructs.",
        "attacks",
        checks.integers(least=0),
    )
    generator_learning_rate: float = setting(
        0.02,
        "Learning rate of the attacker's generator.",
        "attacks",
        checks.positive,
    )
    generator_steps: int = setting(
        20,
        "How many steps the generator takes in a round.",
        "attacks",
        checks.integers(),
    )
    # The generator's batch normalisation needs two samples.
    generator_batch: int = setting(
        32,
        "How many samples a step of the generator has.",
        "attacks",
        checks.integers(least=2),
    )
    injected: int = setting(
        32,
        "How many generated samples the attacker adds to its data in a round.",
        "attacks",
        checks.integers(least=2),
    )
