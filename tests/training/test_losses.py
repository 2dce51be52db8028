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


def passing_through(widths):
    """A model that puts out its input and writes down how many it is given at once."""

    def apply(params, x):
        widths.append(len(x))
        return x

    return types.Model(lambda key: None, apply)


@pytest.mark.parametrize(
    ("count", "at_once", "width"),
    [(12, 12, 12), (12, 100, 12), (12, 5, 4), (12, 4, 4), (11, 4, 4), (7, 6, 4)],
)
@pytest.mark.parametrize("masked", [False, True])
def test_accuracy_in_chunks_is_that_of_all_at_once(count, at_once, width, masked):
    rng = np.random.default_rng(count)
    # Filling up chunks with zeros would be right on label 0, if it counted.
    x, y = rng.normal(size=(count, 3)), rng.integers(0, 2, count)
    mask = rng.integers(0, 2, count) if masked else np.ones(count)
    batch = types.Batch(*map(jnp.asarray, (x, y, mask.astype(np.float32))))
    right = x.argmax(axis=1) == y
    widths = []
    got = losses.accuracy(passing_through(widths), None, batch, at_once=at_once)
    assert float(got) == pytest.approx(right[mask > 0].mean())
    assert set(widths) == {width}
    assert 0 < right[mask > 0].mean() < 1


def test_accuracy_of_nothing_is_0_in_chunks_too():
    batch = types.Batch(jnp.ones((5, 3)), jnp.zeros(5, int), jnp.zeros(5))
    got = losses.accuracy(passing_through([]), None, batch, at_once=2)
    assert float(got) == 0
