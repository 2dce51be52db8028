"""Capture equals one gradient per example, on the models that Linen can make."""

import math

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

import jaxprivacy
from jaxprivacy import errors
from jaxprivacy.models import convolution, targets
from jaxprivacy.targets import layer_capture, layer_gradients, layers
from jaxprivacy.training import losses
from jaxprivacy.types import Layer


class Block(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return x + nn.Dense(x.shape[-1], use_bias=False)(
            jnp.tanh(nn.Dense(self.width)(x))
        )


class Residual(nn.Module):
    """Nested modules, residual connections, the same names in different scopes."""

    @nn.compact
    def __call__(self, x):
        x = nn.Dense(6)(x)
        x = Block(5)(x)
        x = Block(7)(nn.LayerNorm()(x))
        return nn.Dense(3, name="head")(x)


class Convolutions(nn.Module):
    """Stride, padding, dilation and groups; XLA's convolution and ours."""

    @nn.compact
    def __call__(self, x):
        ours = {"conv_general_dilated": convolution.conv_general_dilated}
        x = nn.relu(nn.Conv(4, (3, 2), strides=(2, 1), padding="SAME")(x))
        x = nn.Conv(6, (3, 3), padding=[(1, 0), (2, 1)], feature_group_count=2, **ours)(
            x
        )
        x = nn.tanh(nn.Conv(4, (2, 2), kernel_dilation=2, padding=1, use_bias=False)(x))
        x = nn.Conv(2, (1, 1), strides=2, padding="VALID", **ours)(x)
        return nn.Dense(3)(x.reshape(x.shape[0], -1))


class Sequence(nn.Module):
    """Dense layers applied at every position of a sequence."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(jnp.tanh(nn.Dense(5)(x)).mean(axis=1))


MODELS = {
    "bare dense": (nn.Dense(3), (4,)),
    "mlp": (targets.MLP((6, 5), 3), (2, 2)),
    "residual": (Residual(), (4,)),
    "convolutions": (Convolutions(), (9, 8, 2)),
    "sequence": (Sequence(), (7, 4)),
    "paper A": (targets.classifier((8, 8, 1), 3), (8, 8, 1)),
}


def example(name):
    module, shape = MODELS[name]
    model = targets.as_model(module, shape)
    params = jax.jit(model.init)(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (5, *shape))
    y = jnp.array([0, 1, 2, 1, 0])
    return model, params, x, y


def lookup(tree, path):
    for name in filter(None, path.split("/")):
        tree = tree[name]
    return tree


@pytest.mark.parametrize("name", MODELS)
def test_equals_a_gradient_per_example(name):
    model, params, x, y = example(name)

    def loss(params, x, y):
        return losses.cross_entropy(model.apply(params, x[None]), y[None])[0]

    oracle = jax.vmap(jax.value_and_grad(loss), (None, 0, 0))
    value, expected = jax.jit(oracle)(params, x, y)
    found = layers.layers(model.apply, params, x)

    @jax.jit
    def fast(params, x, y):
        got = layer_capture.capture(model.apply, params, x, y)
        gradients, norms = {}, {}
        for layer in found:
            h, delta = got.inputs[layer.path], got.deltas[layer.path]
            gradients[layer.path] = {
                "kernel": layer_gradients.kernel_gradient(layer, h, delta)
            }
            if layer.use_bias:
                bias = layer_gradients.bias_gradient(layer, delta)
                gradients[layer.path]["bias"] = bias
            norms[layer.path] = layer_gradients.squared_gradient_norm(layer, h, delta)
        return got.loss, gradients, norms

    loss_values, gradients, norms = fast(params, x, y)
    chex.assert_trees_all_close(loss_values, value, rtol=1e-5)
    for path, gradient in gradients.items():
        want = lookup(expected, path)
        chex.assert_trees_all_close(gradient, want, rtol=1e-5, atol=1e-6)
        square = sum(jnp.sum(g**2, range(1, g.ndim)) for g in want.values())
        chex.assert_trees_all_close(norms[path], square, rtol=1e-4)
    captured = len(jax.tree.leaves(gradients))
    # LayerNorm's two are passed by.
    assert captured + 2 * (name == "residual") == len(jax.tree.leaves(params))


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_outside_the_outputs_are_refused(label):
    model, params, x, y = example("bare dense")
    y = y.at[3].set(label)
    with pytest.raises(errors.InputError, match=f"^y: holds {label} at record 3"):
        layer_capture.capture(model.apply, params, x, y)
    traced = jax.jit(layer_capture.capture, static_argnums=0)(model.apply, params, x, y)
    wrong = jnp.isnan(traced.loss)
    assert wrong.tolist() == [False, False, False, True, False]
    assert jnp.isnan(traced.deltas[""][3]).all()


def test_one_output_is_captured_as_a_logit():
    model = targets.as_model(nn.Dense(1), (4,))
    params = {"kernel": jnp.ones((4, 1)), "bias": jnp.zeros(1)}
    x, y = jnp.array([[1.0, 0, 0, 1], [1, 0, 0, 1]]), jnp.array([0, 1])
    got = layer_capture.capture(model.apply, params, x, y)
    p = 1 / (1 + jnp.exp(-2.0))
    chex.assert_trees_all_close(got.loss, jnp.array([-jnp.log(1 - p), -jnp.log(p)]))
    chex.assert_trees_all_close(got.deltas[""][:, 0], jnp.array([p, p - 1]), rtol=1e-6)


def test_layers_are_named_by_path_in_call_order():
    model, params, x, _ = example("residual")
    paths = [layer.path for layer in layers.layers(model.apply, params, x)]
    assert paths == [
        "Dense_0",
        "Block_0/Dense_1",  # Made second, called first.
        "Block_0/Dense_0",
        "Block_1/Dense_1",
        "Block_1/Dense_0",
        "head",
    ]


def test_a_layer_called_twice_is_passed_by():
    class Shared(nn.Module):
        @nn.compact
        def __call__(self, x):
            layer = nn.Dense(4, name="tied")
            return nn.Dense(2, name="head")(layer(jnp.tanh(layer(x))))

    model = targets.as_model(Shared(), (4,))
    params = model.init(jax.random.key(0))
    found = layers.layers(model.apply, params, jnp.ones((1, 4)))
    assert [layer.path for layer in found] == ["head"]


@pytest.mark.parametrize(
    ("module", "shape", "is_layer"),
    [
        (nn.Conv(2, (3,)), (6, 2), True),
        (nn.Conv(2, (3, 3), input_dilation=2, padding=1), (6, 6, 2), False),
        (nn.Conv(2, (3, 3), padding="CIRCULAR"), (6, 6, 2), True),
        (nn.Conv(2, (2, 2, 2)), (4, 4, 4, 1), False),
        (nn.DenseGeneral((3, 2)), (6, 4), True),
        (nn.Embed(5, 2), (6,), False),
    ],
)
def test_layers_of_other_forms_are_whole_or_passed_by(module, shape, is_layer):
    class Model(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = module.copy(name="odd")(x)
            return nn.Dense(2, name="head")(x.reshape(x.shape[0], -1))

    kind = jnp.int32 if isinstance(module, nn.Embed) else jnp.float32
    x = jnp.arange(2 * math.prod(shape)).reshape(2, *shape) % 5
    x, y = x.astype(kind), jnp.array([0, 1])
    model = Model()
    params = jax.jit(model.init)(jax.random.key(0), x[:1])
    found, seen = layer_capture.layered(model.apply, params, x, y)
    assert [layer.path for layer in found] == ["odd", "head"][not is_layer :]
    norms = jaxprivacy.gradient_norms_by_leaf(model.apply, params, x, y)
    for layer in found:
        h, delta = seen.inputs[layer.path], seen.deltas[layer.path]
        square = norms[f"params/{layer.path}/kernel"] ** 2
        if layer.use_bias:
            square += norms[f"params/{layer.path}/bias"] ** 2
        got = layer_gradients.squared_gradient_norm(layer, h, delta)
        chex.assert_trees_all_close(got, square, rtol=1e-4)


def test_capture_in_a_loop_equals_capture_outside():
    model, params, x, y = example("convolutions")

    @jax.jit
    def in_loop(x, y):
        return jax.lax.map(
            lambda xy: layer_capture.capture(model.apply, params, *xy),
            (x[None], y[None]),
        )

    whole = jax.jit(lambda x, y: layer_capture.capture(model.apply, params, x, y))
    once = whole(x, y)
    looped = jax.tree.map(lambda a: a[0], in_loop(x, y))
    chex.assert_trees_all_close(looped, once, rtol=1e-5, atol=1e-6)


def test_norm_of_many_positions_is_that_of_the_gradient():
    """Where positions outnumber weights, another formula is taken."""
    layer = Layer("", "conv", 2, False, (3, 3), padding=((1, 1), (1, 1)))
    h = jax.random.normal(jax.random.key(0), (3, 9, 9, 1))
    delta = jax.random.normal(jax.random.key(1), (3, 9, 9, 2))

    @jax.jit
    def norms(h, delta):
        gradient = layer_gradients.kernel_gradient(layer, h, delta)
        return layer_gradients.squared_gradient_norm(layer, h, delta), gradient

    norm, gradient = norms(h, delta)
    chex.assert_trees_all_close(norm, jnp.sum(gradient**2, (1, 2, 3, 4)), rtol=1e-5)
