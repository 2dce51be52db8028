"""How close reconstructed images come to the victim's.

Paper A (Hitaj, Ateniese and Perez-Cruz, CCS 2017) only looks at pictures, beside the
nearest training image in L1; the measures here are this project's own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.spatial import distance

from jaxprivacy.evaluation.intervals import clopper_pearson, student_t

# What a mean over rows is taken of, and the largest value that it can have.
_MEASURES = {
    "hit_rate": 1.0,
    "frechet": math.inf,
    "nearest_private": math.inf,
    "nearest_public": math.inf,
    "diversity": math.inf,
}
_CHUNK = 64  # Images compared with all references at once.
_MOST_SETS = 50  # of samples, over which a Frechet distance is averaged


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """Returns the squared Frechet distance of Gaussians fitted to two feature sets.

        |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a^(1/2) C_b C_a^(1/2))^(1/2))

    The trace of the root is the sum of the singular values of X_b X_a^T, X the centred
    features over sqrt(n - 1): no root of a matrix is taken, so that singular
    covariances (fewer records than features) do no harm. The estimate grows as samples
    get fewer; compare only sets of the same size.

    Args:
      features_a: (N, F), N at least 2.
      features_b: (M, F), M at least 2.

    Returns:
      The distance, at least 0; NaN if a feature is not finite.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a
    Local Nash Equilibrium", NeurIPS 2017, equation 6.
    """
    sets = [np.asarray(features, np.float64) for features in (features_a, features_b)]
    if min(len(features) for features in sets) < 2:
        raise ValueError(
            f"features of {len(sets[0])} and {len(sets[1])} records: accepted are at "
            "least 2 of each"
        )
    if not all(np.isfinite(features).all() for features in sets):
        return math.nan
    means = [features.mean(axis=0) for features in sets]
    centred = [
        (features - mean) / math.sqrt(len(features) - 1)
        for features, mean in zip(sets, means, strict=True)
    ]
    root_a, root_b = (np.linalg.qr(x, mode="r") for x in centred)
    trace_of_root = np.linalg.svd(root_b @ root_a.T, compute_uv=False).sum()
    squared = np.sum((means[0] - means[1]) ** 2)
    spread = sum(np.sum(x**2) for x in centred) - 2 * trace_of_root
    return float(max(squared + spread, 0.0))


def frechet_of_few(features: np.ndarray, references: np.ndarray, count: int) -> float:
    """Returns the mean Frechet distance of samples, `count` of them at a time.

    So that many samples compare with few real images: the distance depends on how many
    there are.

    Args:
      features: (N, F) of the samples, N at least `count`.
      references: (M, F).
      count: at least 2; samples that fill no further set are left out.
    """
    sets = len(features) // count
    parts = np.asarray(features)[: sets * count].reshape(sets, count, -1)
    found = [frechet_distance(part, references) for part in parts[:_MOST_SETS]]
    return float(np.mean(found))


def diversity(images: np.ndarray) -> float:
    """Returns the mean pairwise Euclidean distance of (N, *D) images, N at least 2.

    Near 0 it shows mode collapse.
    """
    return float(distance.pdist(_flat(images)).mean())


def nearest(images: np.ndarray, references: np.ndarray) -> float:
    """Returns the mean Euclidean distance from each image to its nearest reference."""
    blocks = _distances(images, references, "euclidean")
    return float(np.concatenate([block.min(axis=1) for block in blocks]).mean())


def closest_l1(images: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Returns the index (N,) of the reference closest to each image in L1 norm.

    Source: paper A shows the training image closest to each reconstruction so.
    """
    blocks = _distances(images, references, "cityblock")
    return np.concatenate([block.argmin(axis=1) for block in blocks])


def _flat(images: np.ndarray) -> np.ndarray:
    return np.asarray(images, np.float64).reshape(len(images), -1)


def _distances(images: np.ndarray, references: np.ndarray, metric: str):
    """Yields (chunk, M) distances, so that memory stays bounded."""
    images, references = _flat(images), _flat(references)
    for start in range(0, len(images), _CHUNK):
        yield distance.cdist(images[start : start + _CHUNK], references, metric)


def reconstruction_row(
    *,
    attack: str,
    target_class: int,
    hits: np.ndarray,
    confidence: np.ndarray,
    features: np.ndarray,
    alike: int,
    images: np.ndarray,
    private_images: np.ndarray,
    public_images: np.ndarray,
    private_features: np.ndarray,
) -> dict:
    """Returns one attack's row of `result.json`.

    The first min(private, public) reference images of each kind are used, so that the
    two nearest distances compare: more references alone bring the nearest one nearer.
    For the row `real`, the images are of the class and held by nobody.

    Args:
      attack: name of the attack, as in `report.threats`.
      target_class: the class that is reconstructed.
      hits: (N,) which samples an independent classifier takes for the class, within
        its real images.
      confidence: (N,) the classifier's probability of the class.
      features: (N, F) of that classifier on the samples.
      alike: of how many samples at a time the Frechet distance is taken; distances
        compare where this is the same.
      images: (N, H, W, C) the samples.
      private_images: (M, H, W, C) the victim's images of the class.
      public_images: (L, H, W, C) images of the class that no participant holds.
      private_features: (M, F) of the classifier on the victim's images.

    Returns:
      The row; a measure that is not finite or has too few images is None.
    """
    if not len(images):
        raise ValueError(f"samples of {attack}: accepted is at least 1, got 0")
    count = min(len(private_images), len(public_images))
    enough = len(images) > 1
    return {
        "attack": attack,
        "target_class": int(target_class),
        "samples": len(images),
        "frechet_samples": alike,
        "hit_rate": clopper_pearson(int(hits.sum()), len(images))._asdict(),
        "confidence": _finite(confidence.mean()),
        "frechet": _finite(frechet_of_few(features, private_features, alike))
        if min(alike, len(private_features)) > 1 and len(features) >= alike
        else None,
        "nearest_private": _finite(nearest(images, private_images[:count]))
        if count
        else None,
        "nearest_public": _finite(nearest(images, public_images[:count]))
        if count
        else None,
        "diversity": _finite(diversity(images)) if enough else None,
    }


def over_runs(
    rates: np.ndarray, seeds: Sequence[int], most: float = 1.0, least: float = 0.0
) -> tuple[np.ndarray, str]:
    """Returns the mean of runs, e.g. hit rates, with an interval over what differs.

    Samples of one generator are alike, so those of several are never pooled into one
    binomial: with rates of 100, 5 and 0 % that would claim to know the mean within a
    few per cent. Of several seeds the interval is Student's t over the seeds, each the
    mean of its runs; of one seed, over its runs, such as those of several classes; of
    one run it is the run's own, over its samples.

    Args:
      rates: (N, 3) value, low and high of each of N runs.
      seeds: (N,) theirs.
      most: the largest value that can be.
      least: the smallest.

    Returns:
      (3,) value, low and high, and what the interval is over, e.g. '3 seeds'.
    """
    rates, seeds = np.asarray(rates, np.float64), np.asarray(seeds)
    if len(rates) == 1:
        return rates[0], "samples"
    different = np.unique(seeds)
    values, named = rates[:, 0], f"{len(rates)} runs"
    if len(different) > 1:
        values = [values[seeds == seed].mean() for seed in different]
        named = f"{len(different)} seeds"
    mean = student_t(values, most, least)
    return np.array([mean[end] for end in ("value", "low", "high")]), named


def summarise(rows: list[dict]) -> list[dict]:
    """Returns the mean over rows of each attack, e.g. over classes and seeds.

    Intervals are Student's t over the rows, at 95 %, cut to the values that a measure
    can have. They take the rows for independent and normal draws, which holds roughly
    at best: classes stand for others, and a bounded measure such as the hit rate piles
    up at its end. Equal rows give an interval without width, which is no certainty.

    Args:
      rows: as `reconstruction_row` returns them; absent numbers are left out.

    Returns:
      For each attack, in order of appearance, `attack`, `rows`, and for `hit_rate`,
      `frechet`, `nearest_private`, `nearest_public` and `diversity` a dict of `value`,
      `low`, `high` and `rows`, the number of rows that have the measure. The value is
      None if no row has it, its ends are None unless two have.
    """
    attacks = dict.fromkeys(row["attack"] for row in rows)
    return [_summary([row for row in rows if row["attack"] == a]) for a in attacks]


def _summary(rows: list[dict]) -> dict:
    summary = {"attack": rows[0]["attack"], "rows": len(rows)}
    for name, most in _MEASURES.items():
        values = [row[name] for row in rows]
        if name == "hit_rate":
            values = [rate["value"] for rate in values]
        summary[name] = student_t([v for v in values if v is not None], most)
    return summary


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
