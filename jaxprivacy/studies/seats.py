"""Who sits where in collaborative training, and which images nobody holds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxprivacy import errors
from jaxprivacy.data import Dataset, partition

FEW = 8  # images of the class that nobody holds
MEASURED = 2000  # records on which the shared model is measured after each round


class Seats(NamedTuple):
    """Who holds which records, by class; the adversary is the last participant."""

    honest: tuple[np.ndarray, ...]
    adversary: np.ndarray  # may be empty
    target_class: int
    private: np.ndarray  # the honest participants' records of the target class
    real: np.ndarray  # of the class, held by nobody: the row `real`
    public: np.ndarray  # of the class, held by nobody: the nearest public images
    unheld: np.ndarray  # all records that nobody holds
    judge: np.ndarray  # of these without `real`: the judge learns from them


def seats(
    dataset: Dataset,
    held: np.ndarray,
    *,
    participants: int,
    target_class: int,
    adversary_data: bool = True,
    seed: int,
) -> Seats:
    """Deals the participants' records by class, as in paper A's scenarios (row A19).

    The classes are dealt in order, as evenly as they can be; the adversary is the last
    of those whose share lacks the target class. Without data it holds nothing and the
    others share all classes.

    Args:
      dataset: N records.
      held: those that the participants hold together.
      participants: P, the adversary among them.
      target_class: what the adversary is after.
      adversary_data: whether the adversary holds records.
      seed: of the dealing.

    Raises:
      InputError: the target class does not exist or has too few records.
    """
    if target_class >= dataset.num_classes:
        raise errors.InputError(
            "target_class", target_class, f"are 0 to {dataset.num_classes - 1}"
        )
    sharing = participants - (not adversary_data)
    if sharing < (2 if adversary_data else 1):
        raise errors.InputError(
            "participants", participants, "is at least 2, one of them the adversary"
        )
    shares = _dealt(dataset, held, participants, sharing, seed)
    adversary = np.zeros(0, np.int64)
    if adversary_data:
        adversary, shares = _adversary(dataset.y, shares, target_class)
    unheld = dataset.without(held)
    private, of_class = (
        records[dataset.y[records] == target_class] for records in (held, unheld)
    )
    real, public = _real_and_public(of_class, len(private), target_class)
    return Seats(
        honest=shares,
        adversary=adversary,
        target_class=target_class,
        private=private,
        real=real,
        public=public,
        unheld=unheld,
        judge=np.setdiff1d(unheld, real),
    )


def _dealt(dataset, held, participants, sharing, seed):
    """The shares of those that hold records, of the participants, by class."""
    rng = np.random.default_rng(seed)
    try:
        return partition(dataset.y, held, sharing, "by_class", alpha=1.0, rng=rng)
    except errors.InputError as error:
        raise errors.InputError(
            "participants",
            participants,
            found=(
                f"one of them would hold no record when {len(held)} records are "
                "dealt by class"
            ),
            accepted="are fewer participants, or more records for them",
        ) from error


def _adversary(y, shares, target_class):
    """The last share without the target class, and the others."""
    lacking = [i for i, share in enumerate(shares) if target_class not in y[share]]
    honest = tuple(share for i, share in enumerate(shares) if i != lacking[-1])
    return shares[lacking[-1]], honest


def _real_and_public(of_class, private, target_class):
    """Divides the records of the class that nobody holds; `private` are held."""
    # Of few images, as of one person, the judge needs most to learn from.
    real = of_class[::2] if len(of_class) >= FEW else of_class[:1]
    public = np.setdiff1d(of_class, real)
    if not private or not len(public):
        raise errors.InputError(
            "target_class",
            target_class,
            found=(
                f"participants hold {private} of its records and {len(of_class)} are "
                "left"
            ),
            accepted="are classes with at least 1 and 2",
        )
    return real, public


def held(who: Seats) -> np.ndarray:
    """The records that the participants hold together."""
    return np.concatenate([*who.honest, who.adversary])


def measured(who: Seats, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws held and unheld records, at most 2,000 of each, to measure the model on."""
    rng = np.random.default_rng(seed)
    return rng.permutation(held(who))[:MEASURED], rng.permutation(who.unheld)[:MEASURED]
