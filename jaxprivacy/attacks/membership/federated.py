"""What a server tells from participants' updates, without models of its own.

The rows of Table 1 of "FedMIA: An Effective Membership Inference Attack Exploiting 'All
for One' Principle in Federated Learning", CVPR 2025, arXiv 2402.06289. An update is
`local - received`, so that a step down a record's gradient g points along -g.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special, stats

LEAST_SPREAD = 1e-12


class Signals(NamedTuple):
    """What P participants' updates at T rounds show of N records."""

    log_odds: np.ndarray  # (T, P, N) of a record's class, by the local parameters
    inner: np.ndarray  # (T, P, N) of the update and the gradient at what was received
    gradient_norm: np.ndarray  # (T, N) of that gradient
    update_norm: np.ndarray  # (T, P)


def negative_loss(seen: Signals) -> np.ndarray:
    """The logarithm of the probability of each record's class: (T, P, N).

    From the log-odds, in float64: in float32 small losses tie at 0.
    """
    return -np.logaddexp(0.0, -np.asarray(seen.log_odds, np.float64))


def cosine(seen: Signals) -> np.ndarray:
    """The cosine of each update and each record's negative gradient: (T, P, N).

    It is 0 where one of the two is 0.
    """
    norms = (
        np.asarray(seen.update_norm, np.float64)[:, :, None]
        * np.asarray(seen.gradient_norm, np.float64)[:, None]
    )
    inner = -np.asarray(seen.inner, np.float64)
    return np.divide(inner, norms, out=np.zeros_like(inner), where=norms > 0)


def gradient_difference(seen: Signals) -> np.ndarray:
    """|u|^2 - |u - g|^2 of each negative update u and each gradient g: (T, P, N).

    How much nearer to 0 the update comes when a record's gradient is taken out of it.
    Li, Li and Ribeiro, "Effective passive membership inference attacks in federated
    learning against overparameterized models", ICLR 2023. Neither is scaled, as in the
    code of FedMIA's authors.
    """
    squares = np.asarray(seen.gradient_norm, np.float64)[:, None] ** 2
    return -2 * np.asarray(seen.inner, np.float64) - squares


def fedmia(target: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Scores records by how they stand out in the target's updates: (N,).

    Of each round, the signals that the other participants' updates show of a record are
    those of models without it; the paper's score is the mean over rounds of the normal
    probability of a lower signal (section 4). With the loss it is their FedMIA-I, with
    the cosine of gradient and update FedMIA-II. Returned are the log-odds of that mean,
    which rank as it does and do not tie where it is 1 in float64.

    Args:
      target: (T, N) signals of the target's update at T rounds, higher for members.
      others: (T, P - 1, N) the same of the other participants, at least two.
    """
    others = np.asarray(others, np.float64)
    spread = np.maximum(others.std(axis=1, ddof=1), LEAST_SPREAD)
    z = (target - others.mean(axis=1)) / spread
    lower, higher = (
        special.logsumexp(stats.norm.logcdf(side), axis=0) for side in (z, -z)
    )
    return lower - higher


def _last(signal: Callable) -> Callable:
    return lambda seen, target, others: signal(seen)[-1, target]


def _mean(signal: Callable) -> Callable:
    return lambda seen, target, others: signal(seen)[:, target].mean(axis=0)


def _fedmia(signal: Callable) -> Callable:
    def score(seen, target, others):
        found = signal(seen)
        return fedmia(found[:, target], found[:, list(others)])

    return score


# By the names of their cards: (signals, number of the target, numbers of the others)
# -> scores (N,). Those of one round take the last, the others their mean.
SERVER_ATTACKS: dict[str, Callable[..., np.ndarray]] = {
    "gradient_cosine": _last(cosine),
    "gradient_difference": _last(gradient_difference),
    "loss_series": _mean(negative_loss),
    "mean_cosine": _mean(cosine),
    "fedmia_loss": _fedmia(negative_loss),
    "fedmia_gradient": _fedmia(cosine),
}
