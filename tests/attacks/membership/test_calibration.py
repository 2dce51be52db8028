"""Attacks with references where there is nothing to find, two hundred times over."""

import functools

import numpy as np
import pytest

from jaxprivacy.attacks import membership
from jaxprivacy.data import reference_sets
from jaxprivacy.evaluation.membership import auc
from jaxprivacy.evaluation.tpr import tpr_at_fpr

NULLS, RECORDS, MODELS = 200, 200, 8
ATTACKS = {
    "lira_online": membership.lira_online,
    "lira_offline": membership.lira_offline,
    "lira_multivariate": membership.lira_multivariate,
    "bavaria": membership.bavaria_online,
    "rmia_online": membership.rmia_online,
    "rmia_offline": membership.rmia_offline,
}


@functools.cache
def draw(seed, leak=0.0):
    """A target's signals, its references' and who is called a member."""
    rng = np.random.default_rng(seed)
    held = reference_sets.halves(np.arange(RECORDS) % 4, MODELS, rng)
    spread = rng.gamma(4, 0.25, RECORDS)
    # Those that hold a record are surer of it, the target of those it holds: model 2.
    # Asked for are the members of model 0, which it knows nothing of but for the leak.
    inside = held + leak * np.outer(np.arange(MODELS) == 2, held[0])
    noise = rng.standard_normal(held.shape)
    signal = rng.normal(0, 2, RECORDS) + spread * (noise + 2 * inside)
    signal = -np.logaddexp(0, -signal)  # a logarithm of a probability
    left = reference_sets.others(MODELS, 0, 2)
    return signal[2], membership.Pool(signal[left], held[left]), held[0]


def covered(name, leak=0.0, nulls=NULLS):
    """The shares of intervals of AUC and TPR at 1 % that hold what no leak makes."""
    found = []
    for seed in range(nulls):
        target, pool, member = draw(seed, leak)
        scores = ATTACKS[name](target, pool)
        kinds = scores[member], scores[~member]
        area, (rate,) = auc(*kinds), tpr_at_fpr(*kinds, fprs=(0.01,))
        found.append(
            (area.low <= 0.5 <= area.high, rate["low"] <= 0.01 <= rate["high"])
        )
    return np.mean(found, axis=0)


@pytest.mark.parametrize("name", ATTACKS)
def test_intervals_cover_at_their_rate(name):
    # Of 200, 95 % with three standard errors of 1.5 %; that of the TPR, which allows
    # for the threshold as well, covers more.
    area, rate = covered(name)
    assert 0.90 <= area <= 0.995
    assert rate >= 0.95


@pytest.mark.parametrize("name", ["lira_online", "rmia_online"])
def test_a_leak_is_not_covered(name):
    area, _ = covered(name, leak=1.0, nulls=30)
    assert area < 0.05
