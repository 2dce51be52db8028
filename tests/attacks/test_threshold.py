"""The simplest attacks by hand, and the anchor beside scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from jaxprivacy.attacks import features, statistics, threshold
from jaxprivacy.evaluation import membership


def test_a_smaller_loss_at_the_last_snapshot_scores_higher():
    loss = jnp.array([[9.0, 9.0, 0.0], [0.5, 2.0, 1.0]])[..., None]
    seen = features.Features((), loss, (), {}, {}, ())
    scores = threshold.loss_threshold(seen)
    np.testing.assert_array_equal(scores, [-0.5, -2, -1])


def test_confidence_does_not_tie_where_the_loss_does():
    logits = jnp.array([[40.0, 0.0, 1.0], [60.0, 0.0, 1.0]])
    seen = jax.vmap(statistics.statistics, in_axes=(0, None, None))(logits, 0, {})
    seen = jax.tree.map(lambda a: a[None], seen)
    loss = jax.nn.logsumexp(logits, axis=1) - logits[:, 0]
    assert loss[0] == loss[1]
    of = features.Features((), (), (), {}, {}, (), statistics=seen)
    low, high = threshold.confidence(of)
    assert low == pytest.approx(40 - np.log(1 + np.e), rel=1e-6)
    assert high == pytest.approx(60 - np.log(1 + np.e), rel=1e-6)


def samples(shift, seed=0):
    rng = np.random.default_rng(seed)
    members, others = rng.normal(size=(300, 3)), rng.normal(size=(100, 3))
    return np.float32(members + np.array(shift)), np.float32(others)


def test_anchor_is_the_logistic_regression_of_the_best_rule():
    members, others = samples([0.2, 1.0, 0.5])
    found = threshold.anchor(members, others)
    weight = 0.5 / len(members), 0.5 / len(others)
    values = np.concatenate([members, others])[:, 1:2]
    fitted = LogisticRegression(C=1 / threshold.RIDGE, tol=1e-8).fit(
        values,
        [1] * len(members) + [0] * len(others),
        np.repeat(weight, [len(members), len(others)]),
    )
    assert found.slopes[0] == found.slopes[2] == 0
    assert float(found.slopes[1]) == pytest.approx(fitted.coef_[0, 0], rel=1e-2)
    assert float(found.intercept) == pytest.approx(fitted.intercept_[0], abs=1e-2)


def test_anchor_keeps_the_direction_of_a_rule():
    """Members that score lower in a sample do not turn it round."""
    members, others = samples([-1.0, -1.0, -1.0])
    found = threshold.anchor(members, others)
    assert np.count_nonzero(found.slopes) == 1 and found.slopes.max() > 0
    assert np.ptp(members @ np.asarray(found.slopes)) > 0.01


def test_anchor_of_separable_records_is_finite():
    members, others = samples([20.0, 0.0, 0.0])
    found = threshold.anchor(members, others)
    assert np.isfinite(found.slopes).all() and found.slopes[0] > 0


def test_auc_is_that_of_the_evaluation():
    members, others = (np.round(a[:, 0], 1) for a in samples([0.5, 0, 0]))
    got = float(threshold.auc(members, others))
    assert got == pytest.approx(membership.auc(members, others).value, rel=1e-6)
