"""Trade-offs between an attack's two errors, and the epsilons that go with them.

A trade-off function f gives the least share of members that an attack misses when it
takes a share alpha of the non-members for members (Dong, Roth and Su, "Gaussian
differential privacy", JRSS B 2022, section 2). All here are symmetric: adding a record
is as private as removing it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import optimize, special

TradeOff = Callable[[float], float]  # alpha in [0, 1] -> 1 - TPR


def gaussian(mu: float) -> TradeOff:
    """Returns G_mu, of a Gaussian mechanism.

    Args:
      mu: the sensitivity over the standard deviation of the noise, at least 0.
    """
    return lambda alpha: float(special.ndtr(special.ndtri(1 - alpha) - mu))


def of_curve(epsilons: np.ndarray, deltas: np.ndarray) -> TradeOff:
    """Returns what (epsilon, delta) guarantees that hold together leave an attack.

    Args:
      epsilons: (E,) at least 0.
      deltas: (E,) that go with them, in [0, 1].

    Source: Dong, Roth and Su, JRSS B 2022, section 2.3.
    """
    factors = np.exp(epsilons)

    def trade_off(alpha: float) -> float:
        left = 1 - deltas - np.array([factors * alpha, np.full(len(factors), alpha)])
        return float(max(0.0, left[0].max(), (left[1] / factors).max()))

    return trade_off


def gaussian_delta(mu: float, epsilon: float) -> float:
    """Returns the delta of a Gaussian mechanism at an epsilon.

    Args:
      mu: the sensitivity over the standard deviation of the noise, above 0.
      epsilon: at least 0.

    Source: Balle and Wang, "Improving the Gaussian mechanism for differential
    privacy", ICML 2018, theorem 8.
    """
    # e^epsilon overflows long before its product with the tail does.
    tail = np.exp(epsilon + special.log_ndtr(-mu / 2 - epsilon / mu))
    return float(special.ndtr(mu / 2 - epsilon / mu) - tail)


def gaussian_epsilon(mu: float, delta: float) -> float:
    """Returns the smallest epsilon of a Gaussian mechanism at a delta.

    Args:
      mu: the sensitivity over the standard deviation of the noise, at least 0.
      delta: in (0, 1).
    """
    if mu == 0 or gaussian_delta(mu, 0.0) <= delta:
        return 0.0
    most = 1.0
    while gaussian_delta(mu, most) > delta:
        most *= 2
    return optimize.brentq(lambda e: gaussian_delta(mu, e) - delta, 0, most)
