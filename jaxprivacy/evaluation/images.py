"""How near reconstructed records come to those that they are meant to be.

All measures are of pairs: the reconstructions of a batch come in no order and are
matched to its records first.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage, optimize
from scipy.spatial import distance

WINDOW, SIGMA = 11, 1.5  # of SSIM, in pixels
K1, K2 = 0.01, 0.03
MOST_PSNR = 60.0  # decibels: beyond, an image of 256 grey levels is the same
FOUND_PSNR = 20.0  # from which a record counts as found: off by a tenth of its span


def psnr(found: np.ndarray, records: np.ndarray, span: float = 2.0) -> np.ndarray:
    """Returns the peak signal-to-noise ratio of each pair in decibels, at most 60.

        10 log10(span^2 / mean squared error)

    Args:
      found: (N, *D); what is not finite counts as off by the whole span.
      records: (N, *D).
      span: between the smallest and the largest value that a record can have.

    Returns:
      (N,): 0 is an error of the whole span, 20 of a tenth of it, 40 of a hundredth.
    """
    errors = np.asarray(found, np.float64) - np.asarray(records, np.float64)
    errors = np.nan_to_num(errors, nan=span, posinf=span, neginf=span)
    mean = np.mean(errors.reshape(len(errors), -1) ** 2, axis=1)
    return 10 * np.log10(span**2 / np.maximum(mean, span**2 * 10 ** (-MOST_PSNR / 10)))


def ssim(
    found: np.ndarray, records: np.ndarray, low: float = -1.0, high: float = 1.0
) -> np.ndarray:
    """Returns the structural similarity of each pair: 1 for the same image.

    Intensities count from black: about a grey of 0, means of opposite sign would undo
    structures of opposite sign. Means, variances and covariance are taken under a
    Gaussian window of 11 x 11 pixels with a standard deviation of 1.5, wherever it lies
    within the image; smaller images get the largest odd window that fits them. Channels
    are averaged.

    Args:
      found: (N, H, W, C), cut to what a pixel can be; NaN counts as black.
      records: (N, H, W, C).
      low: value of a black pixel.
      high: of a white one.

    Returns:
      (N,) in [-1, 1].

    Source: Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error
    Visibility to Structural Similarity", IEEE TIP 2004, equation 13 and section III.C.
    """
    span = high - low
    a = np.clip(np.nan_to_num(np.asarray(found, np.float64) - low), 0, span)
    b = np.asarray(records, np.float64) - low
    smallest = min(a.shape[1:3])
    radius = min(WINDOW, smallest - 1 + smallest % 2) // 2
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / SIGMA) ** 2)
    taps /= taps.sum()

    def mean(x):
        for axis in (1, 2):
            x = ndimage.correlate1d(x, taps, axis=axis)
        inside = slice(radius, -radius or None)
        return x[:, inside, inside]

    mean_a, mean_b = mean(a), mean(b)
    variances = mean(a * a) - mean_a**2 + mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = (K1 * span) ** 2, (K2 * span) ** 2
    above = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    below = (mean_a**2 + mean_b**2 + c1) * (variances + c2)
    return (above / below).mean(axis=(1, 2, 3))


def right_bits(found: np.ndarray, records: np.ndarray) -> np.ndarray:
    """Returns the share of each binary record's entries that are right: (N,).

    Args:
      found: (N, F) numbers; above 1/2 stands for 1.
      records: (N, F) zeros and ones.
    """
    return np.mean((np.asarray(found) > 0.5) == (np.asarray(records) > 0.5), axis=1)


def match(found: np.ndarray, records: np.ndarray) -> np.ndarray:
    """Returns which reconstruction stands for which record.

    The one-to-one assignment with the smallest sum of squared errors, by the Hungarian
    algorithm. It knows the records, which favours an attack: baselines are to be
    matched likewise.

    Args:
      found: (B, *D); what is not finite is matched last.
      records: (B, *D).

    Returns:
      (B,): found[result] is in the order of the records.

    Source: Kuhn, "The Hungarian Method for the Assignment Problem", 1955.
    """
    a, b = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (records, found))
    costs = distance.cdist(a, b, "sqeuclidean")
    worst = np.nanmax(np.where(np.isfinite(costs), costs, np.nan), initial=1.0)
    # A sum with infinity says nothing of the other pairs.
    costs = np.where(np.isfinite(costs), costs, 1e3 * worst)
    return optimize.linear_sum_assignment(costs)[1]


def best_public(sets: np.ndarray, records: np.ndarray) -> np.ndarray:
    """Returns the best of several sets of public records, in the order of the records.

    What guessing reaches with as many tries: each set is matched as reconstructions
    are, and that with the smallest error is taken, which an attacker could not know.

    Args:
      sets: (R, B, *D).
      records: (B, *D).
    """
    matched = [np.asarray(x)[match(x, records)] for x in sets]
    errors = [np.mean((x - records) ** 2) for x in matched]
    return matched[int(np.argmin(errors))]


def right_labels(found: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of a batch's labels that were found, each as often as it is."""
    classes = max(np.max(found), np.max(labels)) + 1
    counts = [np.bincount(y, minlength=classes) for y in (found, labels)]
    return float(np.minimum(*counts).sum() / len(labels))
