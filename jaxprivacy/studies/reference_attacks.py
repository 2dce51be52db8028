"""Every attack on outputs, with and without reference models, on one target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxprivacy.attacks import membership
from jaxprivacy.studies import references


class Shown(NamedTuple):
    """What a target and reference models say of N records, and the target of Z others.

    The others are records that no model was trained on.
    """

    said: references.Said  # of the target, (N + Z,) each, the others last
    labels: np.ndarray  # (N + Z,)
    records: np.ndarray  # (N + Z, *D)
    log_odds: membership.Pool  # the references', of the N records
    log_probability: membership.Pool
    seed: int

    @property
    def count(self) -> int:
        """N."""
        return self.log_odds.held.shape[1]


def shown(
    said: references.Said,
    held: np.ndarray,
    labels: np.ndarray,
    records: np.ndarray,
    target: int,
    left: np.ndarray,
    seed: int,
) -> Shown:
    """What there is to see where one model of a pool is the target.

    Args:
      said: (S, N + Z); the last Z records are nobody's.
      held: (S, N) bool.
      labels: (N + Z,).
      records: (N + Z, *D).
      target: which of the models is attacked.
      left: which are its references.
      seed: of attacks that learn.
    """
    n = held.shape[1]
    pools = (
        membership.Pool(signal[left, :n], held[left])
        for signal in (said.log_odds, said.log_probability)
    )
    return Shown(said.of(target), labels, records, *pools, seed)


def _parts(seen: Shown, a: np.ndarray) -> list[np.ndarray]:
    """Those of the N records, and those of the others."""
    return np.split(a, [seen.count])


def _own(seen: Shown, a: np.ndarray) -> np.ndarray:
    return a[: seen.count]


def _population(seen):
    (odds, others), (labels, other_labels) = (
        _parts(seen, a) for a in (seen.said.log_odds, seen.labels)
    )
    return membership.population_attack(odds, labels, others, other_labels)


def _quantile(seen):
    own, others = zip(
        *(_parts(seen, a) for a in (seen.said.log_odds, seen.records, seen.labels)),
        strict=True,
    )
    return membership.quantile_regression(*own, *others, seen.seed)


def _of_pool(attack: Callable, signal: str) -> Callable[[Shown], np.ndarray]:
    """An attack that compares the target's signal with the references'."""
    return lambda seen: attack(
        _own(seen, getattr(seen.said, signal)), getattr(seen, signal)
    )


# By the names of their cards, (what is shown) -> scores (N,).
ATTACKS: dict[str, Callable[[Shown], np.ndarray]] = {
    "loss_threshold": lambda seen: _own(seen, seen.said.log_probability),
    "confidence": lambda seen: _own(seen, seen.said.log_odds),
    "entropy": lambda seen: _own(seen, seen.said.entropy),
    "modified_entropy": lambda seen: _own(seen, seen.said.modified_entropy),
    "population": _population,
    "quantile": _quantile,
    "lira_online": _of_pool(membership.lira_online, "log_odds"),
    "lira_offline": _of_pool(membership.lira_offline, "log_odds"),
    "rmia_online": _of_pool(membership.rmia_online, "log_probability"),
    "rmia_offline": _of_pool(membership.rmia_offline, "log_probability"),
    "bavaria": _of_pool(membership.bavaria_online, "log_odds"),
}


def scores(seen: Shown, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The scores of the attacks of these names: (N,) each, higher means member."""
    return {name: ATTACKS[name](seen) for name in names}
