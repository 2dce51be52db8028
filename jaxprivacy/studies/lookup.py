"""A positive control of attacks with references: models that know records by heart.

A model here is a table with one row of logits for each record. Training adds a number
to the entry of a record's own class, and every entry of that kind has noise: so it is
known how much there is to find, and an attack that misses it is at fault.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special, stats

from jaxprivacy.studies import reference_signals, references

MEMORY = 3.0  # what a model adds to a record's logit, in standard deviations of noise


class Lookup(NamedTuple):
    """What S tables say of N records, which some of them hold, and of Z others."""

    said: references.Said  # (S, N + Z)
    inside: reference_signals.Inside  # (S, N + Z, ...)
    planted: float  # the AUC of who ranks a model's records by their loss


def models(
    held: np.ndarray, labels: np.ndarray, classes: int, rng: np.random.Generator
) -> Lookup:
    """Draws S such tables.

    The logit of a record's own class is standard normal, with `MEMORY` more where the
    record is held, and the others are 0: the loss ranks as that logit does, and nobody
    can know more of a record than it.

    Args:
      held: (S, N) bool.
      labels: (N + Z,) classes, the others last.
      classes: K.
      rng: randomness of the noise, and of the directions of the projection.
    """
    models, total = len(held), len(labels)
    holds = np.pad(held, [(0, 0), (0, total - held.shape[1])])
    own = rng.standard_normal((models, total)) + MEMORY * holds
    logits = np.zeros((total, classes))
    said = []
    for row in own:
        logits[np.arange(total), labels] = row
        said.append(references.said(logits, labels))
    inside = _inside(own, classes, rng)
    auc = float(stats.norm.cdf(MEMORY / np.sqrt(2)))
    return Lookup(references.Said(*map(np.stack, zip(*said, strict=True))), inside, auc)


def _inside(own, classes, rng):
    """Numbers of the gradients by the tables' entries, from the own logits (S, N)."""
    # p - 1 in the own class, the rest of the probability alike in the others.
    short = special.expit(np.log(classes - 1) - own)
    norm = -np.log(short * np.sqrt(1 + 1 / (classes - 1)))
    along = rng.standard_normal((own.shape[1], reference_signals.PROJECTIONS))
    return reference_signals.Inside(
        norm, norm[..., None], short[..., None] * along, -short * own
    )
