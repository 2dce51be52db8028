"""The plain gradient function, by the formula of softmax regression."""

import jax
import numpy as np
import pytest

from jaxprivacy import types
from jaxprivacy.training import gradients
from tests import arrays

MODEL = types.Model(lambda key: None, lambda w, x: x @ w)


@pytest.mark.parametrize("mask", [[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]])
def test_plain_gradient_is_that_of_the_mean_over_real_records(mask):
    x, w = np.asarray(arrays.normal(0, 4, 2)), np.asarray(arrays.normal(1, 2, 3))
    y, mask = np.array([0, 2, 1, 1]), np.array(mask, np.float32)
    batch = types.Batch(x, y, mask)
    gradient, value = jax.jit(gradients.plain(MODEL))(jax.random.key(0), w, batch)
    p = np.exp(x @ w)
    p /= p.sum(axis=1, keepdims=True)
    count = max(1, mask.sum())
    errors = (p - np.eye(3)[y]) * mask[:, None]
    np.testing.assert_allclose(gradient, x.T @ errors / count, rtol=1e-5, atol=1e-6)
    want = -(np.log(p[np.arange(4), y]) * mask).sum() / count
    np.testing.assert_allclose(value, want, rtol=1e-5)


def test_another_loss_can_be_given():
    batch = types.Batch(np.ones((1, 1)), np.zeros(1, int), np.ones(1))
    # (3 w)^2 at w = 2 has gradient 18 w.
    fn = gradients.plain(MODEL, lambda logits, y: (3 * logits[:, 0]) ** 2)
    gradient, value = jax.jit(fn)(jax.random.key(0), np.full((1, 1), 2.0), batch)
    np.testing.assert_allclose([gradient[0, 0], value], [36, 36])
