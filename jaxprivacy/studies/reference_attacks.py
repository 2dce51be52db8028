"""Every attack with and without reference models, on one target.

Those on outputs, and those on numbers of the gradient, which take the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxprivacy.attacks import membership
from jaxprivacy.studies import reference_signals, references


class Shown(NamedTuple):
    """What a target and reference models say of N records, and the target of Z others.

    The others are records that no model was trained on.
    """

    said: references.Said  # of the target, (N + Z, ...) each, the others last
    labels: np.ndarray  # (N + Z,)
    records: np.ndarray  # (N + Z, *D)
    log_odds: membership.Pool  # the references', of the N records
    log_probability: membership.Pool
    seed: int
    # Of the gradients, where they were asked for: the target's and the references'.
    inside: tuple[reference_signals.Inside, reference_signals.Inside] | None = None
    held: np.ndarray | None = None  # (S, N)

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
    inside: reference_signals.Inside | None = None,
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
      inside: numbers of the gradients, (S, N + Z, ...).
    """
    n = held.shape[1]
    pools = (
        membership.Pool(signal[left, :n], held[left])
        for signal in (said.log_odds, said.log_probability)
    )
    both = None if inside is None else (inside.of(target), inside.of(left))
    return Shown(said.of(target), labels, records, *pools, seed, both, held[left])


def _parts(seen: Shown, a: np.ndarray) -> list[np.ndarray]:
    """Those of the N records, and those of the others."""
    return np.split(a, [seen.count])


def _own(seen: Shown, a: np.ndarray) -> np.ndarray:
    return a[: seen.count]


def _once(signal: np.ndarray) -> np.ndarray:
    """Of signals of one model (N,) or (N, Q) those of the record as it is: (N,)."""
    return signal[:, 0] if signal.ndim == 2 else signal


def _population(seen):
    (odds, others), (labels, other_labels) = (
        _parts(seen, a) for a in (_once(seen.said.log_odds), seen.labels)
    )
    return membership.population_attack(odds, labels, others, other_labels)


def _quantile(signal: Callable[[Shown], np.ndarray]) -> Callable:
    """The attack on a signal of everyone's records: (what is shown) -> (N + Z,)."""

    def attack(seen):
        own, others = zip(
            *(_parts(seen, a) for a in (signal(seen), seen.records, seen.labels)),
            strict=True,
        )
        return membership.quantile_regression(*own, *others, seen.seed)

    return attack


def _of_pool(attack: Callable, signal: str) -> Callable[[Shown], np.ndarray]:
    """An attack that compares the target's signal with the references'."""
    return lambda seen: attack(
        _own(seen, getattr(seen.said, signal)), getattr(seen, signal)
    )


def _of_gradients(attack: Callable, signal: str, change: Callable = np.asarray):
    """An attack that compares a number of the gradients with the references'."""

    def compared(seen):
        target, others = (getattr(models, signal) for models in seen.inside)
        pool = membership.Pool(change(others[:, : seen.count]), seen.held)
        return attack(change(_own(seen, target)), pool)

    return compared


# By the names of their cards, (what is shown) -> scores (N,).
ATTACKS: dict[str, Callable[[Shown], np.ndarray]] = {
    "loss_threshold": lambda seen: _own(seen, _once(seen.said.log_probability)),
    "confidence": lambda seen: _own(seen, _once(seen.said.log_odds)),
    "entropy": lambda seen: _own(seen, seen.said.entropy),
    "modified_entropy": lambda seen: _own(seen, seen.said.modified_entropy),
    "population": _population,
    "quantile": _quantile(lambda seen: _once(seen.said.log_odds)),
    "lira_online": _of_pool(membership.lira_online, "log_odds"),
    "lira_offline": _of_pool(membership.lira_offline, "log_odds"),
    "rmia_online": _of_pool(membership.rmia_online, "log_probability"),
    "rmia_offline": _of_pool(membership.rmia_offline, "log_probability"),
    "bavaria": _of_pool(membership.bavaria_online, "log_odds"),
}

# Of the gradients, which who holds the parameters sees.
OF_GRADIENTS: dict[str, Callable[[Shown], np.ndarray]] = {
    "quantile_gradient_norm": _quantile(lambda seen: seen.inside[0].norm),
    "lira_gradient_norm": _of_gradients(membership.lira_online, "norm"),
    "bavaria_gradient_norm": _of_gradients(membership.bavaria_online, "norm"),
    "lira_leaf_norms": _of_gradients(membership.lira_multivariate, "leaf_norms"),
    "lira_projection": _of_gradients(membership.bavaria_online, "projection"),
    "lira_update": _of_gradients(membership.bavaria_online, "update"),
    "rmia_gradient_norm": _of_gradients(
        membership.rmia_online, "norm", lambda norm: -np.exp(-np.float64(norm))
    ),
}


def scores(seen: Shown, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The scores of the attacks of these names: (N,) each, higher means member."""
    run = ATTACKS | OF_GRADIENTS
    return {name: run[name](seen) for name in names}
