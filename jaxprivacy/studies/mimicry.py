"""How far reference models are models like the target."""

from __future__ import annotations

import numpy as np

FARTHEST = 0.10  # between two gaps of accuracies; above it readers are warned


def accuracies(right: np.ndarray, held: np.ndarray) -> list[dict[str, float]]:
    """The accuracies of S models, each on the records that it holds and on the others.

    Args:
      right: (S, N) bool, whether each model is right on each record.
      held: (S, N) bool.
    """
    return [
        {"train_accuracy": float(r[h].mean()), "test_accuracy": float(r[~h].mean())}
        for r, h in zip(right, held, strict=True)
    ]


def mean(several: list[dict[str, float]]) -> dict[str, float]:
    """The mean of some of `accuracies`; {} of none."""
    names = several[0] if several else ()
    return {name: float(np.mean([each[name] for each in several])) for name in names}


def told(target: dict[str, float], references: dict[str, float]) -> str:
    """The accuracies of both in a sentence.

    Args:
      target: its accuracies.
      references: the mean of theirs; {}: there are none.
    """
    if not references:
        return "No reference models were trained: attacks that need them were not run."
    return (
        f"The reference models are right on {100 * references['train_accuracy']:.1f} % "
        f"of what they were trained on and {100 * references['test_accuracy']:.1f} % of"
        f" the rest, the target on {100 * target['train_accuracy']:.1f} and "
        f"{100 * target['test_accuracy']:.1f} %."
    )


def warning(target: dict[str, float], references: dict[str, float]) -> list[str]:
    """A sentence where the references do not mimic the target, else none."""
    ours, theirs = (
        each["train_accuracy"] - each["test_accuracy"] for each in (target, references)
    )
    if abs(ours - theirs) <= FARTHEST:
        return []
    return [
        "The reference models do not mimic the target: between what was trained on and "
        f"the rest its accuracy differs by {100 * ours:.1f} points, theirs by "
        f"{100 * theirs:.1f}. Attacks that compare with them may find less than an "
        "attacker who trains as the target was trained; is `train` how it was?"
    ]
