"""The settings of the white-box study, and the cases that they stand for."""

from __future__ import annotations

import dataclasses
import itertools
from typing import NamedTuple

from jaxprivacy import errors
from jaxprivacy.models import attack_presets

MODELS = ("mlp", "cnn", "alexnet", "resnet", "densenet")
SETTINGS = ("standalone", "finetune", "federated")
ATTACKERS = ("global", "local")
VICTIMS = ("first", "all")
MODES = ("passive", "gradient_ascent", "isolating", "isolating_gradient_ascent")
SUPERVISIONS = ("supervised", "unsupervised", "shadow")
NORMALISATIONS = ("group", "batch")
OPTIMIZERS = ("sgd", "adam")
TORCH_FILES = (".pth", ".pt", ".pth.tar")
BLOCKS = ("", "basic", "bottleneck")
ALL, NONE = "all", "none"
# Of a preset's own kernels over the gradient, Table XIV's 1000 are out of two cores'
# reach.
KERNELS = {attack_presets.TABLE_XIV.name: 10}


class Variant(NamedTuple):
    """What one attack sees of the target."""

    layers: str  # whose outputs: all, none, paths, or numbers from the end: -1,-2
    gradients: str  # whose gradients, likewise


class Size(NamedTuple):
    """How many records an attack learns from; None: 40 % of those there are."""

    members: int | None
    non_members: int | None


def _repeated(*default: str):
    """A field whose flag may be given several times, each time a case of its own."""
    return dataclasses.field(default=default, metadata={"repeated": True})


@dataclasses.dataclass(frozen=True)
class WhiteboxSettings:
    """White-box membership inference; the field names are flags of `launch.whitebox`.

    Where a field is a tuple, every value of it is run.
    """

    data: str = "digits"
    records: int | None = None  # None: all
    model: str | None = None  # None: cnn for images, mlp for tables
    mlp_widths: tuple[int, ...] = (256, 128)
    depth: int = 20
    growth_rate: int = 12
    block: str = ""  # of a resnet; "": as in the layout's first version
    normalisation: str = "group"
    import_target: str = ""  # a PyTorch file, or a folder of `export_target`
    export_target: str = ""
    setting: str = "standalone"
    attacker: tuple[str, ...] = ("global",)
    mode: tuple[str, ...] = ("passive",)
    supervision: tuple[str, ...] = ("supervised",)
    participants: tuple[int, ...] = (4,)
    victims: str = "first"  # of a global attacker: participant 0, or each in turn
    members_per_participant: int | None = None  # None: N // (2 P)
    rounds: int = 40
    local_epochs: int = 1
    optimizer: str = "sgd"
    batch_size: int = 64
    learning_rate: float = 0.05
    learning_rate_drops: tuple[int, ...] = ()
    momentum: float = 0.0
    weight_decay: float = 0.0
    fine_tuning_fraction: float = 0.4
    fine_tuning_rounds: int = 20
    layers: tuple[str, ...] = _repeated(ALL)
    gradients: tuple[str, ...] = _repeated(ALL)
    loss_and_label: bool = False
    black_box: bool = True
    observed_rounds: tuple[str, ...] = _repeated("1")
    attack_members: tuple[int, ...] = ()  # (): 40 % of those there are
    attack_non_members: tuple[int, ...] = ()
    evaluation_records: int | None = None  # of each kind; None: 45 % of the fewer
    preset: str = attack_presets.ANCHORED.name
    gradient_kernels: int | None = None  # None: the preset's, or those of KERNELS
    attack_learning_rate: float | None = None  # None: the preset's
    attack_epochs: int | None = None  # None: the preset's
    null_checks: bool = True
    ascent_rate: tuple[float, ...] = (0.1, 0.5)
    shadows: int = 8
    feature_batch: int = 256
    feature_memory: float = 2.0
    seed: int = 0
    seeds: int = 1

    def imports_torch(self) -> bool:
        """Whether the target comes from a PyTorch file."""
        return self.import_target.endswith(TORCH_FILES)

    def attack_preset(self) -> attack_presets.Preset:
        """The attack network's preset with what is changed of it."""
        changed = {
            "gradient_kernels": self.gradient_kernels or KERNELS.get(self.preset),
            "learning_rate": self.attack_learning_rate,
            "epochs": self.attack_epochs,
            "least_steps": 0 if self.attack_epochs else None,
        }
        return dataclasses.replace(
            attack_presets.PRESETS[self.preset],
            **{name: value for name, value in changed.items() if value is not None},
        )

    def variants(self) -> list[Variant]:
        """What each attack sees: the values of layers and gradients, pair by pair."""
        return [Variant(*pair) for pair in _paired(self.layers, self.gradients)]

    def attack_sizes(self) -> list[Size]:
        """What each attack learns from: members and non-members, pair by pair."""
        pairs = _paired(
            self.attack_members or (None,), self.attack_non_members or (None,)
        )
        return [Size(*pair) for pair in pairs]

    def attackers(self) -> list[tuple[str, str]]:
        """The pairs of attacker and mode that exist: a participant isolates nobody."""
        pairs = itertools.product(self.attacker, self.mode)
        return [pair for pair in pairs if not impossible(*pair)]

    def victims_of(self, place: str, participants: int) -> range:
        """The participants that an attacker attacks one by one, each in its own case.

        A local attacker attacks all others at once, which it cannot tell apart.
        """
        every = self.victims == "all" and place == "global"
        return range(participants if every else 1)

    def rates(self, mode: str) -> tuple[float, ...]:
        """The rates of gradient ascent to choose from; 0 where there is none."""
        return self.ascent_rate if "gradient_ascent" in mode else (0.0,)


def impossible(attacker: str, mode: str) -> bool:
    """Whether this attacker cannot play this mode (PAPERS rows B20 to B22)."""
    return attacker == "local" and mode.startswith("isolating")


def _paired(first: tuple, second: tuple) -> list[tuple]:
    """Pairs values by position; a single one goes with each of the others."""
    count = max(len(first), len(second))
    return list(
        zip(
            *(many * count if len(many) == 1 else many for many in (first, second)),
            strict=True,
        )
    )


def observed(text: str, rounds: int) -> list[int]:
    """Reads rounds: how many, evenly spaced up to the last, or which, from 1.

    Args:
      text: "5", or "10,20,30"; a single round is written "30,".
      rounds: of the training.

    Returns:
      The T rounds, counted from 0.

    Raises:
      InputError: naming `observed_rounds`.
    """
    words = text.split(",")
    numbers = [int(word) for word in words if word.isdecimal() and len(word) < 19]
    good = numbers and len(numbers) == len([word for word in words if word])
    if good and len(words) == 1 and 1 <= numbers[0] <= rounds:
        count = numbers[0]
        return [round((i + 1) * rounds / count) - 1 for i in range(count)]
    listed = good and len(words) > 1 and numbers == sorted(set(numbers))
    if listed and 1 <= numbers[0] and numbers[-1] <= rounds:
        return [number - 1 for number in numbers]
    raise errors.InputError(
        "observed_rounds",
        text,
        "are a number of rounds, or the rounds themselves in rising order with "
        f"commas (one alone: 30,), 1 to `rounds`={rounds}",
    )
