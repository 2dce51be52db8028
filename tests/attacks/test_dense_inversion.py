"""What the gradients of dense layers say without any search."""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn import datasets

from jaxprivacy.attacks import dense_inversion, gradient_inversion

K = 10
DIGITS = datasets.load_digits()
X = jnp.asarray(DIGITS.images[..., None] / 8 - 1, jnp.float32)
Y = jnp.asarray(DIGITS.target)
FLAT = X.reshape(len(X), -1)


def mlp(params, x):
    hidden = jax.nn.relu(x.reshape(len(x), -1) @ params["w"] + params["b"])
    return hidden @ params["v"] + params["c"]


def made(width=512):
    keys = jax.random.split(jax.random.key(0), 3)
    return {
        "w": jax.random.normal(keys[0], (64, width)) / 8,
        # Few records pass a neuron.
        "b": -1.0 + jax.random.normal(keys[1], (width,)) / 8,
        "v": jax.random.normal(keys[2], (width, K)) / 8,
        "c": jnp.zeros(K),
    }


PARAMS = made()


@jax.jit
def gradient(x, y):
    return gradient_inversion.mean_gradient(
        gradient_inversion.update(mlp, PARAMS, x, y)
    )


def nearest(found, records):
    """The largest error of each record in the vector nearest to it."""
    errors = np.abs(np.asarray(found)[None] - np.asarray(records)[:, None])
    return errors.max(axis=2).min(axis=1)


def test_one_record_is_exact():
    for index in range(5):
        one = slice(index, index + 1)
        found = gradient(X[one], Y[one])
        got, said = dense_inversion.recover_dense_inputs(found["w"], found["b"], 1)
        np.testing.assert_allclose(got, FLAT[one], atol=1e-5)
        assert said[0] > 10


def test_neurons_of_one_record_give_a_batch():
    found = gradient(X[:3], Y[:3])
    got, said = dense_inversion.recover_dense_inputs(found["w"], found["b"], 3)
    np.testing.assert_array_less(nearest(got, FLAT[:3]), 1e-3)
    assert said.min() > 1


def test_by_hand():
    # Neurons of record (1, 2), of (3, 4), of both, and of none.
    records = np.array([[1.0, 2.0], [3.0, 4.0]])
    passed = np.array([[2.0, 0, 1, 0, 1], [0, -1.0, 3, 0, 0]])
    got, said = dense_inversion.recover_dense_inputs(
        jnp.array(records.T @ passed), jnp.array(passed.sum(axis=0)), 4
    )
    np.testing.assert_allclose(got, [[1, 2], [2.5, 3.5], [3, 4], [0, 0]])
    assert said.tolist() == [2, 1, 1, 0]


def trapped_gradient(trap, x, y):
    apply = dense_inversion.trapped(mlp)
    params = {"trap": trap, "model": PARAMS}
    made = gradient_inversion.update(apply, params, x, y)
    return gradient_inversion.mean_gradient(made)["trap"]


def test_a_trap_finds_most_of_a_batch():
    trap = dense_inversion.trap(jax.random.key(0), FLAT[:500], 256)
    assert (np.diff(trap.bias) <= 0).all()
    found = jax.jit(trapped_gradient)(trap, X[1000:1016], Y[1000:1016])
    got, size = jax.jit(dense_inversion.recover_trapped, static_argnums=1)(found, 16)
    errors = nearest(got, FLAT[1000:1016])
    assert (errors < 0.05).sum() >= 10
    assert size.max() == 1


def test_a_trap_catches_one_record_exactly():
    trap = dense_inversion.trap(jax.random.key(0), FLAT[:500], 64)
    found = jax.jit(trapped_gradient)(trap, X[1000:1001], Y[1000:1001])
    got, _ = dense_inversion.recover_trapped(found, 1)
    np.testing.assert_allclose(got, FLAT[1000:1001], atol=1e-4)
