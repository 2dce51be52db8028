"""Quantile regression: what a model would say of a record that it was not trained on.

Bertran, Tang, Kearns, Morgenstern, Roth, Wu, "Scalable Membership Inference Attacks via
Quantile Regression", NeurIPS 2023. One regression on non-members takes the place of
reference models. Of the paper's two forms it is the normal one: mean and standard
deviation of the signal given the record, so that one fit serves every false positive
rate (section 3). Boosted trees stand in for the paper's networks.
"""

from __future__ import annotations

import numpy as np

FOLDS = 3
LEAST_SPREAD = 1e-6
# Numbers in a table up to which one thread fits the trees: several wait for one another
# at each split, on a busy machine for a hundred times as long as they work.
ALONE = 2**22
EULER = 1.2703628  # minus the mean of log z^2 of a normal z


def quantile_regression(
    target: np.ndarray,
    records: np.ndarray,
    labels: np.ndarray,
    others: np.ndarray,
    other_records: np.ndarray,
    other_labels: np.ndarray,
    seed: int = 0,
) -> np.ndarray:
    """Scores records by their signal's distance to what is expected of them: (N,).

    Args:
      target: (N,) signals, higher for members.
      records: (N, *D) what was attacked, flattened for the regression.
      labels: (N,) classes, which the regression sees.
      others: (M, ) signals of records that are known not to be members.
      other_records: (M, *D)
      other_labels: (M,)
      seed: of the trees.

    Returns:
      Signals less the expected mean, in expected standard deviations: a threshold on
      them that a share of further non-members exceeds is the attack at that rate.
    """
    import threadpoolctl

    seen, asked = _design(other_records, other_labels), _design(records, labels)
    with threadpoolctl.threadpool_limits(1 if seen.size <= ALONE else None):
        mean, deviation = _expected(seen, others, asked, seed)
    return (target - mean) / deviation


def _expected(seen, others, asked, seed):
    """Mean and standard deviation of the signals of the records that are asked for."""
    from sklearn import model_selection

    mean = _trees(seed).fit(seen, others)
    # Of records that the fit has not seen: its own residuals are too small.
    folds = model_selection.KFold(FOLDS, shuffle=True, random_state=seed)
    expected = model_selection.cross_val_predict(_trees(seed), seen, others, cv=folds)
    log_squares = np.log((others - expected) ** 2 + LEAST_SPREAD**2)
    spread = _trees(seed).fit(seen, log_squares)
    return mean.predict(asked), np.exp((spread.predict(asked) + EULER) / 2)


def _design(records, labels):
    flat = np.asarray(records, np.float32).reshape(len(records), -1)
    return np.column_stack([flat, labels])


def _trees(seed):
    from sklearn import ensemble

    return ensemble.HistGradientBoostingRegressor(
        max_iter=60, learning_rate=0.1, early_stopping=False, random_state=seed
    )
