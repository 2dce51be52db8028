"""Features equal a direct computation, one record and one snapshot at a time."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import errors, types
from jaxprivacy.attacks import features
from jaxprivacy.models import targets
from jaxprivacy.targets import layer_gradients, layers as layers_lib
from jaxprivacy.types import Layer
from tests import arrays


class Small(nn.Module):
    """A convolution whose gradient is smaller than its signals, then dense layers."""

    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(2, (2, 2))(x))
        x = jnp.tanh(nn.Dense(4)(x.reshape(x.shape[0], -1)))
        return nn.Dense(3, use_bias=False)(x)


N, T = 5, 2
MODEL = targets.as_model(Small(), (3, 3, 1))
X = arrays.normal(1, N, 3, 3, 1)
Y = jnp.array([0, 2, 1, 1, 0])
HIDDEN = ("Dense_0", "Dense_1")


def snapshots():
    stacked = [arrays.params_of(MODEL, seed) for seed in range(T)]
    return jax.tree.map(lambda *a: jnp.stack(a), *stacked)


def extract(feature_batch=2, **kwargs):
    params = snapshots()
    layers = layers_lib.layers(MODEL.apply, jax.tree.map(lambda a: a[0], params), X)
    options = {"hidden": HIDDEN, "gradients": layers, **kwargs}
    run = jax.jit(
        lambda params, x, y: features.extract(
            MODEL, params, x, y, feature_batch=feature_batch, **options
        )
    )
    return jax.device_get(run(params, X, Y))


@pytest.fixture(scope="module")
def extracted():
    return extract()


def loss_of(params, x, y):
    return -jax.nn.log_softmax(MODEL.apply(params, x[None])[0])[y]


@pytest.fixture(scope="module")
def per_record():
    """Loss and gradients of every record at every snapshot: (T, N, ...)."""
    one = jax.value_and_grad(loss_of)
    each = jax.vmap(jax.vmap(one, (None, 0, 0)), (0, None, None))
    return jax.tree.map(np.asarray, jax.jit(each)(snapshots(), X, Y))


def test_label_is_one_hot(extracted):
    np.testing.assert_array_equal(extracted.label, np.eye(3)[Y])


def test_loss_and_norm(extracted, per_record):
    loss, gradient = per_record
    np.testing.assert_allclose(extracted.loss, loss[..., None], rtol=1e-5)
    squares = [(g**2).reshape(T, N, -1).sum(-1) for g in jax.tree.leaves(gradient)]
    np.testing.assert_allclose(extracted.norm, np.sqrt(sum(squares)), rtol=1e-4)
    for i, path in enumerate(("Conv_0", "Dense_0", "Dense_1")):
        own = jax.tree.leaves(gradient[path])
        squares = [(g**2).reshape(T, N, -1).sum(-1) for g in own]
        got = extracted.layer_norms[..., i]
        np.testing.assert_allclose(got, np.sqrt(sum(squares)), rtol=1e-4)


def test_outputs_by_hand(extracted):
    """Probabilities, and hidden outputs: what goes into the layers after them."""
    params = jax.tree.map(np.asarray, snapshots())
    for t in range(T):
        conv, first, last = (
            {name: a[t] for name, a in params[path].items()}
            for path in ("Conv_0", "Dense_0", "Dense_1")
        )
        for n in range(N):
            x = np.pad(np.asarray(X[n, ..., 0]), ((0, 1), (0, 1)))
            h = np.array(
                [
                    [
                        np.tensordot(x[i : i + 2, j : j + 2], conv["kernel"][:, :, 0])
                        for j in range(3)
                    ]
                    for i in range(3)
                ]
            )
            h = np.maximum(h + conv["bias"], 0).reshape(-1)
            h2 = np.tanh(h @ first["kernel"] + first["bias"])
            p = np.exp(h2 @ last["kernel"])
            close = {"rtol": 1e-4, "atol": 1e-5}
            np.testing.assert_allclose(extracted.output[t, n], p / p.sum(), **close)
            np.testing.assert_allclose(extracted.hidden["Dense_0"][t, n], h, **close)
            np.testing.assert_allclose(extracted.hidden["Dense_1"][t, n], h2, **close)


def test_gradients_in_the_smaller_form(extracted, per_record):
    _, gradient = per_record
    forms = {path: set(kept) for path, kept in extracted.gradients.items()}
    # Conv_0: signals of 9 + 18 numbers, a gradient of 4 x 2. Dense_0: 18 + 4 below
    # 18 x 4. Dense_1: 4 + 3 below 4 x 3.
    signals = {"h", "delta"}
    assert forms == {"Conv_0": {"gradient"}, "Dense_0": signals, "Dense_1": signals}
    conv = gradient["Conv_0"]["kernel"].reshape(T, N, 1, 4, 2)
    close = {"rtol": 1e-4, "atol": 1e-6}
    np.testing.assert_allclose(extracted.gradients["Conv_0"]["gradient"], conv, **close)
    for path in ("Dense_0", "Dense_1"):
        kept = extracted.gradients[path]
        product = np.einsum("tni,tno->tnio", kept["h"], kept["delta"])
        np.testing.assert_allclose(product, gradient[path]["kernel"], **close)


@pytest.mark.parametrize("feature_batch", [3, 256])
def test_the_size_of_a_batch_changes_nothing(extracted, feature_batch):
    got = extract(feature_batch)
    chex.assert_trees_all_close(got, extracted, rtol=1e-5, atol=1e-6)


def test_black_box_and_another_loss(extracted):
    """Without hidden outputs and gradients; the norm is that of the loss given."""

    def twice(logits, y):
        return -2 * jax.nn.log_softmax(logits)[jnp.arange(len(y)), y]

    got = extract(hidden=(), gradients=(), loss=twice)
    assert (got.hidden, got.gradients) == ({}, {})
    np.testing.assert_array_equal(got.label, extracted.label)
    np.testing.assert_allclose(got.output, extracted.output, rtol=1e-5)
    np.testing.assert_allclose(got.loss, 2 * extracted.loss, rtol=1e-5)
    np.testing.assert_allclose(got.norm, 2 * extracted.norm, rtol=1e-5)


SIGNALS = {
    # layer, shape of h, shape of delta, form: the smaller one, signals at a tie
    "dense": (Layer("", "dense", 4, True), (6,), (4,), "signals"),
    "narrow": (Layer("", "dense", 1, True), (6,), (1,), "gradient"),
    "tie": (Layer("", "dense", 2, True), (2,), (2,), "signals"),
    "sequence": (Layer("", "dense", 4, True), (9, 3), (9, 4), "gradient"),
    "few positions": (
        Layer("", "conv", 8, True, (2, 2)),
        (2, 3, 4),
        (1, 2, 8),
        "signals",
    ),
    "groups": (
        Layer("", "conv", 4, True, (3, 3), groups=2),
        (6, 6, 4),
        (4, 4, 4),
        "gradient",
    ),
}


@pytest.fixture(scope="module")
def compacted():
    """Of each example: what is kept, its gradient, the gradient of the signals."""

    @jax.jit
    def run(signals):
        out = {}
        for name, (h, delta) in signals.items():
            layer = SIGNALS[name][0]
            kept = layer_gradients.compact(layer, h, delta)
            full = layer_gradients.gradient_matrix(layer, {"h": h, "delta": delta})
            out[name] = kept, layer_gradients.gradient_matrix(layer, kept), full
        return out

    signals = {
        name: (arrays.normal(0, 2, *h), arrays.normal(1, 2, *delta))
        for name, (_, h, delta, _) in SIGNALS.items()
    }
    return signals, jax.device_get(run(signals))


@pytest.mark.parametrize("name", SIGNALS)
def test_compact_picks_the_smaller_form(compacted, name):
    layer, _, _, form = SIGNALS[name]
    h, delta = compacted[0][name]
    kept, matrix, full = compacted[1][name]
    assert set(kept) == ({"h", "delta"} if form == "signals" else {"gradient"})
    np.testing.assert_allclose(matrix, full, rtol=1e-5, atol=1e-6)
    assert full.shape[1] == layer.groups
    assert full.shape[3] == layer.features // layer.groups
    kept_size = sum(a.size for a in kept.values())
    assert kept_size == min(h.size + delta.size, full.size)


def test_take_gathers_records(extracted):
    got = jax.jit(features.take)(extracted, np.array([3, 0]))
    chex.assert_trees_all_equal(got.label, extracted.label[[3, 0]])
    want = jax.tree.map(lambda a: a[:, [3, 0]], extracted._replace(label=()))
    chex.assert_trees_all_equal(got._replace(label=()), want)


def test_scales_are_those_of_the_known_records_alone(extracted):
    known = np.array([0, 3])
    scales = features.root_mean_square(jax.jit(features.moments)(extracted, known))
    got = jax.jit(features.take)(extracted._replace(scales=scales), np.array([2, 1]))

    def scaled(a):
        a = np.asarray(a)
        return a[:, [2, 1]] / np.sqrt((a[:, known] ** 2).mean())

    plain = features.take(extracted, np.array([2, 1]))
    want = plain._replace(
        loss=scaled(extracted.loss),
        hidden=jax.tree.map(scaled, extracted.hidden),
        gradients=jax.tree.map(scaled, extracted.gradients),
        statistics=jax.tree.map(scaled, extracted.statistics),
    )
    chex.assert_trees_all_close(got, want, rtol=1e-5)


def test_features_that_are_0_can_be_scaled(extracted):
    zero = extracted._replace(loss=np.zeros_like(extracted.loss))
    scales = features.root_mean_square(features.moments(zero, np.array([0, 1])))
    got = features.take(zero._replace(scales=scales), np.arange(2))
    np.testing.assert_array_equal(got.loss, zero.loss[:, :2])


def test_standard_units_have_mean_0_and_deviation_1(extracted):
    known = np.arange(4)
    scales = features.standard(features.moments(extracted, known))
    got = features.take(extracted._replace(scales=scales), known)
    for a, deviation in (
        (got.statistics.log_odds, 1.0),
        (got.loss, 1.0),
        *((a, a.shape[-1] ** -0.5) for a in got.hidden.values()),
    ):
        flat = np.asarray(a, np.float64).reshape(-1, a.shape[-1])
        np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-3)
        varies = flat.std(axis=0) > 1e-3
        np.testing.assert_allclose(flat.std(axis=0)[varies], deviation, rtol=1e-2)


def test_a_constant_unit_becomes_0(extracted):
    same = extracted._replace(loss=np.full_like(extracted.loss, 3.0))
    scales = features.standard(features.moments(same, np.arange(3)))
    got = features.take(same._replace(scales=scales), np.arange(3))
    np.testing.assert_allclose(got.loss, 0, atol=1e-3)


def test_labels_outside_the_outputs_are_refused():
    with pytest.raises(errors.InputError, match="^y: holds 3 at record 4; accepted"):
        features.extract(MODEL, snapshots(), X, Y.at[4].set(3), hidden=(), gradients=())


def test_a_unit_that_is_dead_on_known_records_stays_0(extracted):
    """It has no scale: divided by next to nothing it would rule every score."""
    hidden = {path: np.array(a) for path, a in extracted.hidden.items()}
    path = next(iter(hidden))
    hidden[path][:, :2, 0] = 0
    hidden[path][:, 2, 0] = 0.3
    dead = extracted._replace(hidden=hidden)
    scales = features.standard(features.moments(dead, np.arange(2)))
    got = features.take(dead._replace(scales=scales), np.arange(3))
    np.testing.assert_array_equal(got.hidden[path][:, :, 0], 0)
    assert np.isfinite(got.hidden[path]).all()


def test_a_model_without_layers_is_refused():
    model = types.Model(lambda key: jnp.ones(4), lambda p, x: x * p)
    batch = features.extractor(model, hidden=(), gradients=())
    with pytest.raises(errors.InputError, match="^model: no product"):
        batch(jnp.ones((1, 4)), jnp.ones((2, 4)), jnp.array([0, 1]))
