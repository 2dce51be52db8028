"""The targets of paper B have their published sizes, and can be captured."""

import functools

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from jaxprivacy import errors
from jaxprivacy.models import image_layers, targets
from jaxprivacy.targets import layer_capture, layer_gradients, layers as layers_lib
from jaxprivacy.training import losses
from tests import arrays

CIFAR = (32, 32, 3)
COMPILED_FAST = {"xla_backend_optimization_level": 0}


def shapes_of(model):
    return jax.eval_shape(model.init, jax.random.key(0))


def count(tree):
    return sum(a.size for a in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    ("name", "classes", "settings", "parameters"),
    [
        # PAPERS row B2, and bearpaw's README, which counts with ten classes.
        ("alexnet", 100, {}, 2_495_396),
        ("alexnet", 10, {}, 2.47e6),
        ("resnet", 10, {"depth": 110}, 1.70e6),
        ("densenet", 10, {"depth": 100, "growth_rate": 12}, 0.77e6),
        pytest.param(
            *("densenet", 10, {"depth": 190, "growth_rate": 40}, 25.62e6),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_published_parameter_counts(name, classes, settings, parameters):
    found = count(shapes_of(targets.build(name, CIFAR, classes, **settings)))
    published = isinstance(parameters, float)
    assert (round(found, -4) if published else found) == parameters


def test_small_networks_counted_by_hand():
    def conv(inputs, outputs, size=3):
        return inputs * outputs * size**2 + 2 * outputs  # and its normalisation

    resnet = targets.build("resnet", CIFAR, 10, depth=8)
    stages = [2 * conv(16, 16)] + [
        conv(c, 2 * c) + conv(2 * c, 2 * c) + conv(c, 2 * c, 1) for c in (16, 32)
    ]
    assert count(shapes_of(resnet)) == conv(3, 16) + sum(stages) + 64 * 10 + 10

    densenet = targets.build("densenet", CIFAR, 10, depth=10, growth_rate=4)

    def layer(inputs):  # Normalisation comes first here.
        return 2 * inputs + 16 * inputs + 2 * 16 + 9 * 16 * 4

    # 8 -> 12 -> 6 -> 10 -> 5 -> 9 channels
    transitions = 2 * 12 + 12 * 6 + 2 * 10 + 10 * 5
    layers = layer(8) + layer(6) + layer(5)
    total = 9 * 3 * 8 + layers + transitions + 2 * 9 + 9 * 10 + 10
    assert count(shapes_of(densenet)) == total


@pytest.mark.parametrize(
    ("settings", "blocks", "convolutions"),
    [
        ({"depth": 20}, 3, 2),
        ({"depth": 20, "block": "basic"}, 3, 2),
        ({"depth": 20, "block": "bottleneck"}, 2, 3),
        ({"depth": 44}, 7, 3),  # bearpaw's first version counts it so
        ({"depth": 44, "block": "basic"}, 7, 2),
    ],
)
def test_depths_of_resnet(settings, blocks, convolutions):
    shapes = shapes_of(targets.build("resnet", CIFAR, 2, **settings))
    stages = [name for name in shapes if name.startswith("layer")]
    assert stages == [f"layer{s}_{i}" for s in (1, 2, 3) for i in range(blocks)]
    assert sum("conv" in name for name in shapes["layer2_0"]) == convolutions
    width = 64 if convolutions == 2 else 256
    assert shapes["fc"]["kernel"].shape == (width, 2)


CAPTURED = {
    "alexnet": ("alexnet", CIFAR, 2, {}),
    "resnet": ("resnet", (8, 8, 3), 3, {"depth": 8, "normalisation": "batch"}),
    "densenet": ("densenet", (8, 8, 3), 3, {"depth": 10, "growth_rate": 4}),
}


def captured(name):
    """A model, made-up parameters, variances above 0, and a batch."""
    kind, shape, batch, settings = CAPTURED[name]
    model = targets.build(kind, shape, 5, **settings)
    params = arrays.params_of(model, scale=0.1)
    params = jax.tree_util.tree_map_with_path(
        lambda path, a: 0.5 + jnp.abs(a) if path[-1].key in ("var", "scale") else a,
        params,
    )
    return model, params, arrays.normal(3, batch, *shape), jnp.arange(batch)


@pytest.mark.parametrize("name", CAPTURED)
def test_capture_equals_a_gradient_per_example(name):
    model, params, x, y = captured(name)
    layers = layers_lib.layers(model.apply, params, x)

    def loss(params, x, y):
        return losses.cross_entropy(model.apply(params, x[None]), y[None])[0]

    @functools.partial(jax.jit, compiler_options=COMPILED_FAST)
    def both(params, x, y):
        got = layer_capture.capture(model.apply, params, x, y)
        kernels = {
            layer.path: layer_gradients.kernel_gradient(
                layer, got.inputs[layer.path], got.deltas[layer.path]
            )
            for layer in layers
        }
        return kernels, jax.vmap(jax.grad(loss), (None, 0, 0))(params, x, y)

    kernels, gradients = both(params, x, y)
    gradients = gradients.get("params", gradients)
    expected = {
        "/".join(entry.key for entry in path[:-1]): value
        for path, value in jax.tree_util.tree_leaves_with_path(gradients)
        if path[-1].key == "kernel"
    }
    assert kernels.keys() == expected.keys()
    for path, want in expected.items():
        scale = jnp.abs(want).max()
        assert scale > 0, path
        chex.assert_trees_all_close(
            kernels[path], want, rtol=1e-4, atol=1e-5 * scale, custom_message=path
        )


def test_averages_are_neither_trained_nor_decayed():
    class Small(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = image_layers.normalise(nn.Dense(4)(x), "batch", name="bn")
            return image_layers.linear(x, 3, name="fc")

    model = targets.as_model(Small(), (5,))
    params = jax.tree.map(jnp.abs, arrays.params_of(model))
    x, y = arrays.normal(1, 6, 5), jnp.arange(6) % 3
    assert set(params) == {"params", "batch_stats"}

    optimizer = optax.chain(
        optax.add_decayed_weights(0.1, mask=targets.trained), optax.sgd(0.1)
    )

    @jax.jit
    def step(params):
        gradient = jax.grad(
            lambda p: losses.cross_entropy(model.apply(p, x), y).mean()
        )(params)
        updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        return optax.apply_updates(params, updates)

    after = step(params)
    chex.assert_trees_all_equal(after["batch_stats"], params["batch_stats"])
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), after, params)
    assert all(jax.tree.leaves(moved["params"]))


def test_other_models_are_trained_whole():
    model = targets.build("mlp", (4,), 3, widths=(5,))
    shapes = shapes_of(model)
    assert set(shapes) == {"Dense_0", "Dense_1"}
    assert all(jax.tree.leaves(targets.trained(shapes)))


def test_normalisation_by_hand():
    x = arrays.normal(1, 2, 3, 4, 12)

    class Layer(nn.Module):
        kind: str

        @nn.compact
        def __call__(self, x):
            return image_layers.normalise(x, self.kind, name="bn")

    def run(kind):
        model = targets.as_model(Layer(kind), x.shape[1:])
        params = jax.tree.map(jnp.abs, arrays.params_of(model))
        return model.apply(params, x), params

    got, params = run("group")
    grouped = np.asarray(x).reshape(2, 12, 4, 3)  # gcd(12, 8) groups of 3 channels
    mean = grouped.mean((1, 3), keepdims=True)
    grouped = (grouped - mean) / np.sqrt(grouped.var((1, 3), keepdims=True) + 1e-5)
    want = grouped.reshape(x.shape) * params["bn"]["scale"] + params["bn"]["bias"]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)

    got, params = run("batch")
    layer, averages = params["params"]["bn"], params["batch_stats"]["bn"]
    want = (x - averages["mean"]) / np.sqrt(averages["var"] + 1e-5)
    want = want * layer["scale"] + layer["bias"]
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_average_pool_drops_what_is_left_over():
    x = arrays.normal(1, 2, 5, 4, 3)
    window = (1, 2, 2, 1)
    want = lax.reduce_window(x, 0.0, lax.add, window, window, "VALID") / 4
    chex.assert_trees_all_close(image_layers.average_pool(x), want, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "shape", "settings", "said"),
    [
        ("vgg", CIFAR, {}, "model=vgg: accepted are mlp, cnn, alexnet, resnet"),
        ("resnet", (10,), {}, r"model=resnet: .*\(10,\) are no images"),
        ("cnn", (3, 3, 1), {}, "at least 4 x 4"),
        ("alexnet", (28, 28, 1), {}, "28 x 28 pixels do not fit; accepted are 29 to"),
        ("alexnet", (32, 61, 3), {}, "32 x 61 pixels do not fit"),
        ("densenet", (3, 9, 3), {"depth": 10}, "3 x 9 pixels do not fit"),
        ("densenet", CIFAR, {"depth": 20}, "depth=20: accepted .* 10, 16, 22"),
        ("densenet", CIFAR, {"depth": 4}, "depth=4: accepted"),
        ("densenet", CIFAR, {"depth": 10, "growth_rate": 0}, "growth_rate=0"),
        ("densenet", CIFAR, {"depth": 10, "normalisation": "no"}, "normalisation=no"),
        ("resnet", CIFAR, {"depth": 21}, "depth=21: accepted .* 8, 14, 20"),
        ("resnet", CIFAR, {"depth": 2}, "depth=2: accepted"),
        ("resnet", CIFAR, {"block": "bottleneck", "depth": 14}, "11, 20, 29"),
        ("resnet", CIFAR, {"block": "wide"}, "block=wide"),
        ("resnet", CIFAR, {"normalisation": "layer"}, "normalisation=layer"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(name, shape, settings, said):
    with pytest.raises(errors.InputError, match=said):
        targets.build(name, shape, 10, **settings)


@pytest.mark.parametrize(
    ("name", "shape", "settings"),
    [
        ("mlp", (7,), {"widths": [4]}),
        ("mlp", (4, 4, 1), {}),
        ("cnn", (8, 8, 1), {}),
        ("alexnet", (29, 60, 1), {}),
        ("resnet", (1, 3, 2), {}),
        ("densenet", (4, 7, 1), {"depth": 10}),
    ],
)
def test_smallest_records(name, shape, settings):
    model = targets.build(name, shape, 6, **settings)
    x = jax.ShapeDtypeStruct((3, *shape), jnp.float32)
    assert jax.eval_shape(model.apply, shapes_of(model), x).shape == (3, 6)


def test_initial_weights():
    """PyTorch's uniform bounds, and bearpaw's normal convolutions."""

    def drawn(model, *path):
        def run(key):
            return functools.reduce(
                lambda tree, name: tree[name], path, model.init(key)
            )

        return jax.jit(run)(jax.random.key(0))

    bound = (3 * 11 * 11) ** -0.5
    for values in drawn(targets.build("alexnet", CIFAR, 9), "features_0").values():
        assert 0.9 * bound < jnp.abs(values).max() <= bound
    resnet = targets.build("resnet", (8, 8, 3), 10, depth=8)
    kernel = drawn(resnet, "layer3_0", "conv2", "kernel")
    assert kernel.std() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert jnp.abs(kernel).max() > 3 * kernel.std()  # not truncated
