"""LiRA with a variance that is shrunk to the pool's, after BaVarIA.

Brännvall, "Exponential-Family Membership Inference: From LiRA and RMIA to BaVarIA",
arXiv 2603.11799: the variance of each record has a conjugate prior, so that no
threshold decides between one per record and a shared one; the predictive distribution
is Student's t, or a normal one with the shrunk variance.

Deviation: the prior's strength is not the paper's but is fitted on the pool, by the
moments of the logarithms of the records' variances (Smyth, "Linear models and empirical
Bayes methods for assessing differential expression in microarray experiments", SAGMB
2004, section 6.2), and the means have no prior.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from jaxprivacy import checks
from jaxprivacy.attacks.membership import pool as pool_lib

PREDICTIVES = ("t", "n")
MOST_FREEDOM = 1e6  # of the prior; from there on all records share one variance


class Prior(NamedTuple):
    """An inverse-gamma prior of a variance, as that many observations of its scale."""

    freedom: float
    scale: float


def fit(squares: np.ndarray, freedom: np.ndarray) -> Prior:
    """Fits the prior of the variances of N records, of which it needs two.

    Smyth 2004, section 6.2: with d degrees of freedom, log s^2 has the mean
    log s0^2 + psi(d / 2) - psi(d0 / 2) + log(d0 / d) and the variance psi'(d / 2) +
    psi'(d0 / 2).

    Args:
      squares: (N,) sums of squared deviations.
      freedom: (N,) their degrees of freedom; records with none are left out.
    """
    some = (freedom > 0) & (squares > 0)
    s, d = squares[some] / freedom[some], freedom[some]
    if len(s) < 2:
        return Prior(MOST_FREEDOM, float(s.mean()) if len(s) else 1.0)
    e = np.log(s) - special.digamma(d / 2) + np.log(d / 2)
    excess = e.var(ddof=1) - special.polygamma(1, d / 2).mean()
    d0 = 2 * _inverse_trigamma(excess) if excess > 0 else MOST_FREEDOM
    d0 = min(d0, MOST_FREEDOM)
    return Prior(d0, float(np.exp(e.mean() + special.digamma(d0 / 2) - np.log(d0 / 2))))


def bavaria_online(
    target: np.ndarray, pool: pool_lib.Pool, predictive: str = "t"
) -> np.ndarray:
    """Scores records by the log-likelihood ratio of membership: (N,).

    Args:
      target: signal of the target, (N,) or (N, Q).
      pool: signals of reference models, at least one with and one without each record.
      predictive: `t`, Student's, which allows for the errors of mean and variance, or
        `n`, normal with the shrunk variance.

    Raises:
      InputError: a record without models on one side, or another `predictive`.
    """
    pool_lib.check(pool, 1, 1)
    with_it, without = (
        _predictive(pool_lib.moments(pool.where(held)), predictive)
        for held in (True, False)
    )
    target = pool_lib.queries(target)
    return (with_it.logpdf(target) - without.logpdf(target)).mean(axis=-1)


def bavaria_offline(
    target: np.ndarray, pool: pool_lib.Pool, predictive: str = "t"
) -> np.ndarray:
    """Scores records by the log-probability of a lower signal without them: (N,).

    Args:
      target: signal of the target, (N,) or (N, Q), that is higher for members.
      pool: signals of reference models, at least one without each record.
      predictive: as of `bavaria_online`.

    Raises:
      InputError: a record that all models hold, or another `predictive`.
    """
    pool_lib.check(pool, 0, 1)
    without = _predictive(pool_lib.moments(pool.where(False)), predictive)
    return without.logcdf(pool_lib.queries(target)).mean(axis=-1)


def _predictive(moments: pool_lib.Moments, predictive: str):
    """The distribution of one more model's signal: frozen, of shape (N, Q)."""
    checks.one_of("predictive", predictive, PREDICTIVES)
    count = moments.count[:, None]
    freedom = np.maximum(count - 1, 0) * np.ones_like(moments.squares)
    priors = [fit(s, d) for s, d in zip(moments.squares.T, freedom.T, strict=True)]
    d0, s0 = np.array(priors).T
    shrunk = (d0 * s0 + moments.squares) / (d0 + freedom)
    if predictive == "n":
        return stats.norm(moments.mean, np.sqrt(shrunk))
    return stats.t(d0 + freedom, moments.mean, np.sqrt(shrunk * (1 + 1 / count)))


def _inverse_trigamma(value: float) -> float:
    """Where the trigamma function, which falls, has a value."""
    return optimize.brentq(
        lambda x: special.polygamma(1, x) - value, 1e-8, MOST_FREEDOM
    )
