"""The audit of a trained model by whoever knows which records it was trained on."""

from __future__ import annotations

import dataclasses
import zlib
from typing import NamedTuple

import jax
import numpy as np

from jaxprivacy import checks, types
from jaxprivacy.attacks import whitebox
from jaxprivacy.data import Dataset, copies
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.experiments import (
    attack_training,
    membership,
    results,
    settings as settings_lib,
    target_facts,
    target_signals,
    training,
)
from jaxprivacy.experiments.attack_training import Positions
from jaxprivacy.models import attack_presets
from jaxprivacy.report import contents, verdict
from jaxprivacy.report.progress import Stages
from jaxprivacy.targets.target import Target

NETWORKS = ("white_box", "black_box")
ATTACKS = (*NETWORKS, *membership.RULES)
OF_ANY_LOSS = ("loss_threshold", "gradient_norm")
FEWEST = copies.FEWEST  # records of a kind, of which a few are for each purpose
MOST = 10_000  # records of a kind that are attacked
TRAIN, SELECTION = 0.4, 0.15  # shares of the records: to learn from, to select on
# Of the stages, relative to one trained attack.
WEIGHTS = {"features": 1.0, "attacks": 2.0, "control": 1.0}


@dataclasses.dataclass(frozen=True)
class TargetSettings:
    """What an audit of a target does."""

    attacks: tuple[str, ...] = ATTACKS
    preset: str = attack_presets.ANCHORED.name
    seed: int = 0


class Given(NamedTuple):
    """What was handed over, checked."""

    target: Target
    snapshots: types.Params  # (T, ...)
    dataset: Dataset  # members, then non-members
    members: np.ndarray  # indices of the records that are attacked
    non_members: np.ndarray
    copies: tuple[int, bool]  # of `copies.Left`

    @property
    def classifies(self) -> bool:
        """Whether the loss is the default, of K classes."""
        return self.target.loss is None


def fitting(settings: TargetSettings, given: Given) -> tuple[list[str], list[str]]:
    """The attacks that are defined for a target, and notes on them and the others.

    Raises:
      InputError: none of the chosen ones is defined for it.
    """
    fit = ATTACKS if given.classifies else OF_ANY_LOSS
    chosen = [name for name in settings.attacks if name in fit]
    left = [name for name in settings.attacks if name not in fit]
    if not chosen:
        raise checks.InputError(
            f"attacks={', '.join(left)}: accepted with a loss of your own are "
            f"{', '.join(OF_ANY_LOSS)}"
        )
    notes = [
        f"{', '.join(left)}: not run, since they are defined for classifiers with "
        "cross-entropy and the target has a loss of its own."
    ] * bool(left)
    if "white_box" in chosen:
        notes.append(target_facts.WHITE_BOX)
    return chosen, notes


def run(
    settings: TargetSettings, given: Given, stages: Stages, command: str
) -> contents.Report:
    """Attacks a target and gathers what was found.

    Args:
      settings: what to do.
      given: the target and its records.
      stages: where progress is shown.
      command: how the audit was started, for the report.
    """
    begun = results.begin()
    chosen, notes = fitting(settings, given)
    dataset = given.dataset
    dealt = deal(given, settings.seed)
    records = dealt.records
    stages.stage("what the target shows of its records", WEIGHTS["features"])
    features = target_signals.extract(
        given.target, given.snapshots, records.batch, stages.advance
    )
    scored, controls = _attacks(settings, chosen, features, records, stages)
    rows, null_rows = membership_rows.rows(scored, "standalone")
    evaluated = records.members.evaluation, records.non_members.evaluation
    accuracies = target_facts.accuracies(given, features, records)
    result = {
        **results.origin(
            command,
            dataclasses.asdict(settings),
            {"model": given.target.name},
            dataset,
            begun,
        ),
        "target": accuracies,
        "evidence": target_facts.visible(given, features, dealt, accuracies),
        "membership": rows,
        "null_checks": null_rows,
        "positive_controls": membership_rows.control_rows(controls, "standalone"),
        "reconstruction": [],
    }
    result["data"] |= copies.told(*given.copies)
    result["verdict"] = verdict.verdict(result)
    norms = np.asarray(features.norm)
    return contents.Report(
        result=result,
        settings=[
            ("target", given.target.name),
            ("attacks", ", ".join(chosen)),
            ("snapshots", len(norms)),
            ("preset", settings.preset),
            ("seed", settings.seed),
        ],
        split_counts=target_facts.counts(records),
        roc_curves=[
            results.roc_curve(*s.scores[2:], row)
            for s, row in zip(scored, rows, strict=True)
            if s.trained is not False
        ],
        gradient_norms=contents.GradientNorms(
            np.arange(len(norms)) + 1,
            *(norms[:, i] for i in evaluated),
            "all layers",
            "snapshot",
        ),
        training=None,
        reconstructions=None,
        notes=[*notes, *copies.notes(*given.copies), *target_facts.caveats()],
        simulated=False,
    )


class Dealt(NamedTuple):
    """The records that are attacked."""

    records: membership.Records
    indices: np.ndarray  # of them among those that were given


def deal(given: Given, seed: int) -> Dealt:
    """Deals records to their purposes: as many members, non-members and untrained.

    Those of the third kind, non-members too, stand in for members in the null check.
    """
    rng = np.random.default_rng([seed, *b"deal"])
    non_members = rng.permutation(given.non_members)
    count = min(len(given.members), len(non_members) // 2, MOST)
    members = rng.permutation(given.members)[:count]
    others, untrained = np.split(non_members[: 2 * count], 2)
    ends = (np.cumsum([TRAIN, SELECTION]) * count).astype(int)

    def positions(kind):
        return Positions(*np.split(kind * count + np.arange(count), ends))

    everyone = np.concatenate([members, others, untrained])
    batch = training.batch(given.dataset, everyone)
    return Dealt(membership.Records(batch, *map(positions, range(3))), everyone)


def _attacks(settings, chosen, features, records, stages):
    """The scores of all attacks, and of the positive control."""
    run = membership.Run(features, {})
    fits = {
        name: fit for name, fit in _fits(settings, features).items() if name in chosen
    }
    stages.stage("attacks", WEIGHTS["attacks"])
    scored = []
    for name, fit in fits.items():
        scored += membership.attack_run(
            {name: fit},
            run,
            records,
            "passive",
            _key(settings.seed, name),
            lambda share: stages.advance(share / len(fits)),
        )
    rules = membership.simple_rules(run, records, "passive", chosen)
    stages.stage("positive control", WEIGHTS["control"])
    best = {name: fits[name] for name in NETWORKS[:1] if name in fits}
    controls = membership.control(
        best,
        run,
        records,
        settings.seed,
        _key(settings.seed, "control"),
        stages.advance,
    )
    return scored + rules, controls


def _key(seed, purpose):
    """By name: one more attack changes no other attack's numbers."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(purpose.encode()))


def _fits(settings, features):
    if not features.statistics:
        return {}
    preset = attack_presets.PRESETS[settings.preset]
    names = tuple(features.statistics.log_norms)
    return {
        name: attack_training.make_fit(
            whitebox.supervised((), preset, norms=norms), preset
        )
        for name, norms in (("white_box", names), ("black_box", ()))
    }


def check(settings: TargetSettings) -> None:
    """Checks settings.

    Raises:
      InputError: naming the argument, the value and what is accepted.
    """
    for name in settings.attacks:
        checks.one_of("attacks", name, ATTACKS)
    if not settings.attacks:
        raise checks.InputError(f"attacks=(): accepted are {', '.join(ATTACKS)}")
    checks.one_of("preset", settings.preset, tuple(attack_presets.PRESETS))
    fit = [name for name, p in attack_presets.PRESETS.items() if p.statistics]
    if "white_box" in settings.attacks and settings.preset not in fit:
        raise checks.InputError(
            f"preset={settings.preset}: takes no norms of gradients, so that white_box "
            f"would see no more than black_box; accepted beside it is {', '.join(fit)}"
        )
    settings_lib.check_seed(settings.seed, "seed")
