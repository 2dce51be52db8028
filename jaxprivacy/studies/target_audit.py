"""The audit of a trained model by whoever knows which records it was trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from jaxprivacy import checks, errors
from jaxprivacy.attacks import whitebox
from jaxprivacy.data import copies
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.models import attack_presets
from jaxprivacy.report import contents, progress, verdict
from jaxprivacy.studies import (
    attack_training,
    membership,
    results,
    target_facts,
    target_given,
    target_layers,
    target_records,
    target_references,
    training,
)
from jaxprivacy.targets import tasks

ATTACKS = (*membership.NETWORKS, *membership.RULES)
OF_ANY_LOSS = ("loss_threshold", "gradient_norm")
# Of the stages, relative to one trained attack; of references, one model's training.
WEIGHTS = {"features": 1.0, "attacks": 2.0, "control": 1.0, "references": 0.5}


@dataclasses.dataclass(frozen=True)
class TargetSettings:
    """What an audit of a target does."""

    attacks: tuple[str, ...] = ATTACKS
    preset: str = attack_presets.ANCHORED.name
    seed: int = 0
    references: int = 0


def weight(settings: TargetSettings) -> float:
    """The sum of the weights of the stages."""
    once = sum(WEIGHTS[name] for name in ("features", "attacks", "control"))
    return once + WEIGHTS["references"] * settings.references


def fitting(
    asked: Sequence[str] | None, task: tasks.Task, references: int = 0
) -> tuple[tuple[str, ...], list[str]]:
    """The attacks that are run on a task, and sentences on those that are not.

    Args:
      asked: names; None: all that are defined.
      task: what the target answers.
      references: how many models it is compared with.

    Raises:
      InputError: one that was asked for is not defined.
    """
    all_ = ATTACKS + target_references.ATTACKS * bool(references)
    why = {name: _undefined(name, task) for name in asked or all_}
    fit = tuple(name for name, reason in why.items() if not reason)
    left = {name: reason for name, reason in why.items() if reason}
    if left and asked is not None:
        defined = [name for name in all_ if not _undefined(name, task)]
        raise errors.InputError(
            "attacks",
            ", ".join(left),
            found=" and ".join(dict.fromkeys(left.values())),
            accepted=f"here are {', '.join(defined)}",
        )
    notes = []
    for reason in dict.fromkeys(left.values()):
        names = [name for name in left if left[name] == reason]
        were = "was" if len(names) == 1 else "were"
        notes.append(f"{', '.join(names)} {were} not run: {reason}.")
    return fit, notes


def _undefined(name: str, task: tasks.Task) -> str:
    """Why an attack is not defined for a task, or nothing."""
    if name in OF_ANY_LOSS:
        return ""
    if task.kind == tasks.OWN:
        return "what outputs mean to a loss of one's own is not known"
    if name not in membership.NETWORKS and not task.classifies:
        return (
            "a record has no class of which the model could be sure, the target's "
            f"answers being taken for {task.kind}"
        )
    return ""


def run(
    settings: TargetSettings,
    given: target_given.Given,
    notes: Sequence[str],
    stages: progress.Stages,
    command: str,
) -> contents.Report:
    """Attacks a target and gathers what was found.

    Args:
      settings: what to do.
      given: the target and its records.
      notes: of `fitting`.
      stages: where progress is shown.
      command: how the audit was started, for the report.
    """
    begun = results.begin()
    stages.stage("what the target shows of its records", WEIGHTS["features"])
    sees_layers = "white_box" in settings.attacks
    observed = target_records.observe(given, stages.advance, sees_layers)
    dealt = target_records.deal(observed, given.task, settings.seed)
    records, features = dealt.records, dealt.features
    scored, controls = _attacks(
        settings, features, records, observed.taken.gradients, stages
    )
    compared = _references(settings, given, observed, dealt, stages)
    scored += compared.scored
    rows, null_rows = membership_rows.rows(scored, "standalone")
    told = target_facts.answers(given.task, dealt)
    origin = command, dataclasses.asdict(settings), _in_effect(given)
    result = {
        **results.origin(*origin, dealt.dataset, begun),
        "target": told,
        **({"references": compared.accuracies} if compared.accuracies else {}),
        "evidence": [target_facts.visible(given.task, observed, dealt, told)],
        "membership": rows,
        "exposure": compared.exposure,
        "null_checks": null_rows,
        "positive_controls": membership_rows.control_rows(controls, "standalone"),
        "reconstruction": [],
    }
    result["data"] |= copies.told(*observed.copies) | target_facts.shape(given)
    result["verdict"] = verdict.verdict(result)
    return contents.Report(
        result=result,
        settings=_table(settings, given),
        split_counts=target_facts.counts(observed, records),
        roc_curves=[
            results.roc_curve(*s.scores[2:], row)
            for s, row in zip(scored, rows, strict=True)
            if s.trained is not False
        ],
        gradient_norms=target_facts.norms(given.transcript, features, records),
        notes=[*notes, *_notes(given, observed, compared, sees_layers)],
        simulated=False,
    )


def _in_effect(given):
    """What was taken for settings that nobody gave."""
    return {
        "model": given.target.name,
        "task": given.task.kind,
        "loss": given.task.loss_name,
    }


def _notes(given, observed, compared, sees_layers):
    return [
        *compared.notes,
        *[target_layers.told(observed.taken)] * sees_layers,
        *copies.notes(*observed.copies),
        *target_facts.caveats(given, bool(compared.accuracies)),
    ]


def _table(settings, given):
    """The report's table of settings."""
    return [
        ("target", given.target.name),
        ("outputs", target_facts.described(given.task)),
        ("loss", given.task.loss_name),
        ("attacks", ", ".join(settings.attacks)),
        *target_facts.seen(given.transcript),
        *[("references", settings.references)] * bool(settings.references),
        ("preset", settings.preset),
        ("seed", settings.seed),
    ]


def _attacks(settings, features, records, layers, stages):
    """The scores of all attacks, and of the positive control."""
    run = membership.Run(features, {})
    chosen = settings.attacks
    fits = {
        name: fit
        for name, fit in _fits(settings, features, layers).items()
        if name in chosen
    }
    stages.stage("attacks", WEIGHTS["attacks"])
    scored = membership.named_attacks(fits, run, records, settings.seed, stages.advance)
    rules = membership.simple_rules(run, records, "passive", chosen)
    stages.stage("positive control", WEIGHTS["control"])
    best = {name: fits[name] for name in membership.NETWORKS[:1] if name in fits}
    controls = membership.control(
        best,
        run,
        records,
        settings.seed,
        training.named_key(settings.seed, "control"),
        stages.advance,
    )
    return scored + rules, controls


def _references(settings, given, observed, dealt, stages):
    """What comes of reference models, where an attack takes them."""
    if not settings.references:
        return target_references.Found([], {}, [])
    stages.stage("reference models", WEIGHTS["references"] * settings.references)
    return target_references.attack(
        given,
        observed,
        dealt,
        settings.attacks,
        settings.references,
        settings.seed,
        stages.advance,
    )


def _fits(settings, features, layers):
    if not features.statistics:
        return {}
    preset = attack_presets.PRESETS[settings.preset]
    seen = {
        "white_box": (layers, None, tuple(features.statistics.log_norms)),
        "black_box": ((), (), ()),
    }
    return {
        name: attack_training.make_fit(
            whitebox.supervised(layers, preset, hidden=hidden, norms=norms), preset
        )
        for name, (layers, hidden, norms) in seen.items()
    }


def check(
    asked: Sequence[str] | None, preset: str, seed: int, references: int = 0
) -> None:
    """Checks what is to be done.

    Args:
      asked: names of attacks; None: all that are defined.
      preset: of the attack network.
      seed: of every random choice.
      references: how many models are trained beside the target.

    Raises:
      InputError: naming the argument, the value and what is accepted.
    """
    every = ATTACKS + target_references.ATTACKS
    for name in asked or ():
        checks.one_of("attacks", name, every)
    target_references.check(None if asked is None else tuple(asked), references)
    asked = ATTACKS if asked is None else asked
    if not asked:
        raise errors.InputError("attacks", "()", f"are {', '.join(ATTACKS)}")
    checks.one_of("preset", preset, tuple(attack_presets.PRESETS))
    fit = [name for name, p in attack_presets.PRESETS.items() if p.statistics]
    if "white_box" in asked and preset not in fit:
        raise errors.InputError(
            "preset",
            preset,
            found=(
                "takes no norms of gradients, so that white_box would see no more "
                "than black_box"
            ),
            accepted=f"beside it is {', '.join(fit)}",
        )
    checks.seed("seed", seed)
