import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.attacks import capture
from jaxprivacy.models import interception, targets


class Joined(nn.Module):
    """A shortcut, called last, beside a layer; and one that nobody listens to."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Dense(4, name="first")(x))
        nn.Dense(2, name="unheard")(x)
        h = nn.Dense(3, name="narrow")(x)
        h = jax.jit(nn.relu)(h) + nn.Dense(3, name="shortcut")(x)
        return nn.Dense(2, name="last")(nn.relu(h))


def test_receivers_follow_the_output_and_not_the_order_of_calls():
    model, x = Joined(), jnp.ones((1, 5))
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    assert interception.receivers(model.apply, params, x) == {
        "first": "unheard",
        "unheard": None,
        "narrow": "last",
        "shortcut": "last",
        "last": None,
    }


@pytest.mark.parametrize("name", ["mlp", "cnn", "alexnet"])
def test_in_a_chain_the_next_layer_receives(name):
    model = targets.build(name, (32, 32, 3), 10, widths=(6, 5))
    params = jax.eval_shape(model.init, jax.random.key(0))
    x = np.ones((1, 32, 32, 3), np.float32)
    paths = [layer.path for layer in interception.layers(model.apply, params, x)]
    found = interception.receivers(model.apply, params, x)
    assert list(found) == paths
    assert list(found.values()) == [*paths[1:], None]


def test_a_residual_blocks_output_is_taken_after_the_sum():
    """What layer2_0/conv2 puts out is (4, 4, 32), not the block's input (8, 8, 16)."""
    model = targets.build("resnet", (8, 8, 3), 10, depth=8)
    x = np.ones((2, 8, 8, 3), np.float32)
    params = jax.eval_shape(model.init, jax.random.key(0))
    found = interception.receivers(model.apply, params, x)
    assert found["layer2_0/conv2"] == found["layer2_0/downsample_0"] == "layer3_0/conv1"
    seen = jax.eval_shape(
        lambda *args: capture.capture(model.apply, *args), params, x, np.zeros(2, int)
    )
    assert seen.inputs[found["layer2_0/conv2"]].shape == (2, 4, 4, 32)
