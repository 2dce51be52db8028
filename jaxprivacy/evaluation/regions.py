"""Where the real images of each class lie, in the features of a classifier.

A classifier has to name some class for whatever it is shown, noise too; whether an
image is of the class asks further how far it lies from the class's real images.

Source: Lee, Lee, Lee, Shin 2018, "A Simple Unified Framework for Detecting
Out-of-Distribution Samples and Adversarial Attacks", section 2.1: class means and one
covariance in the features of the last layer but one, and the Mahalanobis distance.
Here the covariance is shrunk as in Ledoit and Wolf 2004, because a class may have six
images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

PASS = 0.99  # share of a class's real images that lie within its region
ENOUGH = 100  # images of a class, from which on it has a threshold of its own


class Regions(NamedTuple):
    """K regions of F features."""

    means: np.ndarray  # (K, F) NaN where a class has no image
    precision: np.ndarray  # (F, F) inverse of the covariance within the classes
    thresholds: np.ndarray  # (K,) of the squared distance


def fit(features: np.ndarray, labels: np.ndarray, classes: int) -> Regions:
    """Fits the regions to real images that the classifier did not learn from.

    Args:
      features: (N, F) of these images.
      labels: (N,) their classes.
      classes: K.

    Returns:
      The regions, within which 99 % of the images lie: of each class where it has
      enough of them, of all classes together otherwise.
    """
    from sklearn import covariance  # Slow to import.

    features = np.asarray(features, np.float64)
    counts = np.bincount(labels, minlength=classes)
    means = np.full((classes, features.shape[1]), np.nan)
    for label in np.flatnonzero(counts):
        means[label] = features[labels == label].mean(axis=0)
    # Of a mean that the image itself is part of, as far as of one that it is not.
    own = counts[labels]
    without_itself = own / np.maximum(own - 1, 1)
    apart = (features - means[labels]) * without_itself[:, None]
    fitted = covariance.LedoitWolf(assume_centered=True).fit(apart)
    precision = fitted.precision_
    distances = _squared(apart, precision)
    of_all = np.quantile(distances, PASS)
    thresholds = [
        np.quantile(distances[labels == label], PASS) if count >= ENOUGH else of_all
        for label, count in enumerate(counts)
    ]
    return Regions(means, precision, np.array(thresholds))


def within(regions: Regions, features: np.ndarray, label: int) -> np.ndarray:
    """Whether images with these features (N, F) lie in the region of a class: (N,)."""
    apart = np.asarray(features, np.float64) - regions.means[label]
    return _squared(apart, regions.precision) <= regions.thresholds[label]


def _squared(apart: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """The squared Mahalanobis lengths (N,) of differences (N, F)."""
    return np.einsum("nf,fg,ng->n", apart, precision, apart, optimize=True)
