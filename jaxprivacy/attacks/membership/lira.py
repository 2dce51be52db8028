"""LiRA: the likelihood ratio of a record's signal under models with and without it.

Carlini, Chien, Nasr, Song, Terzis, Tramer, "Membership Inference Attacks From First
Principles", S&P 2022, Algorithm 1 (online) and section IV-E (offline). The signal is
`outputs.scaled_logit`, or any other that is nearly normal over models, such as the
logarithm of a gradient's norm.

The likelihood of Q queries is taken as a product over them, as the authors' code does;
the paper fits one normal distribution in Q dimensions.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from jaxprivacy import checks
from jaxprivacy.attacks.membership import pool as pool_lib

VARIANCES = ("per_example", "shared")
FORMULAS = ("tail", "density")
LEAST_MODELS = 2  # of a side, to have a variance
LEAST_VARIANCE = 1e-30  # where all models say the same


def lira_online(
    target: np.ndarray, pool: pool_lib.Pool, variance: str = "shared"
) -> np.ndarray:
    """Scores records by the log-likelihood ratio of membership: (N,).

    Args:
      target: signal of the target, (N,) or (N, Q).
      pool: signals of reference models, about half of which hold each record.
      variance: `per_example`, one for each record and side, or `shared`, one for each
        side, from all records' deviations from their own means. With fewer than about
        64 models the shared one is better by far.

    Raises:
      InputError: too few models on one side of a record, or another `variance`.
    """
    checks.one_of("variance", variance, VARIANCES)
    pool_lib.check(pool, LEAST_MODELS, LEAST_MODELS)
    with_it, without = (pool_lib.moments(pool.where(held)) for held in (True, False))
    ratio = _log_density(target, with_it, variance) - _log_density(
        target, without, variance
    )
    return ratio.mean(axis=-1)


def lira_offline(
    target: np.ndarray,
    pool: pool_lib.Pool,
    variance: str = "shared",
    formula: str = "tail",
) -> np.ndarray:
    """Scores records by how unlikely their signal is without them: (N,).

    No model that holds a record is needed.

    Args:
      target: signal of the target, (N,) or (N, Q), that is higher for members.
      pool: signals of reference models; those that hold a record are left out for it.
      variance: as of `lira_online`.
      formula: `tail`, the logarithm of the probability of a lower signal (the paper's,
        section IV-E), or `density`, minus the logarithm of its density, which the
        authors' code takes: a signal far below the models' scores high as well.

    Raises:
      InputError: too few models without a record, another `variance` or `formula`.
    """
    checks.one_of("formula", formula, FORMULAS)
    checks.one_of("variance", variance, VARIANCES)
    pool_lib.check(pool, 0, LEAST_MODELS)
    without = pool_lib.moments(pool.where(False))
    if formula == "density":
        return -_log_density(target, without, variance).mean(axis=-1)
    deviation = pool_lib.queries(target) - without.mean
    z = deviation / np.sqrt(variances(without, variance))
    return stats.norm.logcdf(z).mean(axis=-1)


def variances(moments: pool_lib.Moments, variance: str) -> np.ndarray:
    """The variance of each record's signal over the models: (N, Q) or (1, Q)."""
    if variance == "per_example":
        found = moments.squares / moments.count[:, None]
    else:
        freedom = np.maximum(moments.count - 1, 0).sum()
        found = moments.squares.sum(axis=0, keepdims=True) / freedom
    return np.maximum(found, LEAST_VARIANCE)


def _log_density(target, moments, variance):
    spread = np.sqrt(variances(moments, variance))
    return stats.norm.logpdf(pool_lib.queries(target), moments.mean, spread)
