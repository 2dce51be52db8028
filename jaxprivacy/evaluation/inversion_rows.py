"""Rows of result.json on records that were reconstructed from updates."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jaxprivacy.evaluation import images, intervals

BASELINES = ("public_image", "mean_image")


class Measured(NamedTuple):
    """M batches of B reconstructions, each beside its record; None: does not apply."""

    psnr: np.ndarray  # (M, B)
    ssim: np.ndarray | None  # (M, B) of images
    right_bits: np.ndarray | None  # (M, B) of binary tables
    right_labels: np.ndarray | None  # (M,) share of each batch's labels


def measure(
    found: np.ndarray,
    records: np.ndarray,
    low: float,
    high: float,
    labels: tuple[np.ndarray, np.ndarray] | None = None,
) -> tuple[Measured, np.ndarray]:
    """Matches the reconstructions of M batches to their records and measures them.

    Args:
      found: (M, B, *D).
      records: (M, B, *D); tables of zeros and ones have right bits too.
      low: smallest value that a record can have.
      high: largest.
      labels: (M, B) those found and (M, B) those of the records.

    Returns:
      The measures, and the reconstructions in the order of the records.
    """
    matched = [x[images.match(x, y)] for x, y in zip(found, records, strict=True)]
    flat = [np.reshape(x, (-1, *records.shape[2:])) for x in (matched, records)]
    shape = records.shape[:2]
    is_image = records.ndim == 5
    binary = not is_image and set(np.unique(records)) <= {0, 1}
    shares = None
    if labels is not None:
        shares = np.array(
            [images.right_labels(*pair) for pair in zip(*labels, strict=True)]
        )
    measured = Measured(
        images.psnr(*flat, high - low).reshape(shape),
        images.ssim(*flat, low, high).reshape(shape) if is_image else None,
        images.right_bits(*flat).reshape(shape) if binary else None,
        shares,
    )
    return measured, np.stack(matched)


def row(
    measured: Measured,
    baselines: dict[str, Measured],
    rows: int = 1,
    **case: Any,
) -> dict[str, Any]:
    """Returns one row: means with 95 % intervals, and the gain over guessing.

    Records of a batch are found or lost together, so intervals are over batches; of one
    batch they are over its records, and of one record there is none.

    Args:
      measured: the attack's measures.
      baselines: by name, those of what needs no update, on the same records.
      rows: of the study: the intervals of the gains hold for all of them together.
      **case: the first entries of the row: attack, batch_size, local_steps.

    Returns:
      The row. `found` is the share of records with a PSNR of at least 20 dB; `gain` is
      the PSNR above the baseline with the highest, in decibels, None for a baseline.
    """
    batches, size = measured.psnr.shape
    made = {
        **case,
        "records": batches * size,
        "batches": batches,
        "over": "batches" if batches > 1 else "records",
        "found": _share(measured.psnr >= images.FOUND_PSNR),
        "psnr": intervals.student_t(_units(measured.psnr), images.MOST_PSNR, -np.inf),
        "ssim": _mean(measured.ssim, -1.0),
        "right_bits": _mean(measured.right_bits),
        "right_labels": _share(measured.right_labels, size),
        "gain": None,
    }
    if baselines:
        name = max(baselines, key=lambda name: baselines[name].psnr.mean())
        gains = _units(measured.psnr - baselines[name].psnr)
        gain = intervals.student_t(gains, np.inf, -np.inf, confidence=1 - 0.05 / rows)
        made["gain"] = {"over": name, **gain}
    return made


def _mean(values: np.ndarray | None, least: float = 0.0) -> dict[str, Any] | None:
    return None if values is None else intervals.student_t(_units(values), 1.0, least)


def _share(shares: np.ndarray | None, size: int | None = None) -> dict | None:
    """Of single records each is found or not, and all may be: an exact interval."""
    if shares is None or (size or shares.shape[1]) > 1:
        return _mean(shares)
    exact = intervals.clopper_pearson(shares.sum(), len(shares))._asdict()
    return {**exact, "rows": len(shares)}


def _units(values: np.ndarray) -> np.ndarray:
    """What an interval is over: the means of batches, or the records of one."""
    if values.ndim == 1 or len(values) == 1:
        return values.ravel()
    return values.mean(axis=1)
