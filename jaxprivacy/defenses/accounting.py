"""What DP-SGD guarantees, by the accountant of the `dp_accounting` library."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MOST_EPSILON, EPSILONS = 60.0, 241  # of the curve


class Claim(NamedTuple):
    """A guarantee, by adding or removing one record."""

    epsilon: float  # at `delta`
    delta: float
    epsilons: np.ndarray  # (E,) rising from 0
    deltas: np.ndarray  # (E,) of these, all of which hold together


def dp_sgd(noise_multiplier: float, rate: float, steps: int, delta: float) -> Claim:
    """Returns what a training by DP-SGD guarantees, by privacy loss distributions.

    It holds where each record is in a batch with the same probability and apart from
    all others, the gradient of each is clipped over all parameters together, and the
    noise is scaled to that norm.

    Args:
      noise_multiplier: standard deviation of the noise over the clipping norm, above 0.
      rate: the probability that a record is in a batch, in (0, 1].
      steps: number of batches.
      delta: at which epsilon is told, in (0, 1).

    Source: Doroshenko et al., "Connect the dots: tighter discrete approximations of
    privacy loss distributions", PoPETs 2022.
    """
    import dp_accounting
    from dp_accounting import pld

    one = dp_accounting.PoissonSampledDpEvent(
        rate, dp_accounting.GaussianDpEvent(noise_multiplier)
    )
    accountant = pld.PLDAccountant().compose(one, steps)
    epsilons = np.linspace(0, MOST_EPSILON, EPSILONS)
    deltas = [accountant.get_delta(epsilon) for epsilon in epsilons]
    return Claim(accountant.get_epsilon(delta), delta, epsilons, np.array(deltas))
