"""Bounds on epsilon: by hand, by naive oracles, over mechanisms of known epsilon."""

import functools

import numpy as np
import pytest
from scipy import optimize, special, stats

from jaxprivacy.evaluation import privacy_audit, trade_offs

RUNS, CONFIDENCE, DELTA = 400, 0.9, 1e-5
# More failures than this in `RUNS` at an error of 10 % have a probability of 0.1 %.
MOST_FAILURES = stats.binom(RUNS, 1 - CONFIDENCE).isf(1e-3)
M = 1000  # canaries


@functools.cache
def bound(kind, m, made, right, confidence):
    if kind == "epsilon":
        return privacy_audit.one_run(m, made, right, delta=DELTA, confidence=confidence)
    return privacy_audit.one_run_gaussian(m, made, right, confidence=confidence)


def canaries(mu, seed, m=M):
    """Scores of a Gaussian mechanism that releases each canary apart, N(mu b, 1)."""
    rng = np.random.default_rng(seed)
    included = rng.random(m) < 0.5
    return rng.normal(size=m) + mu * included, included


def bounds_of_runs(kind, mu):
    """The bounds on epsilon, or on mu, of `RUNS` simulated mechanisms."""
    return np.array(
        [
            privacy_audit.one_run_from_scores(
                *canaries(mu, seed),
                functools.partial(bound, kind),
                confidence=CONFIDENCE,
            )[0]
            for seed in range(RUNS)
        ]
    )


def test_many_runs_by_hand():
    """Of 10 members all are found, of 10 others none: both rates are 0.025^(1/10)."""
    rate = 0.025**0.1
    found = privacy_audit.many_runs(10, 10, 0, 10, delta=0.01)
    assert found == pytest.approx(np.log((rate - 0.01) / (1 - rate)))
    # Half and half tells nothing, and worse than that no more.
    assert privacy_audit.many_runs(5, 10, 5, 10, delta=0) == 0
    assert privacy_audit.many_runs(0, 10, 10, 10, delta=0) == 0
    assert privacy_audit.many_runs(10, 10, 0, 10, delta=0.99) == 0


def test_many_runs_hold_in_both_directions():
    """An attack that is sure of non-members only: the second ratio is the larger."""
    tpr = 0.025**0.01  # A lower bound from 100 of 100.
    tnr = stats.beta.ppf(0.025, 30, 71)  # From 30 of 100.
    found = privacy_audit.many_runs(100, 100, 70, 100, delta=0)
    assert found == pytest.approx(np.log(tnr / (1 - tpr)))
    swapped = privacy_audit.many_runs(30, 100, 0, 100, delta=0)
    assert swapped == pytest.approx(found)


def test_many_runs_gaussian_by_hand():
    rate = 0.025**0.1
    found = privacy_audit.many_runs_gaussian(10, 10, 0, 10)
    assert found == pytest.approx(2 * stats.norm.ppf(rate))
    assert privacy_audit.many_runs_gaussian(5, 10, 5, 10) == 0


def test_one_run_by_hand():
    # Two fair coins: both right 1/4; one right 1/2, of width 1, is the steepest.
    p_value = privacy_audit.one_run_p_value
    assert p_value(2, 2, 2, 0, 0.01) == pytest.approx(0.25 + 2 * 2 * 0.01 * 0.5)
    assert p_value(2, 2, 1, 0, 0.01) == pytest.approx(0.75 + 2 * 2 * 0.01 * 0.25)
    assert p_value(5, 2, 0, 0, 0) == 1 == p_value(5, 2, 1, 0, 0.5)
    # Ten of ten right at 5 %: q^10 = 0.05.
    q = 0.05**0.1
    found = privacy_audit.one_run(10, 10, 10, delta=0)
    assert found == pytest.approx(np.log(q / (1 - q)))
    assert privacy_audit.one_run(10, 10, 5, delta=0) == 0
    assert privacy_audit.one_run(10, 0, 0, delta=0) == 0


def p_value_by_loops(m, r, v, epsilon, delta):
    """The theorem, term by term."""
    q = np.exp(epsilon) / (1 + np.exp(epsilon))
    mass = [special.comb(r, k) * q**k * (1 - q) ** (r - k) for k in range(r + 1)]
    steepest = max((sum(mass[v - i : v]) / i for i in range(1, v + 1)), default=0)
    return min(1, sum(mass[v:]) + 2 * m * delta * steepest)


@pytest.mark.parametrize("m, r", [(1, 1), (12, 9), (40, 40)])
def test_one_run_p_value_equals_a_naive_loop_and_rises_with_epsilon(m, r):
    for v in range(r + 1):
        for delta in (0, 1e-3):
            grid = np.linspace(0, 6, 25)
            found = [privacy_audit.one_run_p_value(m, r, v, e, delta) for e in grid]
            twin = [p_value_by_loops(m, r, v, e, delta) for e in grid]
            np.testing.assert_allclose(found, twin, rtol=1e-9)
            # While it is an error that anyone would accept.
            small = np.array(found) < 0.5
            assert (np.diff(found)[small[1:]] >= -1e-12).all()


def largest_tail(m, made, right, mu):
    """The most that P[C >= right] can be under f-DP, by a linear program.

    Its unknowns are the probabilities of 0 to `made` right guesses; r_(i + 1) is at
    most the concave 1 - f at h_i, given by many of its tangents.
    """
    number = np.arange(made + 1)
    points = special.ndtr(np.linspace(-8, 8, 1500))
    height = special.ndtr(special.ndtri(points) + mu)
    slope = np.exp(-mu * special.ndtri(points) - mu**2 / 2)
    rows, most = [], []
    for i in range(made):
        r = np.where(number > i, number, 0) / m
        h = np.where(number >= i, made - number, 0) / m
        rows.append(r - slope[:, None] * h)
        most.append(height - slope * points)
    found = optimize.linprog(
        -(number >= right).astype(float),
        A_ub=np.concatenate(rows),
        b_ub=np.concatenate(most),
        A_eq=np.ones((1, made + 1)),
        b_eq=[1],
    )
    assert found.status == 0
    return -found.fun


@pytest.mark.parametrize(
    "m, made, right, mu", [(8, 8, 7, 0.5), (10, 6, 6, 1.0), (9, 5, 3, 0.0)]
)
def test_one_run_gaussian_equals_a_linear_program(m, made, right, mu):
    """At the error that the program allows, the largest mu refuted is that mu."""
    tail = largest_tail(m, made, right, mu)
    assert 0 < tail < 1
    for error, refuted in ((tail * 1.02, True), (tail * 0.98, False)):
        found = privacy_audit.one_run_gaussian(m, made, right, confidence=1 - error)
        assert (found > mu) == refuted


def test_one_run_gaussian_by_hand():
    """One canary, one guess, right: P[right] is at most Phi(mu / 2), as f is sharp."""
    error = 0.6
    found = privacy_audit.one_run_gaussian(1, 1, 1, confidence=1 - error)
    assert found == pytest.approx(2 * stats.norm.ppf(error), abs=1e-6)
    assert privacy_audit.one_run_gaussian(1, 1, 0) == 0


def test_a_trade_off_is_refuted_where_its_mu_is():
    """That of a Gaussian's curve of epsilons and deltas too, a little later."""
    guessed = privacy_audit.guesses(*canaries(2.0, 0), M // 5)
    found = privacy_audit.one_run_gaussian(M, *guessed)
    epsilons = np.linspace(0, 12, 200)

    def curve(mu):
        deltas = [trade_offs.gaussian_delta(mu, e) for e in epsilons]
        return trade_offs.of_curve(epsilons, np.array(deltas))

    for mu, refuted in ((found - 0.03, True), (found + 0.01, False)):
        for trade_off in (trade_offs.gaussian(mu), curve(mu)):
            assert privacy_audit.one_run_refutes(M, *guessed, trade_off) == refuted


def test_trade_off_of_a_curve():
    """Of one (epsilon, delta) it is that of randomised response that fails openly."""
    trade_off = trade_offs.of_curve(np.log([3.0]), np.array([0.1]))
    found = [trade_off(alpha) for alpha in (0, 0.1, 0.225, 0.3, 0.9, 1)]
    np.testing.assert_allclose(found, [0.9, 0.6, 0.225, 0.2, 0, 0], atol=1e-12)
    epsilons = np.linspace(0, 12, 400)
    deltas = np.array([trade_offs.gaussian_delta(1.5, e) for e in epsilons])
    for alpha in (1e-4, 0.01, 0.2, 0.7):
        exact = trade_offs.gaussian(1.5)(alpha)
        lower = trade_offs.of_curve(epsilons, deltas)(alpha)
        assert exact - 1e-3 <= lower <= exact + 1e-12


def test_wrong_counts_are_refused():
    for counts in ((5, 6, 2), (5, 4, 5), (5, 4, -1)):
        with pytest.raises(ValueError, match="accepted are"):
            privacy_audit.one_run(*counts, delta=0)
        with pytest.raises(ValueError, match="accepted are"):
            privacy_audit.one_run_gaussian(*counts)


def test_guesses_by_hand_and_without_the_order_of_ties():
    scores = np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    included = np.array([True, False, True, False, True, False])
    assert privacy_audit.guesses(scores, included, 3) == (3, 2)
    assert privacy_audit.guesses(scores, included, 6) == (6, 4)
    # All alike: members are listed first, and still no guess is right.
    tied = np.zeros(10)
    assert privacy_audit.guesses(tied, np.arange(10) < 5, 10).right == 0
    order = np.random.default_rng(0).permutation(6)
    mixed = privacy_audit.guesses(scores[order], included[order], 3)
    assert mixed == (3, 2)


def test_epsilon_of_a_gaussian_mechanism():
    """Against the integral of the theorem's definition, on a grid."""
    outcome = np.linspace(-15, 16, 200001)
    for mu, epsilon in ((1.0, 1.0), (0.5, 0.3), (2.0, 5.0)):
        gap = stats.norm.pdf(outcome - mu) - np.exp(epsilon) * stats.norm.pdf(outcome)
        delta = np.trapezoid(np.maximum(gap, 0), outcome)
        assert trade_offs.gaussian_delta(mu, epsilon) == pytest.approx(delta)
        found = trade_offs.gaussian_epsilon(mu, delta)
        assert found == pytest.approx(epsilon, rel=1e-5)
    assert trade_offs.gaussian_epsilon(0, DELTA) == 0
    assert trade_offs.gaussian_epsilon(1e-7, DELTA) == 0
    assert np.isfinite(trade_offs.gaussian_epsilon(40, DELTA))


@pytest.mark.parametrize("kind", ["epsilon", "mu"])
def test_one_run_refutes_nothing_on_null_scores(kind):
    assert (bounds_of_runs(kind, 0.0) > 0).sum() <= MOST_FAILURES


@pytest.mark.parametrize("mu", [0.5, 2.0])
def test_one_run_exceeds_the_truth_no_more_often_than_it_says(mu):
    epsilon = trade_offs.gaussian_epsilon(mu, DELTA)
    assert (bounds_of_runs("epsilon", mu) > epsilon).sum() <= MOST_FAILURES
    assert (bounds_of_runs("mu", mu) > mu).sum() <= MOST_FAILURES


def many_runs_of(mu, seed, size=1000, delta=0.01):
    rng = np.random.default_rng(seed)
    return privacy_audit.many_runs_from_scores(
        rng,
        rng.normal(mu, size=size),
        rng.normal(size=size),
        delta=delta,
        confidence=CONFIDENCE,
    )


@pytest.mark.parametrize("mu", [0.0, 1.0])
def test_many_runs_exceed_the_truth_no_more_often_than_they_say(mu):
    epsilon = trade_offs.gaussian_epsilon(mu, 0.01)
    found = np.array([many_runs_of(mu, seed) for seed in range(RUNS)])
    assert (found > epsilon).sum() <= MOST_FAILURES


@pytest.mark.parametrize("mu", [0.0, 1.0])
def test_rates_of_many_runs_exceed_no_mu_more_often_than_they_say(mu):
    rng, size, most = np.random.default_rng(0), 100, stats.binom(4000, 0.1).isf(1e-3)
    right = rng.binomial(size, stats.norm.sf(1 - mu), 4000)
    wrong = rng.binomial(size, stats.norm.sf(1), 4000)
    found = privacy_audit.many_runs_gaussian(
        right, size, wrong, size, confidence=CONFIDENCE
    )
    assert (found > mu).sum() <= most


def test_many_canaries_come_close():
    """How close is how much of the truth is refuted at least, of 10,000 canaries.

    Randomised response is what the bound on epsilon is made of: nothing is lost but by
    chance. Of a Gaussian mechanism in one training much is: the bound must allow that
    all canaries are given away together, seldom. In many trainings they are not.
    """
    rng, m = np.random.default_rng(0), 10_000
    right = (rng.random(m) < special.expit(1.0)).sum()
    assert 0.93 < privacy_audit.one_run(m, m, right, delta=0) <= 1
    assert 0.93 < privacy_audit.one_run(m, m, right, delta=1e-7) <= 1
    guessed = privacy_audit.guesses(*canaries(1.0, 0, m), m // 20)
    assert 0.6 < privacy_audit.one_run_gaussian(m, *guessed) < 1
    epsilon = privacy_audit.one_run(m, *guessed, delta=DELTA)
    assert 0.4 < epsilon / trade_offs.gaussian_epsilon(1, DELTA) < 1
    above = (rng.normal(1, size=m) > 0.5).sum(), (rng.normal(size=m) > 0.5).sum()
    assert 0.93 < privacy_audit.many_runs_gaussian(above[0], m, above[1], m) <= 1
    found = many_runs_of(1.0, 0, size=m, delta=0.1)
    assert 0.8 < found / trade_offs.gaussian_epsilon(1, 0.1) <= 1


def test_halved_noise_is_caught():
    """The claim is mu = 1; with half the noise mu is 2, and both bounds refute it."""
    claimed = trade_offs.gaussian_epsilon(1.0, DELTA)
    for seed in range(20):
        guessed = privacy_audit.guesses(*canaries(2.0, seed), M // 5)
        mu = privacy_audit.one_run_gaussian(M, *guessed)
        assert trade_offs.gaussian_epsilon(mu, DELTA) > claimed
        honest = privacy_audit.guesses(*canaries(1.0, seed), M // 5)
        assert privacy_audit.one_run_gaussian(M, *honest) < 1
    # Laplace noise of scale 1 is epsilon = 1; of scale 1/2 it is 2.
    rng = np.random.default_rng(0)
    included = rng.random(M) < 0.5
    for scale, caught in ((0.5, True), (1.0, False)):
        scores = included + rng.laplace(scale=scale, size=M)
        guessed = privacy_audit.guesses(scores, included, M // 2)
        assert (privacy_audit.one_run(M, *guessed, delta=0) > 1) == caught
