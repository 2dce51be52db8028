"""What a report says of an audited target beside what the attacks found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxprivacy.experiments import evidence

WHITE_BOX = (
    "The white-box attack takes the outputs, the loss and the norms of the gradients "
    "by each array of the parameters; not the gradients themselves, nor hidden outputs."
)


def accuracies(given, features, records):
    """Of the attacked members and of the other records; None of a regression."""
    if not given.classifies:
        return {"train_accuracy": None, "test_accuracy": None}
    y = np.asarray(records.batch.y)
    output = np.asarray(features.output[-1])
    right = (
        (output[:, 0] > 0.5) == y
        if output.shape[1] == 1
        else output.argmax(axis=1) == y
    )
    members = np.concatenate(records.members)
    others = np.concatenate([*records.non_members, *records.untrained])
    return {
        "train_accuracy": float(right[members].mean()),
        "test_accuracy": float(right[others].mean()),
    }


def visible(given, features, dealt, accuracies):
    """What the target and its records let any attack see; nothing of a regression."""
    if not given.classifies:
        return []
    kinds = dealt.records.members, dealt.records.non_members
    evaluated = [kind.evaluation for kind in kinds]
    outputs = np.asarray(features.output[-1])[np.concatenate(evaluated)]
    told = evidence.of_target(
        given.dataset,
        given.members,
        *(dealt.indices[where] for where in evaluated),
        outputs,
        # The accuracy is that of the attacked ones.
        dealt.indices[np.concatenate(dealt.records.members)],
    )
    return [accuracies | told]


def counts(records):
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
    return rows


def caveats() -> Sequence[str]:
    """What the numbers do not say."""
    return [
        "Whether members and non-members were drawn alike is for whoever gave them to "
        "know: an attack would take any difference between them for membership. The "
        "null check compares non-members with one another and cannot see it."
    ]
