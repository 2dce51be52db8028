"""What uploads say of records: by hand, and against gradients written out."""

import math

import numpy as np
import pytest
from scipy import stats

from jaxprivacy import cards
from jaxprivacy.attacks import membership

NAMES = tuple(membership.SERVER_ATTACKS)


def logit(p):
    return math.log(p / (1 - p))


def by_hand():
    """Two rounds, three participants, two records, in the plane.

    The gradients are (3, 4) and (0, 1), then (0, -2) and (0, 0). The target's updates
    are (-3, -4), right down the first record's gradient, and (0, 1).
    """
    gradients = np.array([[[3.0, 4.0], [0.0, 1.0]], [[0.0, -2.0], [0.0, 0.0]]])
    updates = np.array(
        [[[-3.0, -4.0], [4.0, -3.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, -1.0], [1.0, 0.0]]]
    )
    odds = np.array(
        [[[0.0, 2.0], [0.0, 0.0], [1.0, 0.0]], [[3.0, 2.0], [1, 0], [1, 2]]]
    )
    return membership.Signals(
        odds,
        np.einsum("tpi,tni->tpn", updates, gradients),
        np.linalg.norm(gradients, axis=-1),
        np.linalg.norm(updates, axis=-1),
    )


def test_signals_by_hand():
    seen = by_hand()
    cosines = [[[1.0, 0.8], [0.0, 0.6], [0, 0]], [[1.0, 0], [-1.0, 0], [0.0, 0]]]
    np.testing.assert_allclose(membership.cosine(seen), cosines, atol=1e-12)
    # Round 1: |(3, 4)|^2 - 0, |(3, 4)|^2 - |(3, 3)|^2; round 2: 1 - |(0, 1)|^2, 1 - 1.
    differences = membership.gradient_difference(seen)[:, 0]
    np.testing.assert_allclose(differences, [[25.0, 7.0], [0.0, 0.0]], atol=1e-12)
    losses = -membership.negative_loss(seen)[0]
    np.testing.assert_allclose(losses[0], [math.log(2), math.log1p(math.exp(-2))])
    np.testing.assert_allclose(losses[1], [math.log(2)] * 2)


def test_scores_by_hand():
    """By the target, of the first record: one round is the last."""
    scores = {name: score(by_hand(), 0, [1, 2]) for name, score in _attacks()}
    half, tail = 0.5, stats.norm.cdf
    # Of the cosine the others' mean is 0 and their spread 0, then -1/2 and 1/sqrt 2.
    of_round_2 = tail(1.5 * math.sqrt(2))
    series = -(math.log(2) + math.log1p(math.exp(-3))) / 2
    first = -math.log(2), (-math.log(2) - math.log1p(math.exp(-1))) / 2
    spread = (math.log(2) - math.log1p(math.exp(-1))) / math.sqrt(2)
    of_loss = tail((first[0] - first[1]) / spread)
    table = {
        "gradient_cosine": 1.0,
        "gradient_difference": 0.0,
        "mean_cosine": 1.0,
        "loss_series": series,
        "fedmia_gradient": logit((1 + of_round_2) / 2),
        # In round 2 both others have one loss: any lower one is a member's for sure.
        "fedmia_loss": logit((of_loss + 1) / 2),
    }
    for name, value in table.items():
        assert scores[name][0] == pytest.approx(value), name
    # The second record: 0.8 against 0.6 and 0; then all 0, which says nothing.
    z = (0.8 - 0.3) / (0.6 / math.sqrt(2))
    assert scores["fedmia_gradient"][1] == pytest.approx(logit((tail(z) + half) / 2))


def _attacks():
    return membership.SERVER_ATTACKS.items()


def test_fedmia_ranks_as_the_papers_mean_and_does_not_tie():
    rng = np.random.default_rng(0)
    target, others = rng.normal(size=(3, 50)), rng.normal(size=(3, 5, 50))
    found = membership.fedmia(target, others)
    z = (target - others.mean(axis=1)) / others.std(axis=1, ddof=1)
    plain = stats.norm.cdf(z).mean(axis=0)
    np.testing.assert_array_equal(np.argsort(found), np.argsort(plain))
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), plain, rtol=1e-9)
    np.testing.assert_allclose(membership.fedmia(target[::-1], others[::-1]), found)
    # From 9 deviations on the paper's mean is 1 in float64.
    sure = membership.fedmia(np.array([[9.0, 10.0, -9.0, -10.0]]), _unit(4))
    assert sure[1] > sure[0] > 0 > sure[2] > sure[3]
    np.testing.assert_allclose(sure[:2], -sure[2:])


def _unit(records):
    """Two others with the mean 0 and the deviation 1."""
    return np.sqrt(0.5) * np.array([[[1.0] * records, [-1.0] * records]])


@pytest.mark.parametrize("name", NAMES)
def test_equal_a_plain_loop_over_written_out_gradients(name):
    seen, gradients, updates, losses = _drawn()
    target, others = 1, [0, 2, 3]
    rounds, records = range(len(gradients)), range(gradients.shape[1])

    def signal(t, p, n):
        g, u = gradients[t, n], -updates[t, p]  # What was descended.
        if name in ("loss_series", "fedmia_loss"):
            return -losses[t, p, n]
        if name == "gradient_difference":
            return np.sum(u**2) - np.sum((u - g) ** 2)
        return u @ g / np.sqrt(np.sum(u**2) * np.sum(g**2))

    def score(n):
        own = [signal(t, target, n) for t in rounds]
        if not name.startswith("fedmia"):
            last = name in ("gradient_cosine", "gradient_difference")
            return own[-1] if last else np.mean(own)
        tails = []
        for t in rounds:
            null = [signal(t, p, n) for p in others]
            tails.append(stats.norm.cdf(own[t], np.mean(null), np.std(null, ddof=1)))
        return logit(np.mean(tails))

    found = membership.SERVER_ATTACKS[name](seen, target, others)
    np.testing.assert_allclose(found, [score(n) for n in records], rtol=1e-6)


def _drawn():
    rng = np.random.default_rng(1)
    gradients, updates = rng.normal(size=(3, 6, 7)), rng.normal(size=(3, 4, 7))
    odds = rng.normal(size=(3, 4, 6))
    inner = np.einsum("tpi,tni->tpn", updates, gradients)
    norms = (np.linalg.norm(a, axis=-1) for a in (gradients, updates))
    losses = np.log1p(np.exp(-odds))
    return membership.Signals(odds, inner, *norms), gradients, updates, losses


@pytest.mark.parametrize("name", NAMES)
def test_an_update_down_a_records_gradient_raises_its_score(name):
    seen, gradients, updates, _ = _drawn()
    before = membership.SERVER_ATTACKS[name](seen, 1, [0, 2, 3])
    updates = updates.copy()
    updates[:, 1] -= gradients[:, 4] / 2
    odds = seen.log_odds.copy()
    odds[:, 1, 4] += 1
    after = membership.SERVER_ATTACKS[name](
        membership.Signals(
            odds,
            np.einsum("tpi,tni->tpn", updates, gradients),
            seen.gradient_norm,
            np.linalg.norm(updates, axis=-1),
        ),
        1,
        [0, 2, 3],
    )
    assert after[4] > before[4]


def test_each_has_a_card_that_says_what_it_sees():
    for name in NAMES:
        card = cards.CARDS[name]
        assert ("others" in card.needs) == name.startswith("fedmia"), name
        assert ("gradients" in card.sees) == ("loss" not in name), name
