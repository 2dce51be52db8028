"""The population attack: a record against records of its class that nobody holds."""

from __future__ import annotations

import numpy as np

LEAST = 10  # records of a class, below which all classes stand in for it


def population_attack(
    target: np.ndarray,
    labels: np.ndarray,
    others: np.ndarray,
    others_labels: np.ndarray,
) -> np.ndarray:
    """Scores records by how far their signal lies above their class's: (N,).

    Ye, Maddi, Murakonda, Bindschaedler, Shokri, "Enhanced Membership Inference Attacks
    against Machine Learning Models", CCS 2022, attack P: the threshold comes from
    records of the population under the target itself, no model is trained. Here it is
    one for each class, and the signal's distance to the class's mean in its standard
    deviations stands in for the quantile, which ties beyond the population's largest.

    Args:
      target: (N,) signals of the records, higher for members.
      labels: (N,) classes.
      others: (Z,) signals of records that the target was not trained on.
      others_labels: (Z,) their classes; of a class with fewer than `LEAST` of them all
        are taken.
    """
    target, others = np.float64(target), np.float64(others)
    scores = np.empty(len(target))
    for label in np.unique(labels):
        same = others[others_labels == label]
        same = others if len(same) < LEAST else same
        here = labels == label
        scores[here] = (target[here] - same.mean()) / max(same.std(ddof=1), 1e-12)
    return scores
