"""How near an image lies to real images of a class, pixel by pixel.

What fools one network can fool another, since both answer to the same patterns; a
distance in pixels answers to none. It is crude the other way round: what is flat is
near to everything, so that an image must show as much contrast as real ones do, and a
smooth stripe may pass. Network and pixels together refuse what fools either.

Source: Cover and Hart 1967, "Nearest neighbor pattern classification"; the thresholds
are those of conformal prediction with nearest neighbours (Vovk, Gammerman, Shafer 2005,
"Algorithmic learning in a random world", section 3.1): by construction a known share of
real images passes, however hard they are to tell apart.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from jaxprivacy.evaluation import regions

PASS = 0.98  # share of a class's real images that pass each of the two conditions
FLAT = 0.005  # share of a class's real images that have too little contrast
MOST = 5000  # images that are compared with; more are not needed for a quantile
BLUR = 0.05  # of the image's size: grain, which a person looks through
AT_ONCE = 1024  # images compared at once


class Neighbours(NamedTuple):
    """Real images of K classes, and how near to each other those of a class lie."""

    images: np.ndarray  # (N, D) float32, blurred
    labels: np.ndarray  # (N,)
    farthest: np.ndarray  # (K,) from the nearest of the class
    ratios: np.ndarray  # (K,) of that to the distance from the nearest of the others
    contrasts: np.ndarray  # (K,) the least


def fit(images: np.ndarray, labels: np.ndarray, classes: int) -> Neighbours:
    """Keeps real images and measures how near each lies to the others of its class.

    Args:
      images: (N, H, W, C).
      labels: (N,) their classes.
      classes: K.

    Returns:
      The neighbours, with thresholds for each class that has enough images, and those
      of all classes together for the others. Where no class has two images, nothing is
      near.
    """
    chosen = _spread_over_classes(labels)
    blurred, labels = _blurred(images[chosen]), labels[chosen]
    contrasts, images = _contrast(blurred), _rows(blurred)
    own, other = _nearest(images, images, labels, labels, itself=True)
    counts = np.bincount(labels, minlength=classes)
    if counts.max() < 2:
        nothing = np.full(classes, -np.inf)
        return Neighbours(images, labels, nothing, nothing, -nothing)
    return Neighbours(
        images,
        labels,
        regions.quantiles(own, labels, counts, PASS),
        regions.quantiles(_ratio(own, other), labels, counts, PASS),
        regions.quantiles(contrasts, labels, counts, FLAT),
    )


def near(neighbours: Neighbours, images: np.ndarray, label: int) -> np.ndarray:
    """Which images lie as near to a class as its real images do: (N,) bool.

    As near to the nearest of the class, as near in comparison with the nearest of all
    other classes, and with as much contrast as real images.

    Args:
      neighbours: what `fit` returns.
      images: (N, H, W, C).
      label: the class.
    """
    labels = np.full(len(images), label)
    finite = np.isfinite(images).reshape(len(images), -1).all(axis=1)
    asked = _blurred(np.where(finite[:, None, None, None], images, 0))
    own, other = _nearest(_rows(asked), neighbours.images, labels, neighbours.labels)
    within = own <= neighbours.farthest[label]
    clearer = _ratio(own, other) <= neighbours.ratios[label]
    return finite & within & clearer & (_contrast(asked) >= neighbours.contrasts[label])


def _spread_over_classes(labels: np.ndarray) -> np.ndarray:
    """Indices of at most so many images, as many of each class as there are, in turns.

    The first of each class, which data sets and draws of records have in no order.
    """
    turn = np.empty(len(labels), int)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        turn[own] = np.arange(len(own))
    return np.sort(np.argsort(turn, kind="stable")[:MOST])


def _blurred(images: np.ndarray) -> np.ndarray:
    sigma = [0, *(BLUR * size for size in images.shape[1:3]), 0]
    return ndimage.gaussian_filter(np.asarray(images, np.float32), sigma)


def _rows(images):
    return images.reshape(len(images), -1)


def _contrast(images):
    """Standard deviation over an image's pixels, mean over its channels: (N,)."""
    return images.std(axis=(1, 2)).mean(axis=1)


def _nearest(asked, images, asked_labels, labels, *, itself=False):
    """Distances (N,) to the nearest image of the same class and of the others.

    With `itself` the asked are the images, and none is its own neighbour.
    """
    squares, found = np.sum(images**2, axis=1), []
    for start in range(0, len(asked), AT_ONCE):
        part = asked[start : start + AT_ONCE]
        squared = np.sum(part**2, axis=1)[:, None] + squares - 2 * part @ images.T
        if itself:
            squared[np.arange(len(part)), start + np.arange(len(part))] = np.inf
        same = asked_labels[start : start + AT_ONCE, None] == labels
        kinds = (np.where(which, squared, np.inf) for which in (same, ~same))
        found.append([kind.min(axis=1, initial=np.inf) for kind in kinds])
    own, other = np.concatenate(found, axis=1)
    return np.sqrt(np.maximum(own, 0)), np.sqrt(np.maximum(other, 0))


def _ratio(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Infinite where an image has no other of its class, 0 where it has only those."""
    both = np.isfinite(own) & np.isfinite(other)
    ratio = np.where(np.isinf(own), np.inf, 0.0)
    apart = np.maximum(other[both], np.finfo(np.float32).tiny)
    ratio[both] = np.float64(own[both]) / apart  # float32 would overflow
    return ratio
