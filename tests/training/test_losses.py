"""Losses and measures by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import types
from jaxprivacy.training import losses


def test_cross_entropy_by_hand():
    # softmax of (log 1, log 2, log 5) is (1, 2, 5) / 8.
    logits = jnp.log(jnp.array([[1.0, 2.0, 5.0]] * 3))
    got = losses.cross_entropy(logits, jnp.array([0, 1, 2]))
    np.testing.assert_allclose(got, np.log([8, 4, 1.6]), rtol=1e-6)


def test_cross_entropy_refuses_other_ranks():
    with pytest.raises(AssertionError):
        losses.cross_entropy(jnp.zeros(3), jnp.array(0))


@pytest.mark.parametrize(
    ("values", "mask", "want"),
    [
        ([1.0, 2.0, 6.0], [1, 1, 1], 3),
        ([1.0, 2.0, 6.0], [1, 0, 1], 3.5),
        ([1.0, 2.0, 6.0], [0, 1, 0], 2),
        ([1.0, 2.0, 6.0], [0, 0, 0], 0),
    ],
)
def test_masked_mean_by_hand(values, mask, want):
    got = losses.masked_mean(jnp.array(values), jnp.array(mask, jnp.float32))
    assert float(got) == pytest.approx(want)


@pytest.mark.parametrize(
    ("mask", "want"),
    [([1, 1, 1, 1], 0.75), ([1, 1, 0, 1], 1), ([0, 0, 1, 1], 0.5), ([0] * 4, 0)],
)
def test_accuracy_by_hand(mask, want):
    model = types.Model(lambda key: None, lambda params, x: x)
    logits = jnp.array([[2.0, 1, 0], [0, 0, 1], [3, 2, 1], [-3, -2, -1]])
    batch = types.Batch(logits, jnp.array([0, 2, 1, 2]), jnp.array(mask, jnp.float32))
    assert float(losses.accuracy(model, None, batch)) == pytest.approx(want)
