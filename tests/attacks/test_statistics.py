"""Statistics of single records beside float64 and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.attacks import statistics


@pytest.mark.parametrize(
    "logits",
    [
        [0.3, -1.0, 2.0, 0.0],
        [50.0, 0.0, 1.0, -3.0],  # of which softmax in float32 is 1, 0, 0, 0
        [0.0, 0.0, 0.0],
        [1.0, 2.0],
    ],
)
def test_log_odds_beside_float64(logits):
    got = statistics.log_odds(jnp.array(logits))
    exact = np.array(logits, np.float64)
    for k, value in enumerate(exact):
        others = np.delete(exact, k)
        want = value - np.logaddexp.reduce(others)
        assert float(got[k]) == pytest.approx(want, rel=1e-5, abs=1e-5)


def test_log_odds_of_two_equal_classes_are_0():
    np.testing.assert_allclose(statistics.log_odds(jnp.zeros(2)), 0, atol=1e-6)


def test_log_odds_have_a_derivative():
    gradient = jax.grad(lambda z: statistics.log_odds(z)[1])(jnp.array([1.0, 3.0, 0.0]))
    assert np.isfinite(gradient).all()


def test_statistics_by_hand():
    logits = jnp.log(jnp.array([1.0, 2.0, 5.0]))
    found = statistics.statistics(logits, jnp.array(1), {"a": jnp.float32(100.0)})
    np.testing.assert_allclose(found.confidence, np.log([2 / 6]), rtol=1e-5)
    want = np.log([1 / 7, 2 / 6, 5 / 3])
    np.testing.assert_allclose(found.log_odds, want, rtol=1e-5)
    np.testing.assert_allclose(found.ranked, want[::-1], rtol=1e-5)
    np.testing.assert_allclose(found.log_norms["a"], np.log([10.0]), rtol=1e-5)


def test_most_classes_ranked():
    found = statistics.statistics(jnp.arange(30.0), jnp.array(0), {})
    assert found.ranked.shape == (statistics.RANKED,)
    assert found.log_odds.shape == (30,)


def test_a_gradient_of_0_has_a_logarithm():
    assert float(statistics.log_norm(jnp.zeros(()))) == pytest.approx(np.log(1e-6))


def test_a_single_logit_is_that_of_the_second_class():
    found = statistics.statistics(jnp.array([0.7]), jnp.array(0), {})
    np.testing.assert_allclose(found.confidence, [-0.7], rtol=1e-5)
    np.testing.assert_allclose(found.ranked, [0.7, -0.7], rtol=1e-5)
