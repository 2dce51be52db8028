"""What a report says of an audited target beside what the attacks found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from scipy import special

from jaxprivacy.federated.transcript import Transcript
from jaxprivacy.report import contents
from jaxprivacy.studies import evidence, target_given, target_records
from jaxprivacy.targets import tasks

_ANSWERS = {tasks.LABELS: "labels", tasks.TOKENS: "tokens"}


# Of what null checks say where members and non-members were not drawn alike.
_UNSEEN = "The null check compares non-members with one another and cannot see it."
_SEEN = (
    "The null checks of attacks that look at the target alone compare non-members with "
    "one another and cannot see it; those of attacks beside reference models ask a "
    "reference, which was trained without regard to who is a member, and see it as far "
    "as it moves their scores."
)


def described(task: tasks.Task) -> str:
    """What the outputs are taken for, for readers."""
    shape = " x ".join(map(str, task.form))
    plural = "s" * (math.prod(task.form) > 1)
    return {
        tasks.CLASSES: f"logits of {shape} classes",
        tasks.LOGIT: "one logit, of label 1 against 0",
        tasks.NUMBERS: f"{shape} number{plural} of a regression",
        tasks.LABELS: f"logits of {shape} labels, independent of one another",
        tasks.TOKENS: f"logits of token sequences, {shape}",
        tasks.OWN: f"{shape} number{plural}, of which the loss alone is taken",
    }[task.kind]


def answers(task: tasks.Task, dealt: target_records.Dealt) -> dict[str, Any]:
    """How well the target answers, of the attacked members and the other records.

    Accuracies are shares of right answers, each record weighing the same; None where
    no answer is right or wrong.
    """
    records = dealt.records
    members = np.concatenate(records.members)
    others = np.concatenate([*records.non_members, *records.untrained])
    loss = np.asarray(dealt.features.loss[-1, :, 0], np.float64)
    told: dict[str, Any] = {}
    for name, kind in (("train", members), ("test", others)):
        right = float(dealt.right[kind].mean())
        told[f"{name}_accuracy"] = None if math.isnan(right) else right
        told[f"{name}_loss"] = float(loss[kind].mean())
    return told | {"loss": task.loss_name, "answers": _ANSWERS.get(task.kind, "")}


def visible(
    task: tasks.Task,
    observed: target_records.Observed,
    dealt: target_records.Dealt,
    told: dict[str, Any],
) -> dict[str, Any]:
    """What the target and its records let any attack see."""
    kinds = dealt.records.members, dealt.records.non_members
    evaluated = [kind.evaluation for kind in kinds]
    found = evidence.of_records(
        dealt.dataset,
        observed.members,
        *(dealt.indices[where] for where in evaluated),
    )
    members = np.concatenate(dealt.records.members)
    found["measured_on"] = "attacked members"
    if task.kind != tasks.OWN:
        outputs = np.asarray(dealt.features.output[-1])[np.concatenate(evaluated)]
        found["constant_outputs"] = evidence.constant(outputs)
    if task.classifies:
        found |= {name: told[name] for name in ("train_accuracy", "test_accuracy")}
        return found | evidence.of_training(dealt.dataset.y[dealt.indices[members]])
    found["train_records"] = len(members)
    constant = _constant(task, dealt, members, told["train_loss"])
    if constant is not None:
        found |= {"train_loss": told["train_loss"], "constant_loss": constant}
    return found


def _constant(
    task: tasks.Task, dealt: target_records.Dealt, members: np.ndarray, loss: float
) -> float | None:
    """The loss of the best answer that is the same for all members; None: unknown."""
    label = np.asarray(dealt.features.label, np.float64)[members]
    if task.kind == tasks.LABELS:
        shares = np.stack([label.mean(axis=0), 1 - label.mean(axis=0)])
        return -float(special.xlogy(shares, shares).sum())
    if task.kind == tasks.NUMBERS:
        found = np.asarray(dealt.features.output[-1], np.float64)[members]
        error = np.mean((found - label) ** 2)  # On the scale of the labels.
        return loss * float(label.var(axis=0).mean() / error) if error else None
    if task.kind == tasks.TOKENS and task.loss is tasks.token_loss:
        return math.log(task.form[-1])  # Of one that knows nothing of the tokens.
    return None


def shape(given: target_given.Given) -> dict[str, Any]:
    """The form of a record, as result.json tells it."""
    form = given.members.first.form
    if form.tree is None:
        return {"shape": list(given.members.first.x.shape[1:])}
    shapes = [list(part.shape) for part in form.parts]
    return {"shape": jax.tree.unflatten(form.tree, shapes)}


def seen(transcript: Transcript) -> list[tuple[str, Any]]:
    """What was observed of the training, for the settings of the report."""
    if transcript.is_plain:
        return [("snapshots", len(transcript.rounds))]
    rounds = ", ".join(map(str, transcript.rounds.tolist()))
    return [("rounds observed", rounds), ("observer", transcript.observer)]


def norms(transcript: Transcript, features, records) -> contents.GradientNorms:
    """The gradients' norms over what was observed of the training."""
    found = np.asarray(features.norm)
    evaluated = records.members.evaluation, records.non_members.evaluation
    return contents.GradientNorms(
        np.asarray(transcript.rounds),
        *(found[:, kind] for kind in evaluated),
        "all layers",
        "snapshot" if transcript.is_plain else "round",
    )


def counts(observed: target_records.Observed, records) -> list[tuple[str, int, str]]:
    """How many records each kind has, and what they are for."""
    rows = []
    for name, kind, why in (
        ("members", records.members, ""),
        ("non-members", records.non_members, ""),
        ("more non-members", records.untrained, "in the place of members: "),
    ):
        learn, select, judge = map(len, kind)
        told = f"{learn:,} to learn from, {select:,} to select on, {judge:,} judged"
        rows.append((name, learn + select + judge, why + told))
    attacked = rows[0][1]
    for name, kind, used in (
        ("further members", observed.members, attacked),
        ("further non-members", observed.non_members, 2 * attacked),
    ):
        if len(kind) > used:
            why = "not attacked: for each member there are two non-members"
            rows.append((name, len(kind) - used, why))
    return rows


def caveats(given: target_given.Given, compared: bool = False) -> Sequence[str]:
    """What the numbers do not say.

    Args:
      given: the target and its records.
      compared: whether reference models are attacked in the target's place.
    """
    unseen = given.transcript.uploads is not None
    return [
        "Whether members and non-members were drawn alike is for whoever gave them to "
        "know: an attack would take any difference between them for membership. "
        + (_SEEN if compared else _UNSEEN),
        *["The uploads that were observed are not attacked, parameters alone are."]
        * unseen,
    ]
