"""What attacks take of answers that are no class, by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.attacks import answers

NORMS = {"w": jnp.float32(4)}


def test_numbers_are_told_on_the_scale_of_the_labels():
    found = answers.of_numbers(
        jnp.array([12.0, 100.0]),
        jnp.array([10.0, 104.0]),
        NORMS,
        np.array([10.0, 100.0]),
        np.array([2.0, 4.0]),
    )
    np.testing.assert_allclose(found.output, [1, 0])
    np.testing.assert_allclose(found.label, [0, 1])
    shown = found.statistics
    np.testing.assert_allclose(shown.confidence, [0], atol=2e-6)  # Errors of 1 and 1.
    np.testing.assert_allclose(shown.ranked, [0, 0], atol=2e-6)
    np.testing.assert_allclose(shown.log_norms["w"], [np.log(2)], rtol=1e-6)
    assert np.isnan(found.right)


def test_labels_are_sure_by_the_mean_and_ranked_from_the_least_sure():
    found = answers.of_labels(jnp.array([2.0, 3.0, -1.0]), jnp.array([1, 0, 0]), NORMS)
    own = np.array([2.0, -3.0, 1.0])
    np.testing.assert_allclose(found.statistics.ranked, [-3, 1, 2])
    np.testing.assert_allclose(found.statistics.log_odds, [2, 3, -1])
    mean = np.mean(-np.log1p(np.exp(-own)))
    wanted = mean - np.log(-np.expm1(mean))
    np.testing.assert_allclose(found.statistics.confidence, [wanted], rtol=1e-5)
    assert found.right == pytest.approx(2 / 3)


def test_padding_shows_nothing_and_neither_does_the_vocabulary():
    logits = jnp.log(jnp.array([[0.9, 0.05, 0.05], [0.2, 0.2, 0.6], [1, 1, 1]]))
    found = answers.of_tokens(logits, jnp.array([0, 1, -100]), NORMS)
    own = np.log([9, 0.25])
    np.testing.assert_allclose(found.statistics.log_odds, [*own, 0], rtol=1e-5)
    np.testing.assert_allclose(found.statistics.ranked[:2], own[::-1], rtol=1e-5)
    mean = np.log([0.9, 0.2]).mean()
    wanted = mean - np.log(-np.expm1(mean))
    np.testing.assert_allclose(found.statistics.confidence, [wanted], rtol=1e-5)
    assert found.right == 0.5
    other = answers.of_tokens(logits.at[2].set(7.0), jnp.array([0, 1, -1]), NORMS)
    np.testing.assert_array_equal(other.output, found.output)


def test_what_was_learned_by_heart_stays_apart():
    """Logits of which the probabilities are 1 in float32."""
    near, nearer = (
        answers.of_labels(jnp.full(3, size), jnp.ones(3, int), NORMS)
        for size in (30.0, 31.0)
    )
    assert nearer.statistics.confidence > near.statistics.confidence + 0.5
