"""Layers of any model, beside Linen's interception and one gradient per example."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.models import targets
from jaxprivacy.targets import inputs, layer_capture, layer_gradients, layers
from tests import interception

PAPERS = {
    "mlp": targets.build("mlp", (12,), 5, widths=(9, 7)),
    "cnn": targets.build("cnn", (8, 8, 1), 5),
    "resnet": targets.build("resnet", (8, 8, 3), 5, depth=8),
    "resnet of bottlenecks": targets.build(
        "resnet", (8, 8, 3), 5, depth=11, block="bottleneck"
    ),
    "densenet": targets.build("densenet", (8, 8, 3), 5, depth=10, growth_rate=4),
    "averages": targets.build("resnet", (8, 8, 3), 5, depth=8, normalisation="batch"),
}
SHAPES = {"mlp": (12,), "cnn": (8, 8, 1)}


@pytest.mark.parametrize("name", PAPERS)
def test_papers_networks_show_what_interception_meets(name):
    model = PAPERS[name]
    params = jax.jit(model.init)(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (4, *SHAPES.get(name, (8, 8, 3))))
    y = jnp.array([0, 4, 2, 1])
    found = layers.layers(model.apply, params, x)
    modules = {}

    @jax.jit
    def both(params, x, y):
        logits, values, met, *seen = interception.capture(model.apply, params, x, y)
        modules.update(met)
        mine = layer_capture.capture(model.apply, params, x, y)
        norms = {
            layer.path: layer_gradients.squared_gradient_norm(
                layer, mine.inputs[layer.path], mine.deltas[layer.path]
            )
            for layer in found
        }
        whole = jax.vmap(
            jax.grad(
                lambda p, x, y: inputs.cross_entropy(model.apply(p, x[None])[0], y)
            ),
            (None, 0, 0),
        )(params, x, y)
        return mine, (logits, values, *seen), norms, whole

    mine, theirs, norms, whole = both(params, x, y)
    assert [layer.path for layer in found] == list(modules)
    for layer in found:
        assert (layer.features, layer.use_bias) == modules[layer.path]
        of = whole.get("params", whole)
        for key in layer.path.split("/"):
            of = of[key]
        assert set(of) == ({"kernel", "bias"} if layer.use_bias else {"kernel"})
        square = sum(jnp.sum(g**2, range(1, g.ndim)) for g in of.values())
        chex.assert_trees_all_close(norms[layer.path], square, rtol=1e-4)
    for one, other in zip(mine, theirs, strict=True):
        chex.assert_trees_all_close(one, other, rtol=1e-5, atol=1e-5)


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
