"""What a target's records and outputs let any attack see: facts for the verdict."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxprivacy.data import Dataset, copies

# Probabilities that differ by less from record to record are one constant output.
SAME_OUTPUT = 1e-6


def of_training(y: np.ndarray) -> dict[str, Any]:
    """How many records were trained on, and what the largest class would be right on.

    Args:
      y: (N,) labels of the records that the target was trained on.
    """
    return {
        "train_records": len(y),
        "largest_class": float(np.bincount(y).max() / len(y)),
    }


def of_target(
    dataset: Dataset,
    held: np.ndarray,
    members: np.ndarray,
    non_members: np.ndarray,
    outputs: np.ndarray,
    measured: np.ndarray | None = None,
) -> dict[str, Any]:
    """How far the evaluation's records can be told apart at all.

    Args:
      dataset: the data.
      held: indices of the records that were trained on.
      members: indices of the evaluation's members.
      non_members: indices of its non-members.
      outputs: (N, K) probabilities that the target gives members and non-members.
      measured: indices of the records that the training accuracy is of; None: `held`.

    Returns:
      Beside what `of_training` returns: `copies`, how many of the non-members equal a
      record that was trained on; `attacked_non_members`, how many of them there are;
      `constant_inputs` and `constant_outputs`, whether all are equal.
    """
    return {
        **of_training(dataset.y[held if measured is None else measured]),
        **of_records(dataset, held, members, non_members),
        "constant_outputs": constant(outputs),
    }


def of_records(
    dataset: Dataset, held: np.ndarray, members: np.ndarray, non_members: np.ndarray
) -> dict[str, Any]:
    """What `of_target` returns of the records alone, like its arguments."""
    known = {copies.digest(dataset.x[i]) for i in held}
    kinds = [
        [copies.digest(dataset.x[i]) for i in kind] for kind in (members, non_members)
    ]
    return {
        "copies": sum(record in known for record in kinds[1]),
        "attacked_non_members": len(non_members),
        "constant_inputs": len({*kinds[0], *kinds[1]}) == 1,
    }


def constant(outputs: np.ndarray) -> bool:
    """Whether outputs (N, K) are the same for all records."""
    spread = np.ptp(np.asarray(outputs, np.float64), axis=0)
    return bool((spread < SAME_OUTPUT).all())
