"""LiRA, its shrunk variance, RMIA: hand-computed tables and plain loops beside them."""

import math

import numpy as np
import pytest
import threadpoolctl
from scipy import special, stats

from jaxprivacy import errors
from jaxprivacy.attacks import membership
from jaxprivacy.attacks.membership import conjugate, lira, pool
from jaxprivacy.evaluation.membership import auc


def simulated(seed=0, models=16, records=300, queries=None, leak=1.0):
    """Signals whose mean and spread differ from record to record; half are members."""
    rng = np.random.default_rng(seed)
    shape = (records,) if queries is None else (records, queries)
    mean, spread = rng.normal(0, 3, shape), rng.gamma(4, 0.25, shape)
    held = np.stack([rng.permutation(models) for _ in range(records)], 1) < models // 2
    member = rng.random(records) < 0.5

    def signals(inside):
        inside = inside if queries is None else inside[..., None]
        return mean + spread * (rng.standard_normal(mean.shape) + leak * inside)

    return (
        signals(member),
        membership.Pool(np.stack([signals(h) for h in held]), held),
        member,
    )


def test_moments_are_those_of_a_loop_over_records():
    _, given, _ = simulated(queries=2)
    found = pool.moments(given)
    for i in (0, 7, 299):
        rows = given.signal[given.held[:, i], i]
        assert found.count[i] == len(rows)
        np.testing.assert_allclose(found.mean[i], rows.mean(0), rtol=1e-12)
        np.testing.assert_allclose(found.squares[i], rows.var(0) * len(rows), rtol=1e-9)


def loop_lira(target, given, shared):
    """Algorithm 1, one record after the other."""
    sides = []
    for held in (True, False):
        rows = [given.signal[given.held[:, i] == held, i] for i in range(len(target))]
        means = [r.mean() for r in rows]
        stds = [r.std() for r in rows]
        if shared:
            total = sum(((r - r.mean()) ** 2).sum() for r in rows)
            stds = [math.sqrt(total / sum(len(r) - 1 for r in rows))] * len(rows)
        sides.append((means, stds))
    (m1, s1), (m0, s0) = sides
    return [
        stats.norm.logpdf(t, m1[i], s1[i]) - stats.norm.logpdf(t, m0[i], s0[i])
        for i, t in enumerate(target)
    ]


@pytest.mark.parametrize("variance", lira.VARIANCES)
def test_lira_is_the_loop_of_its_algorithm(variance):
    target, given, _ = simulated(records=40)
    found = membership.lira_online(target, given, variance)
    np.testing.assert_allclose(found, loop_lira(target, given, variance == "shared"))


def test_lira_by_hand():
    # In: 3 and 5 (mean 4, variance 1); out: -1 and 1 (mean 0, variance 1).
    held = np.array([[1], [1], [0], [0]], bool)
    given = membership.Pool(np.array([[3.0], [5.0], [-1.0], [1.0]]), held)
    # log N(2; 4, 1) - log N(2; 0, 1) = 0; at 3: -1/2 + 9/2 = 4.
    for value, ratio in ((2.0, 0.0), (3.0, 4.0), (0.0, -8.0)):
        [found] = membership.lira_online(np.array([value]), given, "per_example")
        assert found == pytest.approx(ratio)
    tail = membership.lira_offline(np.array([0.0]), given, "per_example")
    assert tail == pytest.approx(math.log(0.5))
    density = membership.lira_offline(
        np.array([2.0]), given, "per_example", formula="density"
    )
    assert density == pytest.approx(2 + math.log(math.sqrt(2 * math.pi)))
    # The tail takes a low signal for a non-member's, the density for a member's.
    low, mid = np.array([-3.0]), np.array([0.0])
    for formula, sign in (("tail", -1), ("density", 1)):
        a, b = (
            membership.lira_offline(v, given, "per_example", formula)
            for v in (low, mid)
        )
        assert np.sign(a - b) == sign


def test_several_queries_say_more_than_one():
    target, given, member = simulated(queries=4, models=32)
    first = membership.Pool(given.signal[..., 0], given.held)
    scores = (
        membership.lira_online(target[:, 0], first),
        membership.lira_online(target, given),
    )
    one, four = (auc(s[member], s[~member]).value for s in scores)
    assert four > one + 0.05


def test_the_order_of_models_and_of_records_changes_no_score():
    target, given, _ = simulated()
    rng = np.random.default_rng(1)
    models, records = rng.permutation(16), rng.permutation(300)
    other = membership.Pool(
        given.signal[models][:, records], given.held[models][:, records]
    )
    for attack in (
        membership.lira_online,
        membership.lira_offline,
        membership.bavaria_online,
        membership.bavaria_offline,
        membership.rmia_online,
        membership.rmia_offline,
    ):
        np.testing.assert_allclose(
            attack(target[records], other), attack(target, given)[records], rtol=1e-8
        )


@pytest.mark.parametrize(("freedom", "scale"), [(4.0, 2.0), (20.0, 0.5)])
def test_the_prior_is_found_again(freedom, scale):
    rng = np.random.default_rng(2)
    variance = freedom * scale / rng.chisquare(freedom, 20_000)
    squares = variance * rng.chisquare(5, 20_000)
    found = conjugate.fit(squares, np.full(20_000, 5))
    assert found.freedom == pytest.approx(freedom, rel=0.1)
    assert found.scale == pytest.approx(scale, rel=0.05)


def test_records_of_one_variance_have_a_prior_without_spread():
    rng = np.random.default_rng(3)
    found = conjugate.fit(3 * rng.chisquare(5, 20_000), np.full(20_000, 5))
    assert found.freedom > 100
    assert found.scale == pytest.approx(3, rel=0.02)


def test_a_shrunk_variance_wins_with_few_models():
    found = {"shared": [], "per_example": [], "t": [], "n": []}
    for seed in range(5):
        target, given, member = simulated(seed, models=8, records=2000, leak=2.0)
        for name in ("shared", "per_example"):
            scores = membership.lira_online(target, given, name)
            found[name].append(auc(scores[member], scores[~member]).value)
        for name in ("t", "n"):
            scores = membership.bavaria_online(target, given, name)
            found[name].append(auc(scores[member], scores[~member]).value)
    mean = {name: np.mean(values) for name, values in found.items()}
    assert mean["t"] > mean["per_example"] + 0.02
    assert mean["t"] > mean["shared"]
    assert mean["n"] > mean["per_example"]


def test_student_t_by_hand():
    # Two models a side and a prior so strong that its scale is the variance.
    held = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], bool)
    signal = np.array([[3.0, 0], [5, 2], [0, 3], [2, 5]])
    [a, b] = membership.bavaria_online(
        np.array([4.0, 1.0]), membership.Pool(signal, held)
    )
    assert a == pytest.approx(-b)
    assert a > 0


def loop_rmia(target, given, offline=None):
    scores = []
    for i, t in enumerate(target):
        p_in = np.exp(given.signal[given.held[:, i], i]).mean()
        p_out = np.exp(given.signal[~given.held[:, i], i]).mean()
        prior = (p_in + p_out) / 2
        if offline is not None:
            prior = ((1 + offline) * p_out + 1 - offline) / 2
        scores.append(math.log(math.exp(t) / prior))
    return scores


@pytest.mark.parametrize("a", [None, 0.0, 0.3, 1.0])
def test_rmia_is_the_loop_of_its_definition(a):
    target, given, _ = simulated(records=40)
    target, given = (
        special.log_expit(target),
        given._replace(signal=special.log_expit(given.signal)),
    )
    found = (
        membership.rmia_online(target, given)
        if a is None
        else membership.rmia_offline(target, given, a)
    )
    np.testing.assert_allclose(found, loop_rmia(target, given, a), rtol=1e-9)


def test_the_papers_rmia_score_is_a_share_and_never_falls_with_ours():
    rng = np.random.default_rng(4)
    ratio, others = rng.normal(1, 1, 500), rng.normal(0, 1, 77)
    share = membership.dominated(ratio, others, gamma=2.0)
    plain = [np.mean(r - others >= math.log(2)) for r in ratio]
    np.testing.assert_allclose(share, plain)
    assert (np.diff(share[np.argsort(ratio)]) >= 0).all()


def test_a_probability_near_one_or_zero_keeps_its_digits():
    outputs = np.array([[800.0, 0, 0], [0.0, 800, 0]])
    assert membership.scaled_logit(outputs, np.array([0, 0])) == pytest.approx(
        [800 - math.log(2), -800]
    )
    assert np.isfinite(membership.modified_entropy(outputs, np.array([0, 0]))).all()


def test_outputs_by_hand():
    p = np.array([[0.7, 0.2, 0.1], [0.25, 0.5, 0.25]])
    logits, labels = np.log(p) + 5, np.array([0, 0])
    np.testing.assert_allclose(
        membership.scaled_logit(logits, labels), np.log([0.7 / 0.3, 0.25 / 0.75])
    )
    np.testing.assert_allclose(membership.entropy(logits), (p * np.log(p)).sum(1))
    table = [
        0.3 * math.log(0.7) + 0.2 * math.log(0.8) + 0.1 * math.log(0.9),
        0.75 * math.log(0.25) + 0.5 * math.log(0.5) + 0.25 * math.log(0.75),
    ]
    np.testing.assert_allclose(membership.modified_entropy(logits, labels), table)


def test_a_probability_that_rounds_to_one_has_a_modified_entropy():
    """Two classes whose logits are 40 apart: 1 - p and -log p are exp(-40)."""
    [sure] = membership.modified_entropy(np.array([[40.0, 0.0]]), np.array([0]))
    small = math.exp(-40)
    assert sure == pytest.approx(-2 * small * small, rel=1e-9)
    [wrong] = membership.modified_entropy(np.array([[40.0, 0.0]]), np.array([1]))
    assert wrong == pytest.approx(-80, rel=1e-12)


def test_one_logit_is_two_classes():
    one, two = np.array([[1.5], [-0.5]]), np.array([[0, 1.5], [0, -0.5]])
    labels = np.array([1, 0])
    for rule in (membership.scaled_logit, membership.modified_entropy):
        np.testing.assert_allclose(rule(one, labels), rule(two, labels))
    np.testing.assert_allclose(membership.scaled_logit(one, labels), [1.5, 0.5])


@pytest.mark.parametrize(
    ("attack", "needed"),
    [
        (membership.lira_online, "at least 2 was trained on"),
        (membership.lira_offline, "at least 2 was not trained on"),
        (membership.bavaria_online, "at least 1 was trained on"),
        (membership.rmia_offline, "at least 1 was not trained on"),
    ],
)
def test_too_few_models_are_told(attack, needed):
    _, given, _ = simulated(records=5)
    short = given._replace(held=given.held.copy())
    short.held[:, 3] = "not" in needed
    with pytest.raises(errors.InputError, match="references=16"):
        attack(np.zeros(5), short)


def test_nothing_is_found_where_nothing_leaks():
    target, given, member = simulated(records=4000, leak=0.0)
    for attack in (
        membership.lira_online,
        membership.lira_offline,
        membership.bavaria_online,
        membership.bavaria_offline,
    ):
        scores = attack(target, given)
        found = auc(scores[member], scores[~member])
        assert found.low < 0.5 < found.high


def test_a_class_that_is_hard_for_everyone_hides_its_members_from_one_threshold():
    rng = np.random.default_rng(5)
    labels, other_labels = rng.integers(2, size=2000), rng.integers(2, size=1000)
    member = rng.random(2000) < 0.5
    easy = np.where(labels == 0, 5.0, 0.0)
    target = easy + rng.normal(size=2000) + member
    others = np.where(other_labels == 0, 5.0, 0.0) + rng.normal(size=1000)
    scores = membership.population_attack(target, labels, others, other_labels)
    by_class, one = (auc(s[member], s[~member]).value for s in (scores, target))
    assert by_class > one + 0.1


def test_quantile_regression_finds_what_a_record_should_show():
    rng = np.random.default_rng(6)
    x, other_x = rng.normal(size=(400, 2)), rng.normal(size=(600, 2))
    y, other_y = rng.integers(3, size=400), rng.integers(3, size=600)

    def expected(x, y):
        return 4 * (x[:, 0] > 0) + 3.0 * y

    member = rng.random(400) < 0.5
    target = expected(x, y) + rng.normal(size=400) + 2 * member
    others = expected(other_x, other_y) + rng.normal(size=600)
    with threadpoolctl.threadpool_limits(1):  # Trees wait for cores that others use.
        scores = membership.quantile_regression(target, x, y, others, other_x, other_y)
    regressed, plain = (auc(s[member], s[~member]).value for s in (scores, target))
    assert regressed > 0.8 > 0.7 > plain
    assert 0.7 < scores[~member].std() < 1.6


def test_a_sum_of_attacks_beats_each_and_weighs_noise_at_nearly_nothing():
    rng = np.random.default_rng(7)
    member = rng.random(3000) < 0.5
    scores = rng.normal(size=(3000, 3)) + member[:, None] * np.array([1.0, 1.0, 0.0])
    known, asked = slice(0, 1000), slice(1000, None)
    found = membership.combine(scores[asked], scores[known], member[known])
    m = member[asked]
    best = max(auc(scores[asked][m, i], scores[asked][~m, i]).value for i in range(3))
    assert auc(found[m], found[~m]).value > best + 0.03
