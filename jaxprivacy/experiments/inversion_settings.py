"""The settings of the gradient inversion study, checked before anything runs."""

from __future__ import annotations

import dataclasses
import itertools
from typing import NamedTuple

from jaxprivacy import checks
from jaxprivacy.data import Dataset
from jaxprivacy.experiments import settings as settings_lib

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
class InversionSettings:
    """Gradient inversion; the field names are the flags of `launch.gradient_inversion`.

    Where a field is a tuple, every value of it is run.
    """

    data: str = "digits"
    model: str | None = None  # None: lenet for images, mlp for tables
    mlp_widths: tuple[int, ...] = (256, 128)
    activation: str = "sigmoid"  # of the mlp
    epochs: int = 0  # that the model was trained before, by others
    attack: tuple[str, ...] = ("invert_gradients",)
    batch_size: tuple[int, ...] = (1,)
    local_steps: tuple[int, ...] = (1,)
    learning_rate: float = 0.1
    restarts: int = 4
    iterations: int | None = None  # None: see SEARCHES
    total_variation: float = 1e-3
    bins: int = 256
    records: int = 8  # batches of records, each with an update of its own
    seed: int = 0


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
      InputError: naming the flag, its value and what is accepted.
    """
    if settings.model is not None:
        checks.one_of("--model", settings.model, MODELS)
    checks.one_of("--activation", settings.activation, ACTIVATIONS)
    for name in settings.attack:
        checks.one_of("--attack", name, ATTACKS)
    for name in ("attack", "batch_size", "local_steps"):
        if not getattr(settings, name):
            raise checks.InputError(f"--{name}=: accepted is at least one")
    for name in ("batch_size", "local_steps", "mlp_widths"):
        for value in getattr(settings, name):
            checks.positive_integer(f"--{name}", value)
    settings_lib.each(settings, ("restarts", "records"))
    settings_lib.each(settings, ("epochs",), least=0)
    settings_lib.each(settings, ("bins",), least=2)
    if settings.iterations is not None:
        settings_lib.each(settings, ("iterations",))
    checks.positive("--learning_rate", settings.learning_rate)
    checks.at_least_zero("--total_variation", settings.total_variation)
    settings_lib.check_seed(settings.seed)


def check_data(settings: InversionSettings, dataset: Dataset) -> None:
    """Checks what the settings ask of the data.

    Raises:
      InputError: naming the flag, its value and what is accepted.
    """
    name = model_name(settings, dataset)
    if name != "mlp" and not dataset.is_image:
        raise checks.InputError(f"--model={name}: of a table accepted is mlp")
    if "dense" in settings.attack and name != "mlp":
        raise checks.InputError(
            f"--attack=dense: accepted with --model=mlp, whose first layer sees the "
            f"record itself, and not with --model={name}"
        )
    # Half of the others train the model, half are public.
    if drawn(settings) + 2 * dataset.num_classes > len(dataset.y):
        largest = max(settings.batch_size)
        most = (len(dataset.y) - 2 * dataset.num_classes) // largest
        raise checks.InputError(
            f"--records={settings.records}: of {len(dataset.y)} records accepted are "
            f"at most {max(most, 0)} batches of {largest}"
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
            "the dense layer gives away mixtures only; --activation=relu lets single "
            "records through."
        )
    if "trap" in settings.attack and max(settings.local_steps) > 1:
        told.append(
            "With each local step the trap itself is trained: of a batch, what its "
            "bins give away is exact for one step only."
        )
    return told
