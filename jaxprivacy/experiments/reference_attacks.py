"""Every attack on outputs, with and without reference models, on one target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxprivacy.attacks import membership


class Shown(NamedTuple):
    """What a target and reference models say of N records, and of Z others."""

    outputs: np.ndarray  # (N, K) the target's logits
    labels: np.ndarray  # (N,)
    records: np.ndarray  # (N, *D)
    others_outputs: np.ndarray  # (Z, K) of records that no model was trained on
    others_labels: np.ndarray  # (Z,)
    others: np.ndarray  # (Z, *D)
    log_odds: membership.Pool  # the references', of the N records
    log_probability: membership.Pool
    seed: int


def shown(
    outputs: np.ndarray,
    held: np.ndarray,
    labels: np.ndarray,
    records: np.ndarray,
    target: int,
    left: np.ndarray,
    seed: int,
) -> Shown:
    """What there is to see where one model of a pool is the target.

    Args:
      outputs: (S, N + Z, K) logits; the last Z records are nobody's.
      held: (S, N) bool.
      labels: (N + Z,).
      records: (N + Z, *D).
      target: which of the models is attacked.
      left: which are its references.
      seed: of attacks that learn.
    """
    n = held.shape[1]
    inside = outputs[left, :n], labels[:n]
    return Shown(
        outputs[target, :n],
        labels[:n],
        records[:n],
        outputs[target, n:],
        labels[n:],
        records[n:],
        membership.Pool(membership.scaled_logit(*inside), held[left]),
        membership.Pool(membership.log_probability(*inside), held[left]),
        seed,
    )


def log_odds(seen: Shown) -> np.ndarray:
    """The target's log-odds of each record's own class: (N,)."""
    return membership.scaled_logit(seen.outputs, seen.labels)


def _log_probability(seen):
    return membership.log_probability(seen.outputs, seen.labels)


def _others_log_odds(seen):
    return membership.scaled_logit(seen.others_outputs, seen.others_labels)


def _population(seen):
    return membership.population_attack(
        log_odds(seen), seen.labels, _others_log_odds(seen), seen.others_labels
    )


def _quantile(seen):
    return membership.quantile_regression(
        log_odds(seen),
        seen.records,
        seen.labels,
        _others_log_odds(seen),
        seen.others,
        seen.others_labels,
        seen.seed,
    )


# By the names of their cards, (what is shown) -> scores (N,).
ATTACKS: dict[str, Callable[[Shown], np.ndarray]] = {
    "loss_threshold": _log_probability,
    "confidence": log_odds,
    "entropy": lambda seen: membership.entropy(seen.outputs),
    "modified_entropy": lambda seen: membership.modified_entropy(
        seen.outputs, seen.labels
    ),
    "population": _population,
    "quantile": _quantile,
    "lira_online": lambda seen: membership.lira_online(log_odds(seen), seen.log_odds),
    "lira_offline": lambda seen: membership.lira_offline(log_odds(seen), seen.log_odds),
    "rmia_online": lambda seen: membership.rmia_online(
        _log_probability(seen), seen.log_probability
    ),
    "rmia_offline": lambda seen: membership.rmia_offline(
        _log_probability(seen), seen.log_probability
    ),
    "bavaria": lambda seen: membership.bavaria_online(log_odds(seen), seen.log_odds),
}


def scores(seen: Shown, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The scores of the attacks of these names: (N,) each, higher means member."""
    return {name: ATTACKS[name](seen) for name in names}
