"""The network that gradient inversion is shown on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.models import lenet, targets
from tests import arrays


@pytest.mark.parametrize(("shape", "features"), [((32, 32, 3), 768), ((8, 8, 1), 48)])
def test_parameter_counts(shape, features):
    model = targets.as_model(lenet.LeNet(10), shape)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    count = sum(a.size for a in jax.tree.leaves(shapes))
    of_convolutions = 25 * shape[-1] * 12 + 2 * 25 * 12 * 12 + 3 * 12
    assert count == of_convolutions + features * 10 + 10


def test_weights_are_drawn_wide():
    model = targets.as_model(lenet.LeNet(10), (8, 8, 1))
    params = jax.jit(model.init)(jax.random.key(0))
    for leaf in jax.tree.leaves(params):
        assert np.abs(leaf).max() <= 0.5
    assert np.std(params["Conv_1"]["kernel"]) == pytest.approx(12**-0.5, rel=0.05)


@pytest.mark.parametrize("activation", [jnp.tanh, jax.nn.relu])
def test_an_mlp_has_the_activation_that_is_asked_for(activation):
    model = targets.as_model(targets.MLP((5,), 3, activation), (4,))
    params, x = arrays.params_of(model), arrays.normal(1, 2, 4)
    first, last = params["Dense_0"], params["Dense_1"]
    hidden = activation(x @ first["kernel"] + first["bias"])
    want = hidden @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(model.apply(params, x), want, rtol=1e-5)
