"""What a model's output says of a record's membership, without reference models."""

from __future__ import annotations

import numpy as np
from scipy import special


def log_probabilities(outputs: np.ndarray) -> np.ndarray:
    """The logarithms of the class probabilities, in float64: (..., K), K at least 2.

    Args:
      outputs: (..., K) logits; K = 1 is the logit of class 1 against class 0.
    """
    outputs = np.asarray(outputs, np.float64)
    if outputs.shape[-1] == 1:
        outputs = np.concatenate([np.zeros_like(outputs), outputs], axis=-1)
    return special.log_softmax(outputs, axis=-1)


def log_probability(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The logarithm of the probability of each record's own class: (..., N).

    Args:
      outputs: (..., N, K) logits.
      labels: (N,) integers.
    """
    return _own(log_probabilities(outputs), labels)


def scaled_logit(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The log-odds of each record's own class, log p - log(1 - p): (..., N).

    Carlini et al., "Membership Inference Attacks From First Principles", S&P 2022,
    section IV-C: over models that were trained alike, it is nearly normal. The sum of
    the other classes' probabilities is taken in the logarithm, so that a p within
    1e-300 of 1 has all its digits.

    Args:
      outputs: (..., N, K) logits.
      labels: (N,) integers.
    """
    log_p = log_probabilities(outputs)
    return _own(log_p, labels) - _log_others(log_p, _is(labels, log_p))


def entropy(outputs: np.ndarray) -> np.ndarray:
    """Scores records by minus the entropy of their class probabilities: (..., N).

    Salem et al., "ML-Leaks", NDSS 2019, section V: a model is surer of what it was
    trained on, right or wrong.
    """
    log_p = log_probabilities(outputs)
    return np.sum(np.exp(log_p) * log_p, axis=-1)


def modified_entropy(outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Scores records by minus their modified entropy, which knows the label: (..., N).

    Song and Mittal, "Systematic Evaluation of Privacy Risks of Machine Learning
    Models", USENIX Security 2021, section 3.2.2: -(1 - p_y) log p_y - sum over the
    other classes of p log(1 - p). It is 0 where the model is sure and right, and
    infinite where it is sure and wrong.
    """
    log_p = log_probabilities(outputs)
    log_rest = _log_complement(log_p)
    terms = np.where(
        _is(labels, log_p), np.exp(log_rest) * log_p, np.exp(log_p) * log_rest
    )
    return terms.sum(axis=-1)


def _own(values, labels):
    return np.take_along_axis(
        values,
        np.broadcast_to(np.asarray(labels)[:, None], (*values.shape[:-1], 1)),
        axis=-1,
    )[..., 0]


def _is(labels, log_p):
    """Where a class is the one that is given: (N,) -> (N, K) bool."""
    return np.arange(log_p.shape[-1]) == np.asarray(labels)[..., None]


def _log_others(log_p, one):
    """The logarithm of the sum of all classes but one: (...,)."""
    return special.logsumexp(np.where(one, -np.inf, log_p), axis=-1)


def _log_complement(log_p):
    """log(1 - p) of each class; the likeliest may be so near 1 as to need a sum."""
    top = _is(log_p.argmax(axis=-1), log_p)
    with np.errstate(divide="ignore"):  # Of the likeliest, which is replaced.
        plain = np.log1p(-np.exp(log_p))
    return np.where(top, _log_others(log_p, top)[..., None], plain)
