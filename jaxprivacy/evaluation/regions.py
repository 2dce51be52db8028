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
FOLDS = 5


class Regions(NamedTuple):
    """K regions of F features."""

    means: np.ndarray  # (K, F) NaN where a class has no image
    precision: np.ndarray  # (F, F) inverse of the covariance within the classes
    thresholds: np.ndarray  # (K,) of the squared distance


def fit(features: np.ndarray, labels: np.ndarray, classes: int) -> Regions:
    """Fits the regions to real images that the classifier did not learn from.

    The thresholds are such that 99 % of real images lie within, also of images that
    the regions were not fitted to: they are taken from distances to the other four
    fifths of the images.

    Args:
      features: (N, F) of these images.
      labels: (N,) their classes.
      classes: K.

    Returns:
      The regions, with a threshold for each class that has enough images, and one of
      all classes together for the others. Where no class has two images, nothing lies
      within any region.
    """
    features = np.asarray(features, np.float64)
    counts = np.bincount(labels, minlength=classes)
    means = _means(features, labels, classes)
    distances = _out_of_fold(features, labels, classes)
    known = np.isfinite(distances)
    if not known.any():
        nothing = np.full(classes, -np.inf)
        return Regions(means, np.eye(features.shape[1]), nothing)
    precision = _precision(features, labels, means)
    return Regions(means, precision, quantiles(distances, labels, counts, PASS))


def quantiles(
    values: np.ndarray, labels: np.ndarray, counts: np.ndarray, share: float
) -> np.ndarray:
    """A quantile of each class that has enough images, and that of all for the others.

    Args:
      values: (N,) of which those that are finite count, at least one of them.
      labels: (N,) their classes.
      counts: (K,) images of each class.
      share: of the values that lie below, in [0, 1].

    Returns:
      (K,) quantiles.
    """
    known = np.isfinite(values)
    of_all = np.quantile(values[known], share)
    return np.array(
        [
            np.quantile(values[known & (labels == label)], share)
            if count >= ENOUGH
            else of_all
            for label, count in enumerate(counts)
        ]
    )


def within(regions: Regions, features: np.ndarray, label: int) -> np.ndarray:
    """Whether images with these features (N, F) lie in the region of a class: (N,)."""
    apart = np.asarray(features, np.float64) - regions.means[label]
    return _squared(apart, regions.precision) <= regions.thresholds[label]


def _means(features, labels, classes):
    means = np.full((classes, features.shape[1]), np.nan)
    for label in np.unique(labels):
        means[label] = features[labels == label].mean(axis=0)
    return means


def _precision(features, labels, means):
    """Of the classes with two images and more: one is its own mean."""
    from sklearn import covariance  # Slow to import.

    counts = np.bincount(labels, minlength=len(means))[labels]
    some = counts > 1
    # The mean of few images has followed them.
    unbiased = np.sqrt(counts[some] / (counts[some] - 1))
    apart = (features[some] - means[labels[some]]) * unbiased[:, None]
    return covariance.LedoitWolf(assume_centered=True).fit(apart).precision_


def _out_of_fold(features, labels, classes):
    """Squared distances (N,) to regions of other images; NaN where there are none."""
    # Every class in turns, so that each fold has some of each.
    order = np.argsort(labels, kind="stable")
    place = np.empty(len(labels), int)
    place[order] = np.arange(len(labels)) % FOLDS
    distances = np.full(len(labels), np.nan)
    for fold in range(FOLDS):
        out, rest = place == fold, place != fold
        if np.bincount(labels[rest]).max(initial=0) < 2:
            continue
        means = _means(features[rest], labels[rest], classes)
        precision = _precision(features[rest], labels[rest], means)
        distances[out] = _squared(features[out] - means[labels[out]], precision)
    return distances


def _squared(apart: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """The squared Mahalanobis lengths (N,) of differences (N, F)."""
    return np.einsum("nf,fg,ng->n", apart, precision, apart, optimize=True)
