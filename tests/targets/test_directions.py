"""Inner products of gradients with directions, against gradients that are formed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import errors
from jaxprivacy.targets import directions, inputs
from tests import arrays
from tests.targets import models


def linear(params, x):
    return x @ params["w"]


def squared_error(output, label):
    return 0.5 * jnp.sum((output - label) ** 2)


# At w = 0 the gradient of record (x, y) is -y x: (-3, -4), (0, -0.5), (0, 0).
X, Y = jnp.asarray([[3.0, 4.0], [0.0, 1.0], [5.0, 5.0]]), jnp.asarray([1.0, 0.5, 0.0])
ZERO = {"w": jnp.zeros((2, 1))}
ALONG = {"w": jnp.asarray([[[1.0], [0.0]], [[-3.0], [-4.0]]])}


def test_products_by_hand():
    found = directions.gradient_products(linear, ZERO, ALONG, X, Y, loss=squared_error)
    np.testing.assert_allclose(found, [[-3.0, 0.0, 0.0], [25.0, 2.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize("name", ["mlp", "groupnorm", "causal"])
@pytest.mark.parametrize("at_once", [1, 2, 5, 99])
def test_equal_products_with_gradients_that_are_formed(name, at_once):
    apply, params, x, y = models.CASES[name][0]()
    along = jax.tree.map(lambda a: arrays.normal(a.size, 3, *a.shape), params)

    def gradient(x, y):
        def loss(params):
            return inputs.cross_entropy(apply(params, x[None])[0], y)

        return jax.grad(loss)(params)

    formed = jax.jit(jax.vmap(gradient))(x, y)
    wanted = sum(
        np.einsum("pi,ni->pn", a.reshape(3, -1), b.reshape(len(y), -1))
        for a, b in zip(jax.tree.leaves(along), jax.tree.leaves(formed), strict=True)
    )
    found = jax.jit(
        lambda *args: directions.gradient_products(apply, *args, at_once=at_once)
    )(params, along, x, y)
    assert found.shape == (3, models.RECORDS)
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    "along",
    [
        {"w": jnp.zeros((2, 1))},
        {"v": jnp.zeros((2, 2, 1))},
        {"w": jnp.zeros((3, 1, 2))},
        {"w": jnp.zeros(())},
    ],
)
def test_directions_of_other_shapes_are_refused(along):
    with pytest.raises(errors.InputError, match="directions: "):
        directions.gradient_products(linear, ZERO, along, X, Y, loss=squared_error)
