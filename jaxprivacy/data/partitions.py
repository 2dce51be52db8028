"""Dealing records to the participants of federated training."""

from __future__ import annotations

import numpy as np

from jaxprivacy import checks, errors

PARTITIONS = ("iid", "by_class", "dirichlet")


def partition(
    y: np.ndarray,
    indices: np.ndarray,
    participants: int,
    how: str,
    *,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, ...]:
    """Deals records to participants.

    - `iid`: at random, in equal sizes (they differ by 1 at most).
    - `by_class`: contiguous classes, class c of K to participant floor(c P / K). With
      more participants than classes, participant p gets an even share of class
      floor(p K / P).
    - `dirichlet`: each class is dealt in proportions drawn from Dirichlet(alpha), as
      in Yurochkin et al. 2019, "Bayesian Nonparametric Federated Learning of Neural
      Networks". Hsu et al. 2019, arXiv:1909.06335, draw the proportions of the
      classes for each participant instead, and keep the participants' sizes equal.

    Args:
      y: (N,) labels of all records, 0 to K - 1.
      indices: the records to deal.
      participants: P, how many to deal to.
      how: one of `PARTITIONS`.
      alpha: concentration of `dirichlet`, above 0; small values deal unevenly.
      rng: the source of randomness.

    Returns:
      P disjoint arrays of indices, none empty, whose union is `indices`.

    Raises:
      InputError: if a participant would hold no record.
    """
    checks.one_of("partition", how, PARTITIONS)
    shuffled = rng.permutation(indices)
    num_classes = int(y.max()) + 1
    if how == "iid":
        shares = np.array_split(shuffled, participants)
    elif how == "by_class":
        shares = _deal(y, shuffled, _class_owners(num_classes, participants))
    else:
        checks.positive("dirichlet_alpha", alpha)
        # The cap keeps the sum of the concentrations finite; both mean equal shares.
        weights = rng.dirichlet(np.full(participants, min(alpha, 1e100)), num_classes)
        shares = _deal(y, shuffled, weights)
    _check_none_empty(shares, how, alpha)
    return tuple(rng.permutation(share) for share in shares)


def _check_none_empty(shares: list[np.ndarray], how: str, alpha: float) -> None:
    for participant, share in enumerate(shares):
        if not len(share):
            given = {"partition": how}
            if how == "dirichlet":
                given["dirichlet_alpha"] = alpha
            raise errors.InputError(
                tuple(given),
                tuple(given.values()),
                found=(
                    f"participant {participant} of {len(shares)} would hold no record"
                ),
                accepted=(
                    "are settings that give each one at least (raise "
                    "`dirichlet_alpha` or `members_per_participant`, or lower "
                    "`participants`)"
                ),
            )


def _class_owners(num_classes: int, participants: int) -> np.ndarray:
    """Returns (K, P) zeros and ones: which participants share each class."""
    owners = np.zeros((num_classes, participants))
    if participants <= num_classes:
        label = np.arange(num_classes)
        owners[label, label * participants // num_classes] = 1
    else:
        participant = np.arange(participants)
        owners[participant * num_classes // participants, participant] = 1
    return owners


def _deal(y: np.ndarray, indices: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    """Deals each class to the participants in proportion to its row of weights."""
    shares: list[list[np.ndarray]] = [[] for _ in range(weights.shape[1])]
    for label, row in enumerate(weights):
        records = indices[y[indices] == label]
        bounds = np.rint(np.cumsum(row / row.sum()) * len(records)).astype(int)
        for share, dealt in zip(shares, np.split(records, bounds[:-1]), strict=True):
            share.append(dealt)
    return [np.concatenate(share) for share in shares]
