"""What DP-SGD guarantees, by the accountant of the `dp_accounting` library."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from jaxprivacy import errors

MOST_EPSILON, EPSILONS = 60.0, 241  # of the curve
LEAST_NOISE, MOST_NOISE = 0.2, 1000.0  # that are searched
SHORTER = 0.7  # the brackets in which noise is searched
ORDERS = (*range(2, 64), 128, 256, 512)  # of Renyi divergences


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
    from dp_accounting import pld

    event = _training(noise_multiplier, rate, steps)
    accountant = pld.PLDAccountant().compose(event)
    epsilons = np.linspace(0, MOST_EPSILON, EPSILONS)
    deltas = [accountant.get_delta(epsilon) for epsilon in epsilons]
    return Claim(accountant.get_epsilon(delta), delta, epsilons, np.array(deltas))


def _training(noise_multiplier, rate, steps):
    """A training by DP-SGD, as the library knows it."""
    import dp_accounting

    one = dp_accounting.PoissonSampledDpEvent(
        rate, dp_accounting.GaussianDpEvent(noise_multiplier)
    )
    return dp_accounting.SelfComposedDpEvent(one, steps)


def noise(epsilon: float, rate: float, steps: int, delta: float) -> float:
    """The least noise multiplier whose training guarantees this epsilon, to 1 %.

    Args:
      epsilon: above 0.
      rate: see `dp_sgd`.
      steps: likewise.
      delta: likewise.

    Raises:
      InputError: no noise that is searched guarantees it.
    """
    import dp_accounting
    from dp_accounting import pld, rdp

    def training(multiplier):
        return _training(multiplier, rate, steps)

    def guaranteed(accountant, multiplier):
        return accountant().compose(training(multiplier)).get_epsilon(delta)

    def least(accountant, low, high):
        return dp_accounting.calibrate_dp_mechanism(
            accountant,
            training,
            epsilon,
            delta,
            dp_accounting.ExplicitBracketInterval(low, high),
            tol=0.01 * low,
        )

    # Renyi's accountant asks for a little more noise, and says so at once; the other
    # one takes minutes for all noises that it could be. Both bound epsilon from above,
    # whole orders and coarse steps too.
    renyi = functools.partial(rdp.RdpAccountant, orders=ORDERS)
    tight = functools.partial(pld.PLDAccountant, value_discretization_interval=1e-3)
    if not guaranteed(renyi, MOST_NOISE) < epsilon < guaranteed(renyi, LEAST_NOISE):
        raise errors.InputError(
            "epsilon",
            epsilon,
            f"are those of noise multipliers of {LEAST_NOISE:g} to {MOST_NOISE:g}",
        )
    high = least(renyi, LEAST_NOISE, MOST_NOISE)
    while high > LEAST_NOISE:
        low = max(LEAST_NOISE, SHORTER * high)
        if guaranteed(tight, low) > epsilon:
            return least(tight, low, high)
        high = low
    return LEAST_NOISE
