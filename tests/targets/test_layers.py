"""Layers of Linen models, beside what Linen's interception meets."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.models import targets
from jaxprivacy.targets import layer_capture, layer_gradients, layers
from tests import interception

PAPERS = {
    "mlp": targets.build("mlp", (12,), 5, widths=(9, 7)),
    "cnn": targets.build("cnn", (8, 8, 1), 5),
    "resnet": targets.build("resnet", (8, 8, 3), 5, depth=8),
    "densenet": targets.build("densenet", (8, 8, 3), 5, depth=10, growth_rate=4),
    "averages": targets.build("resnet", (8, 8, 3), 5, depth=8, normalisation="batch"),
}
COMPILED_FAST = {"xla_backend_optimization_level": 0}
SHAPES = {"mlp": (12,), "cnn": (8, 8, 1)}


def example(name):
    model = PAPERS[name]
    x = jax.random.normal(jax.random.key(1), (4, *SHAPES.get(name, (8, 8, 3))))
    return model, x, jnp.array([0, 4, 2, 1])


@pytest.mark.parametrize("name", PAPERS)
def test_papers_networks_have_the_layers_that_interception_meets(name):
    model, x, y = example(name)
    params = jax.eval_shape(model.init, jax.random.key(0))
    met = {}

    def run(params):
        _, _, modules, *_ = interception.capture(model.apply, params, x, y)
        met.update(modules)

    jax.eval_shape(run, params)
    found = layers.layers(model.apply, params, x)
    assert [layer.path for layer in found] == list(met)
    for layer in found:
        form = (layer.features, layer.use_bias, layer.window, layer.strides)
        assert form == met[layer.path]


@pytest.mark.parametrize("name", ["mlp", "cnn", "resnet"])
def test_they_show_the_same(name):
    model, x, y = example(name)
    params = jax.jit(model.init)(jax.random.key(0))
    found = layers.layers(model.apply, params, x)

    @functools.partial(jax.jit, compiler_options=COMPILED_FAST)
    def both(params, x, y):
        logits, values, _, *seen = interception.capture(model.apply, params, x, y)
        mine = layer_capture.capture(model.apply, params, x, y)
        theirs = layer_capture.Capture(logits, values, *seen)
        return (mine, norms(mine)), (theirs, norms(theirs))

    def norms(seen):
        return {
            layer.path: layer_gradients.squared_gradient_norm(
                layer, seen.inputs[layer.path], seen.deltas[layer.path]
            )
            for layer in found
        }

    mine, theirs = both(params, x, y)
    chex.assert_trees_all_close(mine, theirs, rtol=1e-5, atol=1e-5)


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
    assert layers.receivers(model.apply, params, x) == {
        "first": "narrow",  # The outputs do not depend on what nobody hears.
        "narrow": "last",
        "shortcut": "last",
        "last": None,
    }


@pytest.mark.parametrize("name", ["mlp", "cnn", "alexnet"])
def test_in_a_chain_the_next_layer_receives(name):
    model = targets.build(name, (32, 32, 3), 10, widths=(6, 5))
    params = jax.eval_shape(model.init, jax.random.key(0))
    x = np.ones((1, 32, 32, 3), np.float32)
    paths = [layer.path for layer in layers.layers(model.apply, params, x)]
    found = layers.receivers(model.apply, params, x)
    assert list(found) == paths
    assert list(found.values()) == [*paths[1:], None]


def test_a_residual_blocks_output_is_taken_after_the_sum():
    """What layer2_0/conv2 puts out is (4, 4, 32), not the block's input (8, 8, 16)."""
    model = targets.build("resnet", (8, 8, 3), 10, depth=8)
    x = np.ones((2, 8, 8, 3), np.float32)
    params = jax.eval_shape(model.init, jax.random.key(0))
    found = layers.receivers(model.apply, params, x)
    assert found["layer2_0/conv2"] == found["layer2_0/downsample_0"] == "layer3_0/conv1"
    _, hidden = jax.eval_shape(
        lambda *args: layer_capture.inputs(model.apply, *args), params, x
    )
    assert hidden[found["layer2_0/conv2"]].shape == (2, 4, 4, 32)
