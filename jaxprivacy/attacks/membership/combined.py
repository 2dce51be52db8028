"""Several attacks' scores as one."""

from __future__ import annotations

import warnings

import numpy as np


def combine(scores: np.ndarray, known: np.ndarray, is_member: np.ndarray) -> np.ndarray:
    """Weighs attacks by a logistic regression on records of known membership: (N,).

    The result is a log-likelihood ratio as far as the attacks' scores are: their sum
    with weights, which are calibrated on the known records.

    Args:
      scores: (N, A) of A attacks, all of them finite.
      known: (M, A) of other records: those that attacks are selected on, never those
        that numbers come from.
      is_member: (M,) bool, their membership.
    """
    from sklearn import exceptions, linear_model, pipeline, preprocessing

    weighed = pipeline.make_pipeline(
        preprocessing.RobustScaler(),  # a log-density has no upper end
        linear_model.LogisticRegression(class_weight="balanced", max_iter=2000),
    )
    with warnings.catch_warnings():
        # Of attacks that nearly agree, which one gets the weight is not settled: their
        # sum is, and nobody could do anything about it.
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        weighed.fit(known, is_member)
    return weighed.decision_function(scores)
