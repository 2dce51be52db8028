"""The settings of the gradient inversion study, checked before anything runs."""

from __future__ import annotations

import dataclasses
import itertools
from typing import NamedTuple

from jaxprivacy import checks, errors
from jaxprivacy.data import Dataset
from jaxprivacy.studies import parts

MODELS = ("mlp", "cnn", "lenet")
ACTIVATIONS = ("sigmoid", "tanh", "relu")
ATTACKS = ("invert_gradients", "dlg", "dense", "trap")
SEARCHES = {"invert_gradients": 1000, "dlg": 200}  # and their iterations
FEW_STEPS, FEW_RECORDS = 4, 4  # of which searches are known to find something


class Case(NamedTuple):
    """One row of the study."""

    attack: str
    batch_size: int
    local_steps: int


@dataclasses.dataclass(frozen=True)
class Update:
    """What is trained, and what its update is of."""

    activation: str = parts.setting(
        "sigmoid",
        "Activation of the mlp: sigmoid, tanh or relu.",
        "training",
        checks.choices(ACTIVATIONS),
    )
    epochs: int = parts.setting(
        0,
        "How many epochs the model was trained on other records before the update; "
        "0: it is as it was drawn.",
        "training",
        checks.integers(least=0),
    )
    local_steps: tuple[int, ...] = parts.setting(
        (1,),
        "How many local steps an update is of, each on all of its records; several "
        "numbers: a row each.",
        "training",
        checks.each(checks.integers(), least=1),
    )
    batch_size: tuple[int, ...] = parts.setting(
        (1,),
        "How many records an update is of; several numbers: a row each.",
        "training",
        checks.each(checks.integers(), least=1),
    )
    learning_rate: float = parts.changed(
        parts.Training,
        "learning_rate",
        told="Learning rate of the local steps, and of the training before.",
    )


@dataclasses.dataclass(frozen=True)
class Attack:
    """Which attacks are run on an update, and how long they search."""

    attack: tuple[str, ...] = parts.setting(
        ("invert_gradients",),
        "Attacks, with commas: invert_gradients, dlg, dense (reads an mlp's first "
        "layer) or trap (a malicious server's layer before the model).",
        "attacks",
        checks.each(checks.choices(ATTACKS), least=1),
    )
    restarts: int = parts.setting(
        4,
        "How many starts a search has, and guesses the best public record.",
        "attacks",
        checks.integers(),
    )
    iterations: int | None = parts.setting(  # None: see SEARCHES
        None,
        "How many steps a search takes. Absent: 1000, of dlg 200.",
        "attacks",
        checks.integers(),
    )
    total_variation: float = parts.setting(
        1e-3,
        "Weight of the total variation in invert_gradients.",
        "attacks",
        checks.at_least_zero,
    )
    bins: int = parts.setting(
        256, "How many bins the trap has.", "attacks", checks.integers(least=2)
    )


@dataclasses.dataclass(frozen=True)
class InversionSettings(parts.Seed, Attack, Update, parts.Network, parts.Data):
    """Gradient inversion; the field names are the flags of `launch.gradient_inversion`.

    Where a field is a tuple, every value of it is run.
    """

    records: int = parts.changed(
        parts.Data,
        "records",
        default=8,
        told="How many batches of records are reconstructed, each from an update of "
        "its own.",
    )
    model: str | None = parts.changed(
        parts.Network,
        "model",
        told="Model: mlp, cnn (paper A's network for the image size) or lenet (smooth, "
        "without pooling). Absent: lenet for images, mlp for tables.",
        check=checks.choices(MODELS),
    )


def model_name(settings: InversionSettings, dataset: Dataset) -> str:
    """The model's name: as asked for, else by the kind of data."""
    return settings.model or ("lenet" if dataset.is_image else "mlp")


def cases(settings: InversionSettings) -> list[Case]:
    """Every row that the settings ask for."""
    product = itertools.product(
        settings.batch_size, settings.local_steps, settings.attack
    )
    made = [Case(attack, size, steps) for size, steps, attack in product]
    return list(dict.fromkeys(made))


def drawn(settings: InversionSettings) -> int:
    """How many records the batches of any size need."""
    return settings.records * max(settings.batch_size)


def check(settings: InversionSettings) -> None:
    """Checks every setting that can be judged without the data.

    Raises:
      InputError: naming the setting, its value and what is accepted.
    """
    parts.check(settings)


def check_data(settings: InversionSettings, dataset: Dataset) -> None:
    """Checks what the settings ask of the data.

    Raises:
      InputError: naming the setting, its value and what is accepted.
    """
    name = model_name(settings, dataset)
    if name != "mlp" and not dataset.is_image:
        raise errors.InputError(
            "model", name, found="the data is a table", accepted="is mlp"
        )
    if "dense" in settings.attack and name != "mlp":
        raise errors.InputError(
            "attack",
            "dense",
            "with `model`=mlp, whose first layer sees the record itself, and "
            f"not with `model`={name}",
        )
    # Half of the others train the model, half are public.
    if drawn(settings) + 2 * dataset.num_classes > len(dataset.y):
        largest = max(settings.batch_size)
        most = max((len(dataset.y) - 2 * dataset.num_classes) // largest, 0)
        raise errors.InputError(
            "records",
            settings.records,
            f"of {len(dataset.y)} records are at most {most} batches of {largest}",
        )


def doubts(settings: InversionSettings, dataset: Dataset) -> list[str]:
    """Sentences on what cannot be hoped for, told before anything is computed."""
    name, told = model_name(settings, dataset), []
    most = max(settings.batch_size)
    kinked = name == "cnn" or (name == "mlp" and settings.activation == "relu")
    if "dlg" in settings.attack and kinked:
        what = "ReLU" if name == "mlp" else "max-pooling, one pixel a window,"
        told.append(
            f"DLG needs a model that is smooth in the record: {what} leaves it little "
            "to descend."
        )
    if set(settings.attack) & set(SEARCHES):
        if (steps := max(settings.local_steps)) > FEW_STEPS:
            told.append(
                f"The search follows all {steps} local steps, which takes as many "
                "times as long; of several records at a large rate it finds less, as "
                "labels are lost first."
            )
        if most > FEW_RECORDS:
            told.append(
                f"The gradients of {most} records are one sum, which other records may "
                "have as well: the more there are, the fewer a search finds."
            )
        if settings.epochs:
            told.append(
                "A trained model's gradient is small on records it knows well, which "
                "makes searches harder than on a fresh one."
            )
    if "dense" in settings.attack and most > 1 and settings.activation != "relu":
        told.append(
            f"Every record passes every neuron of {settings.activation}: of a batch "
            "the dense layer gives away mixtures only; `activation`=relu lets single "
            "records through."
        )
    if "trap" in settings.attack and max(settings.local_steps) > 1:
        told.append(
            "With each local step the trap itself is trained: of a batch, what its "
            "bins give away is exact for one step only."
        )
    return [errors.called(text) for text in told]
