"""Layers of any model, beside Linen's interception and one gradient per example."""

import chex
import jax
import jax.numpy as jnp
import pytest

from jaxprivacy.models import targets
from jaxprivacy.targets import layer_capture, layer_gradients, layers
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
                lambda p, x, y: layer_capture.inputs_lib.cross_entropy(
                    model.apply(p, x[None])[0], y
                )
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
