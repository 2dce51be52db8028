"""Layers of models that are no Linen modules, beside one gradient per example."""

import chex
import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax import lax

from jaxprivacy.targets import (
    inputs,
    layer_capture,
    layer_gradients,
    layers,
    target as targets,
)

ROWS, CHANNELS = 6, 2


class OfNnx(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(CHANNELS, 4, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.LayerNorm(4, rngs=rngs)
        self.head = nnx.Linear(36, 3, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.conv(x)))
        return self.head(x.reshape(len(x), -1))


def normal(place, *shape):
    return jax.random.normal(jax.random.key(place), shape)


def of_nnx():
    made = targets.nnx(OfNnx(nnx.Rngs(0)))
    conv = {"window": (3, 3), "strides": (2, 2), "padding": ((0, 1), (0, 1))}
    names = {
        "conv": ("conv/kernel/value", "conv/bias/value", conv),
        "head": ("head/kernel/value", "head/bias/value", {}),
    }
    return made.apply, made.params, names


def bare():
    """Kernels (out, in) on the left, channels before rows, a bias of another name."""

    def apply(params, x):
        x = x.transpose(0, 3, 1, 2)
        x = lax.conv_general_dilated(
            x, params["filters"], (1, 1), ((1, 0), (0, 1)), rhs_dilation=(1, 2)
        )
        x = jnp.tanh(x).mean(axis=3).transpose(2, 0, 1)  # (rows, B, channels)
        x = jnp.einsum("oi,sbi->bos", params["mix"], x)
        out = jnp.tanh(x.sum(axis=2)) @ params["head"]["weight"]
        return (out + params["head"]["bias"]).astype(jnp.float32)

    params = {
        "filters": normal(0, 4, CHANNELS, 2, 2),
        "head": {"weight": normal(1, 5, 3), "bias": normal(2, 3)},
        "mix": normal(3, 5, 4),
    }
    conv = {"window": (2, 2), "padding": ((1, 0), (0, 1)), "dilation": (1, 2)}
    names = {
        "filters": ("filters", None, conv),
        "mix": ("mix", None, {}),
        "head/weight": ("head/weight", "head/bias", {}),
    }
    return apply, params, names


@pytest.mark.parametrize("make", [of_nnx, bare])
def test_equals_a_gradient_per_example(make):
    apply, params, names = make()
    x, y = normal(9, 4, ROWS, ROWS, CHANNELS), jnp.array([0, 1, 2, 1])

    def loss(params, x, y):
        return inputs.cross_entropy(apply(params, x[None])[0], y)

    @jax.jit
    def both(params, x, y):
        seen = layer_capture.capture(apply, params, x, y)
        norms = {
            layer.path: layer_gradients.squared_gradient_norm(
                layer, seen.inputs[layer.path], seen.deltas[layer.path]
            )
            for layer in found
        }
        return norms, jax.vmap(jax.grad(loss), (None, 0, 0))(params, x, y)

    found = layers.layers(apply, params, x)
    assert [layer.path for layer in found] == list(names)
    norms, whole = both(params, x, y)
    whole = {
        jax.tree_util.keystr(path, simple=True, separator="/"): g
        for path, g in jax.tree_util.tree_flatten_with_path(whole)[0]
    }
    for layer in found:
        kernel, bias, form = names[layer.path]
        assert layer.use_bias == (bias is not None)
        assert layer._asdict() | form == layer._asdict()
        parts = [whole[path] for path in (kernel, bias) if path]
        square = sum(jnp.sum(g**2, range(1, g.ndim)) for g in parts)
        chex.assert_trees_all_close(norms[layer.path], square, rtol=1e-4)


@pytest.mark.parametrize(
    "apply",
    [
        lambda p, x: x @ jnp.exp(p),  # computed
        lambda p, x: (x @ p) @ p.T,  # shared
        lambda p, x: x @ p[:, :2] + x @ p[:, 2:],  # two parts of one array
        lambda p, x: x * p[0],  # no product
        lambda p, x: jnp.einsum("bi,bio->bo", x, jnp.stack([p] * len(x))),
    ],
)
def test_other_sites_are_no_layers(apply):
    assert layers.layers(apply, jnp.ones((4, 4)), jnp.ones((1, 4))) == ()


def test_a_bias_that_is_added_elsewhere_is_not_the_layer_s():
    def apply(p, x):
        return jnp.tanh(x @ p["kernel"]) + p["bias"]

    (layer,) = layers.layers(
        apply, {"kernel": jnp.ones((4, 3)), "bias": jnp.ones(3)}, jnp.ones((1, 4))
    )
    assert layer.path == "" and not layer.use_bias


def test_one_number_that_is_added_is_no_bias_of_each_feature():
    params = {"kernel": jnp.ones((4, 3)), "bias": jnp.ones(())}
    (layer,) = layers.layers(
        lambda p, x: x @ p["kernel"] + p["bias"], params, jnp.ones((1, 4))
    )
    assert not layer.use_bias


def test_hidden_outputs_are_those_that_parameters_have_a_part_in():
    def apply(p, x):
        return (jnp.tanh(x) @ p["first"]) * p["scale"] @ p["last"]

    params = {"first": jnp.ones((4, 3)), "scale": jnp.ones(3), "last": jnp.ones((3, 2))}
    program = layers.trace(apply, params, jnp.ones((1, 4)))
    assert layers.hidden(program) == {"last"}
    outputs, hidden = layer_capture.inputs(apply, params, jnp.ones((2, 4)))
    chex.assert_trees_all_close(hidden["last"] @ params["last"], outputs)
