"""Reference models as attacks see them: what they say of each record."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxprivacy import errors


class Pool(NamedTuple):
    """What S reference models say of N records.

    A record may be shown to a model in Q forms, of which its signals are the queries.
    """

    signal: np.ndarray  # (S, N) or (S, N, Q)
    held: np.ndarray  # (S, N) bool, whether the model was trained on the record

    def where(self, held: bool) -> Pool:
        """The same pool, its `held` true where a model says what is asked for."""
        return self if held else self._replace(held=~self.held)


class Moments(NamedTuple):
    """Of some of the models, record by record."""

    count: np.ndarray  # (N,) how many models
    mean: np.ndarray  # (N, Q)
    squares: np.ndarray  # (N, Q) sum of the squared deviations from the mean


def queries(signal: np.ndarray) -> np.ndarray:
    """Signals (..., N) or (..., N, Q) of one kind as float64, with an axis of queries.

    Args:
      signal: of a target (N,) or (N, Q), or of one reference model.
    """
    signal = np.asarray(signal, np.float64)
    return signal[:, None] if signal.ndim == 1 else signal


def moments(pool: Pool) -> Moments:
    """The moments of the signal over the models that hold each record.

    One model at a time, so that no more is in memory than one model's signals: Welford,
    "Note on a method for calculating corrected sums of squares and products",
    Technometrics 1962.
    """
    first = queries(pool.signal[0])
    count = np.zeros(len(first), int)
    mean, squares = np.zeros_like(first), np.zeros_like(first)
    for signal, held in zip(pool.signal, pool.held, strict=True):
        count += held
        change = np.where(held[:, None], queries(signal) - mean, 0.0)
        mean += change / np.maximum(count, 1)[:, None]
        squares += change * (queries(signal) - mean)
    return Moments(count, mean, squares)


def log_mean(pool: Pool) -> np.ndarray:
    """The logarithm of the mean of exp(signal) over the models that hold a record.

    Args:
      pool: its signal the logarithm of a probability.

    Returns:
      (N, Q)
    """
    total = np.full(queries(pool.signal[0]).shape, -np.inf)
    for signal, held in zip(pool.signal, pool.held, strict=True):
        total = np.logaddexp(total, np.where(held[:, None], queries(signal), -np.inf))
    return total - np.log(pool.held.sum(axis=0))[:, None]


def check(pool: Pool, least_in: int, least_out: int) -> None:
    """Checks that each record has enough models on either side.

    Raises:
      InputError: naming how many reference models there are and how many are needed.
    """
    held, models = np.asarray(pool.held), len(pool.held)
    for side, count, least in (
        ("was trained on", held.sum(axis=0), least_in),
        ("was not trained on", (~held).sum(axis=0), least_out),
    ):
        if count.min(initial=least) < least:
            short = int(np.argmin(count))
            raise errors.InputError(
                "references",
                models,
                found=f"{count[short]} of them {side} record {short}",
                accepted=f"are pools in which at least {least} {side} each record",
            )
