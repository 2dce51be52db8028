"""The settings of the white-box study, checked as a whole before anything runs."""

from __future__ import annotations

import dataclasses
import itertools
from typing import NamedTuple

from jaxprivacy import checks
from jaxprivacy.experiments.settings import check_seed, each
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
LEAST_PARTICIPANTS = {"global": 1, "local": 2}
MOST_WIDTH = 2**16  # of a layer; far larger products overflow inside XLA.
MOST_ROUNDS = 2**31 - 1  # JAX counts them in 32 bits.
MOST_LOCAL_EPOCHS = 2**16
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
    import_target: str = ""  # a PyTorch file, or a folder of --export_target
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
      InputError: naming `--observed_rounds`.
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
    raise checks.InputError(
        f"--observed_rounds={text}: accepted are a number of rounds, or the rounds "
        "themselves in rising order with commas (one alone: 30,), 1 to "
        f"--rounds={rounds}"
    )


def check(settings: WhiteboxSettings) -> None:
    """Checks every setting that can be judged without the data.

    Raises:
      InputError: naming the flag, its value and what is accepted.
    """
    if settings.model is not None:
        checks.one_of("--model", settings.model, MODELS)
    checks.one_of("--setting", settings.setting, SETTINGS)
    checks.one_of("--normalisation", settings.normalisation, NORMALISATIONS)
    checks.one_of("--block", settings.block, BLOCKS)
    checks.one_of("--victims", settings.victims, VICTIMS)
    checks.one_of("--optimizer", settings.optimizer, OPTIMIZERS)
    checks.one_of("--preset", settings.preset, tuple(attack_presets.PRESETS))
    for flag, accepted in (
        ("attacker", ATTACKERS),
        ("mode", MODES),
        ("supervision", SUPERVISIONS),
    ):
        _each_of(settings, flag, accepted)
    _check_numbers(settings)
    _check_lists(settings)
    _check_setting(settings)


def _each_of(settings, flag, accepted):
    values = getattr(settings, flag)
    if not values or len(set(values)) < len(values):
        raise checks.InputError(
            f"--{flag}={','.join(values)}: accepted are one or several different of "
            f"{', '.join(accepted)}"
        )
    for value in values:
        checks.one_of(f"--{flag}", value, accepted)


def _check_numbers(settings):
    counts = (
        "depth",
        "growth_rate",
        "rounds",
        "local_epochs",
        "batch_size",
        "fine_tuning_rounds",
        "shadows",
        "feature_batch",
        "seeds",
    )
    optional = (
        "records",
        "members_per_participant",
        "evaluation_records",
        "gradient_kernels",
        "attack_epochs",
    )
    given = tuple(name for name in optional if getattr(settings, name) is not None)
    each(settings, counts + given)
    for name, most in (
        ("rounds", MOST_ROUNDS),
        ("fine_tuning_rounds", MOST_ROUNDS),
        ("local_epochs", MOST_LOCAL_EPOCHS),
    ):
        if getattr(settings, name) > most:
            raise checks.InputError(
                f"--{name}={getattr(settings, name)}: accepted are at most {most}"
            )
    rates = ["learning_rate", "feature_memory"]
    if settings.attack_learning_rate is not None:
        rates.append("attack_learning_rate")
    for name in rates:
        checks.positive(f"--{name}", getattr(settings, name))
    checks.at_least_zero("--weight_decay", settings.weight_decay)
    if not 0 <= settings.momentum < 1:
        raise checks.InputError(
            f"--momentum={settings.momentum}: accepted are numbers in [0, 1)"
        )
    if not 0 < settings.fine_tuning_fraction < 1:
        raise checks.InputError(
            f"--fine_tuning_fraction={settings.fine_tuning_fraction}: accepted are "
            "fractions between 0 and 1"
        )
    check_seed(settings.seed)
    check_seed(settings.seed + settings.seeds - 1)


def _check_lists(settings):
    for name in (
        "mlp_widths",
        "participants",
        "attack_members",
        "attack_non_members",
        "learning_rate_drops",
    ):
        for value in getattr(settings, name):
            checks.positive_integer(f"--{name}", value)
    for name, values in (
        ("mlp_widths", settings.mlp_widths),
        ("gradient_kernels", (settings.gradient_kernels or 1,)),
    ):
        if max(values, default=1) > MOST_WIDTH:
            raise checks.InputError(
                f"--{name}={max(values)}: accepted are at most {MOST_WIDTH}"
            )
    needed = ("participants", "ascent_rate", "observed_rounds", "layers", "gradients")
    for name in needed:
        if not getattr(settings, name):
            raise checks.InputError(f"--{name}=: accepted is at least one value")
    for rate in settings.ascent_rate:
        checks.positive("--ascent_rate", rate)
    for text in settings.observed_rounds:
        observed(text, settings.rounds)
    for pair in (("layers", "gradients"), ("attack_members", "attack_non_members")):
        first, second = (len(getattr(settings, name)) for name in pair)
        if min(first, second) > 1 and first != second:
            raise checks.InputError(
                f"--{pair[1]}: {second} values for {first} of --{pair[0]}; accepted "
                "are one, or as many"
            )
    for name, cases in (
        ("participants", settings.participants),
        ("ascent_rate", settings.ascent_rate),
        (
            "observed_rounds",
            [tuple(observed(t, settings.rounds)) for t in settings.observed_rounds],
        ),
        ("attack_members", settings.attack_sizes()),
        ("layers", settings.variants()),
    ):
        if len(set(cases)) < len(cases):
            given = " ".join(map(str, getattr(settings, name)))
            raise checks.InputError(
                f"--{name}={given}: two cases are the same; accepted are different ones"
            )


def _check_setting(settings):
    """What does not go with the setting."""
    federated = settings.setting == "federated"
    _check_files(settings)
    if not settings.attackers():
        raise checks.InputError(
            f"--mode={','.join(settings.mode)}: a local attacker isolates nobody; "
            "accepted are passive, gradient_ascent, or --attacker=global"
        )
    if not federated and (settings.attacker, settings.mode) != (
        ("global",),
        ("passive",),
    ):
        raise checks.InputError(
            f"--mode={','.join(settings.mode)}, --attacker="
            f"{','.join(settings.attacker)}: --setting={settings.setting} has nobody "
            "to act on; accepted are passive and global"
        )
    if settings.setting != "standalone" and "shadow" in settings.supervision:
        raise checks.InputError(
            f"--supervision={','.join(settings.supervision)}: shadow models are "
            "trained like a stand-alone target; accepted with --setting=standalone"
        )
    if settings.shadows < 2 and "shadow" in settings.supervision:
        raise checks.InputError(
            f"--shadows={settings.shadows}: accepted are at least 2; the last one "
            "selects the epoch"
        )
    ascends = any(len(settings.rates(mode)) > 1 for mode in settings.mode)
    if ascends and "supervised" not in settings.supervision:
        raise checks.InputError(
            f"--ascent_rate={','.join(map(str, settings.ascent_rate))}: without a "
            "supervised attack there is nothing to choose by; accepted is one rate"
        )
    if settings.setting == "finetune" and settings.supervision != ("supervised",):
        raise checks.InputError(
            f"--supervision={','.join(settings.supervision)}: accepted with "
            "--setting=finetune is supervised"
        )
    if settings.setting == "finetune" and settings.observed_rounds != ("1",):
        raise checks.InputError(
            f"--observed_rounds={' '.join(settings.observed_rounds)}: accepted with "
            "--setting=finetune is 1; the models before and after are what is held"
        )
    if settings.victims == "all" and not (federated and "global" in settings.attacker):
        raise checks.InputError(
            f"--victims={settings.victims}: accepted with --setting=federated and "
            "--attacker=global, who sees each participant's upload; else first"
        )
    for mode in settings.mode if federated else ():
        if mode.startswith("isolating") and min(settings.participants) < 2:
            raise checks.InputError(
                f"--participants={min(settings.participants)}: accepted are at least "
                f"2 with --mode={mode}"
            )
    for attacker in settings.attacker if federated else ():
        least = LEAST_PARTICIPANTS[attacker]
        for count in settings.participants:
            if count < least:
                raise checks.InputError(
                    f"--participants={count}: accepted are at least {least} with a "
                    f"{attacker} attacker"
                )


def _check_files(settings):
    """What goes with a target that is imported or exported."""
    for flag in ("import_target", "export_target"):
        path = getattr(settings, flag)
        if path and (settings.setting != "standalone" or settings.seeds > 1):
            raise checks.InputError(
                f"--{flag}={path}: accepted with --setting=standalone and --seeds=1"
            )
    if settings.import_target and settings.export_target:
        raise checks.InputError(
            f"--export_target={settings.export_target}: accepted without "
            "--import_target; what was imported is kept already"
        )
    if settings.import_target and settings.observed_rounds != ("1",):
        raise checks.InputError(
            f"--import_target={settings.import_target}: is one snapshot; accepted with "
            "--observed_rounds=1"
        )
    if settings.import_target and "shadow" in settings.supervision:
        raise checks.InputError(
            f"--import_target={settings.import_target}: how it was trained is not "
            "known; accepted without --supervision=shadow"
        )
    if settings.imports_torch() and settings.members_per_participant is None:
        raise checks.InputError(
            "--members_per_participant=: accepted with a PyTorch file is the number of "
            "records, from the first on, that it was trained on"
        )
    if settings.imports_torch() and settings.records is not None:
        raise checks.InputError(
            f"--records={settings.records}: a PyTorch file was trained on the first "
            "records of all; accepted is the flag's absence"
        )
    if settings.normalisation == "batch" and not settings.imports_torch():
        raise checks.InputError(
            "--normalisation=batch: accepted with an imported PyTorch file; training "
            "here does not mix examples"
        )
