"""The settings of the white-box study, and the cases that they stand for."""

from __future__ import annotations

import dataclasses
import itertools
from typing import NamedTuple

from jaxprivacy import errors
from jaxprivacy.models import attack_presets
from jaxprivacy.studies import parts, whitebox_parts

TORCH_FILES = (".pth", ".pt", ".pth.tar")
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


@dataclasses.dataclass(frozen=True)
class WhiteboxSettings(
    whitebox_parts.Seeds,
    whitebox_parts.Attack,
    whitebox_parts.Seen,
    whitebox_parts.Attackers,
    whitebox_parts.Federation,
    whitebox_parts.Training,
    whitebox_parts.Target,
    parts.Data,
):
    """White-box membership inference; the field names are flags of `launch.whitebox`.

    Where a field is a tuple, every value of it is run.
    """

    records: int | None = parts.changed(
        parts.Data,
        "records",
        told="How many records are used, drawn at random class by class. Absent: all.",
    )

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
