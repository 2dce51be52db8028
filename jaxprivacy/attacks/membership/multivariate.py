"""LiRA of several signals of a record together, which need not be independent.

Carlini, Chien, Nasr, Song, Terzis, Tramer, "Membership Inference Attacks From First
Principles", S&P 2022, section VI: the signals of several queries of a record are
fitted by one normal distribution in as many dimensions. So are other signals that
belong together, such as the logarithms of a gradient's norms by each array of the
parameters.
"""

from __future__ import annotations

import numpy as np

from jaxprivacy.attacks.membership import pool as pool_lib

LEAST_MODELS = 2  # of a side, to have a covariance
RIDGE = 1e-6  # of the mean variance, where signals are copies of each other


def lira_multivariate(target: np.ndarray, pool: pool_lib.Pool) -> np.ndarray:
    """Scores records by the log-likelihood ratio of Q signals taken together: (N,).

    Each record and side has a mean of its own; the covariance is that of a side, from
    all records' deviations from their means, since no record has models enough for one
    of its own. With one signal it is `lira_online` with a shared variance.

    Args:
      target: signals of the target, (N,) or (N, Q).
      pool: signals of reference models, (S, N) or (S, N, Q), about half of which hold
        each record. One model at a time is looked at.

    Returns:
      The ratio over Q, so that it is of the size of a single signal's.

    Raises:
      InputError: too few models on one side of a record.
    """
    pool_lib.check(pool, LEAST_MODELS, LEAST_MODELS)
    target = pool_lib.queries(target)
    with_it, without = (
        _log_density(target, pool.where(held)) for held in (True, False)
    )
    return (with_it - without) / target.shape[1]


def covariance(pool: pool_lib.Pool, mean: np.ndarray) -> np.ndarray:
    """The covariance of the signals over the models that hold a record: (Q, Q).

    Args:
      pool: (S, N, Q).
      mean: (N, Q) over these models.
    """
    total = 0.0
    for signal, held in zip(pool.signal, pool.held, strict=True):
        deviation = (pool_lib.queries(signal) - mean)[held]
        total = total + deviation.T @ deviation
    freedom = np.maximum(np.asarray(pool.held).sum(axis=0) - 1, 0).sum()
    found = total / freedom
    variance = max(np.trace(found) / len(found), 1e-30)
    return found + RIDGE * variance * np.eye(len(found))


def _log_density(target, pool):
    mean = pool_lib.moments(pool).mean
    factor = np.linalg.cholesky(covariance(pool, mean))
    z = np.linalg.solve(factor, (target - mean).T)
    constant = np.log(np.diag(factor)).sum() + len(factor) * np.log(2 * np.pi) / 2
    return -(z**2).sum(axis=0) / 2 - constant
