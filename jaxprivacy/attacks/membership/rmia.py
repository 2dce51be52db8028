"""RMIA: the probability of a record under the target relative to its own prior.

Zarifzadeh, Liu, Shokri, "Low-Cost High-Power Membership Inference Attacks", ICML 2024.
A record x is compared with records z of the population: its score is the share of z
for which (p(x | target) / p(x)) / (p(z | target) / p(z)) is at least gamma (section 3).
p(x) is the mean over models with and without x in equal parts; offline it is guessed
from those without it as ((1 + a) p_out(x) + 1 - a) / 2 (appendix B.2).

Given the population and gamma, that share is a function of the first ratio alone that
never falls. So records are scored here by the logarithm of the ratio: the same ROC
curve, without the ties of a share of some hundred records. `dominated` is the paper's
own score, which also says how a record stands among records that nobody trained on.
"""

from __future__ import annotations

import numpy as np

from jaxprivacy import errors
from jaxprivacy.attacks.membership import pool as pool_lib

GAMMA = 2.0
A = 0.3


def rmia_online(target: np.ndarray, pool: pool_lib.Pool) -> np.ndarray:
    """Scores records by the log-ratio of their probability to their prior: (N,).

    Args:
      target: logarithm of the probability of each record's class under the target,
        (N,) or (N, Q); of several queries the mean ratio counts.
      pool: the same under reference models, at least one with and one without each
        record.

    Raises:
      InputError: a record without models on one side.
    """
    pool_lib.check(pool, 1, 1)
    both = [pool_lib.log_mean(pool.where(held)) for held in (True, False)]
    return _ratio(target, np.logaddexp(*both) - np.log(2))


def rmia_offline(target: np.ndarray, pool: pool_lib.Pool, a: float = A) -> np.ndarray:
    """Scores records by the log-ratio of their probability to a guessed prior: (N,).

    Args:
      target: as of `rmia_online`.
      pool: likewise; models that hold a record are left out for it.
      a: in [0, 1]: how far the mean without a record is its prior; smaller where models
        overfit. The paper chooses it on a reference model as target.

    Raises:
      InputError: a record that all models hold, or `a` outside [0, 1].
    """
    if not 0 <= a <= 1:
        raise errors.InputError("a", a, "are numbers in [0, 1]")
    pool_lib.check(pool, 0, 1)
    without = pool_lib.log_mean(pool.where(False))
    with np.errstate(divide="ignore"):  # The logarithm of 1 - a where a is 1.
        prior = np.logaddexp(np.log1p(a) + without, np.log(1 - a)) - np.log(2)
    return _ratio(target, prior)


def dominated(
    ratio: np.ndarray, population: np.ndarray, gamma: float = GAMMA
) -> np.ndarray:
    """The share of the population that each record dominates, the paper's score: (N,).

    Args:
      ratio: (N,) log-ratios of the records.
      population: (Z,) log-ratios of records that neither the target nor any reference
        model holds.
      gamma: at least 1; how far above a record of the population one has to be.
    """
    below = np.searchsorted(np.sort(population), ratio - np.log(gamma), side="right")
    return below / len(population)


def _ratio(target, prior):
    return np.mean(pool_lib.queries(target) - prior, axis=-1)
