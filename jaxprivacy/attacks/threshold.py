"""The simplest attack: a record with a small loss is a member."""

from __future__ import annotations

from jaxprivacy.attacks.features import Features


def loss_threshold(features: Features):
    """Scores records by minus their loss at the last snapshot: (N,).

    Yeom et al. 2018, "Privacy risk in machine learning", section 3: membership is
    predicted where the loss is below a threshold; the evaluation sets the threshold on
    the selection records.
    """
    return -features.loss[-1, :, 0]
