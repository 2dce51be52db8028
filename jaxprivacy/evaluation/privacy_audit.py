"""Lower bounds on epsilon from what an attack gets right.

A mechanism that is (epsilon, delta) differentially private leaves no attack more than
so many right answers. Whoever gets more of them right has refuted the claim, with the
confidence stated: these functions return the largest epsilon that is refuted, and 0
where none is. A bound says what was found, never that there is no more to be found.

Neighbouring data sets differ by one record added or removed, and a member is a record
that was in. All scores are higher for members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from jaxprivacy.evaluation import intervals, trade_offs

# Beyond it no bound is looked for: so much would take e^60 records to refute.
MOST = 60.0
CONFIDENCE = 0.95


class Guesses(NamedTuple):
    """How many canaries were guessed to be in or out, and how many rightly."""

    made: int
    right: int


def many_runs(
    true_positives: np.ndarray,
    members: int,
    false_positives: np.ndarray,
    non_members: int,
    *,
    delta: float,
    confidence: float = CONFIDENCE,
) -> np.ndarray:
    """Returns the epsilon that the error rates of an attack refute at a threshold.

    Every (epsilon, delta) mechanism keeps TPR <= e^epsilon FPR + delta and, of the
    answers "not a member", TNR <= e^epsilon FNR + delta. Both rates are bounded by
    Clopper-Pearson intervals, one-sided: a lower bound on the TPR is an upper one on
    the FNR, so two of them serve all four rates and share the error between them.

    The answers must be independent, as they are when each comes from a training of its
    own, and the threshold chosen without them. Many records of one trained model are
    not independent; for these see `one_run`.

    Args:
      true_positives: members said to be such, () or (N,) for N attacks.
      members: how many there are.
      false_positives: non-members said to be members, () or (N,).
      non_members: how many there are.
      delta: of the claim, in [0, 1).
      confidence: the probability at least that the bound holds, in (0, 1).

    Returns:
      () or (N,) lower bounds on epsilon, each valid by itself and at least 0.

    Source: Jagielski, Ullman and Oprea, "Auditing differentially private machine
    learning: how private is private SGD?", NeurIPS 2020; both directions in
    Nasr et al., "Adversary instantiation: lower bounds for differentially private
    machine learning", S&P 2021.
    """
    tpr, tnr = _rates(true_positives, members, false_positives, non_members, confidence)
    with np.errstate(divide="ignore"):
        ratios = [
            np.log(np.maximum(rate - delta, 0)) - np.log1p(-other)
            for rate, other in ((tpr, tnr), (tnr, tpr))
        ]
    return np.maximum(0, np.maximum(*ratios))


def many_runs_gaussian(
    true_positives: np.ndarray,
    members: int,
    false_positives: np.ndarray,
    non_members: int,
    *,
    confidence: float = CONFIDENCE,
) -> np.ndarray:
    """Returns the mu that the error rates of an attack refute at a threshold.

    It presumes that the mechanism's trade-off between the two errors is that of a
    Gaussian mechanism; `trade_offs.gaussian_epsilon` turns mu to epsilon. Otherwise as
    `many_runs`.

    Source: Nasr et al., "Tight auditing of differentially private machine learning",
    USENIX Security 2023.
    """
    tpr, tnr = _rates(true_positives, members, false_positives, non_members, confidence)
    return np.maximum(0, special.ndtri(tpr) + special.ndtri(tnr))


def many_runs_from_scores(
    rng: np.random.Generator,
    members: np.ndarray,
    non_members: np.ndarray,
    *,
    delta: float,
    confidence: float = CONFIDENCE,
) -> float:
    """Returns the epsilon that scores refute, half of them choosing the threshold.

    The threshold is the one at which the half that chooses it would refute most.

    Args:
      rng: randomness of the halves.
      members: (N,) scores, of at least 2 independent trainings.
      non_members: (M,) scores, likewise.
      delta: of the claim, in [0, 1).
      confidence: the probability at least that the bound holds, in (0, 1).
    """
    first, second = zip(
        *(np.array_split(rng.permutation(s), 2) for s in (members, non_members)),
        strict=True,
    )
    thresholds = np.unique(np.concatenate(first))
    bound = _at(first, thresholds, delta, confidence)
    return float(_at(second, thresholds[[np.argmax(bound)]], delta, confidence)[0])


def guesses(scores: np.ndarray, included: np.ndarray, made: int) -> Guesses:
    """Guesses the canaries of the highest scores to be in, of the lowest to be out.

    Half of the guesses each, one more in if they are odd. Of canaries that tie at an
    end of what is guessed, those on which the guess is wrong are taken first: so the
    order of the canaries tells nothing.

    Args:
      scores: (M,) of the canaries, higher means in.
      included: (M,) whether each was.
      made: number of guesses, from 1 to M, chosen without the scores.
    """
    included = np.asarray(included, bool)
    highest = np.lexsort((included, -scores))[: made - made // 2]
    lowest = np.lexsort((~included, scores))[: made // 2]
    return Guesses(made, int(included[highest].sum() + (~included[lowest]).sum()))


def one_run_p_value(
    canaries: int, made: int, right: int, epsilon: float, delta: float
) -> float:
    """Returns how likely so many right guesses are at most under (epsilon, delta).

    Without delta each guess is right as often as under randomised response at most,
    e^epsilon / (1 + e^epsilon), whatever the others are; delta adds a little.

    Args:
      canaries: m, each in with probability 1/2, independently.
      made: r, how many were guessed, from 0 to m.
      right: v, how many of these rightly, from 0 to r.
      epsilon: of the claim, at least 0.
      delta: of the claim, in [0, 1].

    Source: Steinke, Nasr and Jagielski, "Privacy auditing with one (1) training run",
    NeurIPS 2023, theorem 5.2.
    """
    binomial = stats.binom(made, special.expit(epsilon))
    tail = binomial.sf(right - 1)
    if right == 0:
        return 1.0
    # P[right > Binomial >= right - i] / i for i = 1 to right.
    below = np.arange(1, right + 1)
    falling = np.cumsum(binomial.pmf(right - below)) / below
    return float(min(1, tail + 2 * canaries * delta * falling.max()))


def one_run(
    canaries: int,
    made: int,
    right: int,
    *,
    delta: float,
    confidence: float = CONFIDENCE,
) -> float:
    """Returns the epsilon that the guesses of canaries of one training refute.

    The largest epsilon of which `one_run_p_value` is at most 1 - confidence; the
    arguments and the source are its own.
    """
    _check(canaries, made, right)

    def excess(epsilon):
        error = 1 - confidence
        return one_run_p_value(canaries, made, right, epsilon, delta) - error

    return _largest(excess)


def one_run_refutes(
    canaries: int,
    made: int,
    right: int,
    trade_off: trade_offs.TradeOff,
    *,
    confidence: float = CONFIDENCE,
) -> bool:
    """Whether the guesses of canaries of one training refute a whole trade-off.

    Args:
      canaries: m, each in with probability 1/2, independently.
      made: how many were guessed, from 0 to m.
      right: how many of these rightly, from 0 to `made`.
      trade_off: claimed, symmetric.
      confidence: 1 less the probability, at most, that a true claim is refuted.

    Source: Mahloujifar, Melis and Chaudhuri, "Auditing f-differential privacy in one
    run", ICML 2025, algorithm 3, for two choices a canary.
    """
    _check(canaries, made, right)
    error = 1 - confidence
    return _excess_mass(canaries, made, right, error, trade_off) > 0


def one_run_gaussian(
    canaries: int, made: int, right: int, *, confidence: float = CONFIDENCE
) -> float:
    """Returns the mu that the guesses of canaries of one training refute.

    It presumes that the mechanism's trade-off between the two errors is that of a
    Gaussian mechanism; `trade_offs.gaussian_epsilon` turns mu to epsilon. Tighter than
    `one_run`, most of all when few guesses are made or delta is small. The arguments
    and the source are those of `one_run_refutes`.
    """
    _check(canaries, made, right)
    error = 1 - confidence

    def excess(mu):
        trade_off = trade_offs.gaussian(mu)
        return -_excess_mass(canaries, made, right, error, trade_off)

    return _largest(excess)


def one_run_from_scores(
    scores: np.ndarray,
    included: np.ndarray,
    bound: Callable[[int, int, int, float], float],
    shares: Sequence[float] = (0.05, 0.2, 0.5),
    confidence: float = CONFIDENCE,
) -> tuple[float, Guesses]:
    """Returns the best bound over several numbers of guesses, and those guesses.

    How many guesses refute most is not known before; the error is split between the
    numbers that are tried, so that the best may be taken.

    Args:
      scores: (M,) of the canaries, higher means in.
      included: (M,) whether each was.
      bound: (canaries, made, right, confidence) -> lower bound.
      shares: of the canaries that are guessed, in (0, 1], chosen without the scores.
      confidence: the probability at least that the best bound holds, in (0, 1).
    """
    m, each = len(scores), 1 - (1 - confidence) / len(shares)
    tried = [guesses(scores, included, max(1, round(share * m))) for share in shares]
    found = [bound(m, *guessed, each) for guessed in tried]
    best = int(np.argmax(found))
    return found[best], tried[best]


def _rates(true_positives, members, false_positives, non_members, confidence):
    """Lower bounds on the TPR and the TNR, which both hold with the confidence."""
    tail = (1 - confidence) / 2
    tpr = intervals.clopper_pearson_tail(np.asarray(true_positives), members, tail)
    negatives = non_members - np.asarray(false_positives)
    return tpr, intervals.clopper_pearson_tail(negatives, non_members, tail)


def _at(scores, thresholds, delta, confidence):
    """The bounds of members and non-members that reach each threshold."""
    reached = [len(s) - np.searchsorted(np.sort(s), thresholds) for s in scores]
    members, non_members = map(len, scores)
    return many_runs(
        reached[0],
        members,
        reached[1],
        non_members,
        delta=delta,
        confidence=confidence,
    )


def _excess_mass(canaries, made, right, probability, trade_off):
    """How much more than all the probability a mechanism would need, times made / m.

    With C the number of right guesses, r_i = E[C; C >= i] / m and
    h_i = E[made - C; C >= i] / m. Turning one canary's inclusion makes a right guess
    wrong and leaves the others, so f-differential privacy bounds r_(i + 1) by
    1 - f(h_i). From "C >= right has at least this probability" downwards, each h_i
    must be so large at least, and with it the probability that C = i. If in the end
    r_0 + h_0 is more than the made / m that it is, the beginning was impossible. As f
    is symmetric, r <= 1 - f(h) is h >= f(1 - r).
    """
    r, h = (probability * share / canaries for share in (right, made - right))
    for i in range(right - 1, -1, -1):
        least = max(h, trade_off(1 - min(r, 1.0)))
        r, h = r + i / (made - i) * (least - h), least
    return r + h - made / canaries


def _check(canaries, made, right):
    if not 0 <= right <= made <= canaries:
        raise ValueError(
            f"canaries={canaries}, made={made}, right={right}: accepted are "
            "0 <= right <= made <= canaries"
        )


def _largest(excess):
    """The largest value at which the excess is not above 0, which it increases to."""
    if excess(0.0) > 0:
        return 0.0
    if excess(MOST) <= 0:
        return MOST
    return optimize.brentq(excess, 0.0, MOST, xtol=1e-9)
