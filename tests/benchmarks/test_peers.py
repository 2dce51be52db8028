"""The benchmarks' two sides compute the same thing."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

pytest.importorskip("torch", reason="the peers need PyTorch: pip install -e '.[bench]'")

from benchmarks import federated_rows, loop_rows, peers, run, work  # noqa: E402
from jaxprivacy.models import convolution, targets  # noqa: E402
from jaxprivacy.targets import (  # noqa: E402
    layer_capture,
    layer_gradients,
    layers as layers_lib,
)
from jaxprivacy.training import local  # noqa: E402
from tests import arrays  # noqa: E402

close = {"rtol": 1e-4, "atol": 1e-4}
EPOCHS, RECORDS, BATCH = 2, 6, 2
BATCHES = [[0, 1], [2, 3], [4, 5]] * EPOCHS


@pytest.fixture
def unshuffled(monkeypatch):
    """Both sides take the records in their order."""

    def in_order(key, mask, batch_size):
        del key
        return jnp.arange(mask.shape[0]).reshape(-1, batch_size)

    monkeypatch.setattr(local, "shuffled_batches", in_order)


def batches():
    return [peers.torch.tensor(b) for b in BATCHES]


def assert_same_params(params, theirs):
    for got, want in zip(peers.from_linen(params), theirs, strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), **close)


def mlp():
    """A small MLP, records for it, and both sides' parameters."""
    model = targets.as_model(targets.MLP((5, 4), 3), (7,))
    params = arrays.params_of(model)
    return model, params, work.records(RECORDS, shape=(7,), classes=3)


def images(*count):
    """Paper A's network and records for it."""
    model = work.mnist()
    params = arrays.params_of(model, scale=0.1)
    data = work.records(*count, RECORDS, shape=work.IMAGE, classes=work.CLASSES)
    return model, params, data


@pytest.mark.parametrize("peer", [peers.gradients_by_vmap, peers.gradients_by_loop])
def test_per_example_gradients_are_the_captured_ones(peer):
    model, params, data = mlp()
    found = layer_capture.capture(model.apply, params, data.x, data.y)
    x, y = peers.torch.from_numpy(data.x), peers.labels(data.y)
    theirs = peer(peers.from_linen(params), x, y)
    if peer is peers.gradients_by_loop:  # one list an example, not one array a layer
        theirs = [np.stack(layer) for layer in zip(*theirs, strict=True)]
    for i, layer in enumerate(layers_lib.layers(model.apply, params, data.x)):
        h, delta = found.inputs[layer.path], found.deltas[layer.path]
        kernel = layer_gradients.kernel_gradient(layer, h, delta)
        bias = layer_gradients.bias_gradient(layer, delta)
        np.testing.assert_allclose(
            np.swapaxes(kernel, 1, 2), np.asarray(theirs[2 * i]), **close
        )
        np.testing.assert_allclose(bias, np.asarray(theirs[2 * i + 1]), **close)


@pytest.mark.parametrize("network", [peers.mnist, peers.mnist_pooled_first])
def test_federated_round(unshuffled, network):
    model, params, data = images(2)
    step = federated_rows.federated_round(model, BATCH, EPOCHS)
    got = jax.jit(step)(jax.random.key(0), params, data)
    want = peers.federated_averaging(
        network,
        peers.from_linen(params),
        peers.images(data.x),
        peers.labels(data.y),
        [batches(), batches()],
        work.RATE,
    )
    assert_same_params(got, want)


@pytest.mark.parametrize("build", [mlp, images])
def test_descent(unshuffled, build):
    model, params, data = build()
    train = work.trainer(model, EPOCHS, BATCH)
    state = optax.sgd(work.RATE).init(params)
    got, _, _ = jax.jit(train)(jax.random.key(0), params, state, data)
    network, x = (
        (peers.mnist, peers.images(data.x))
        if build is images
        else (peers.mlp, peers.torch.from_numpy(data.x))
    )
    theirs = peers.from_linen(params)
    want = peers.sgd(network, theirs, x, peers.labels(data.y), batches(), work.RATE)
    assert_same_params(got, want)
    moved = [float((a - b).abs().max()) for a, b in zip(want, theirs, strict=True)]
    assert min(moved) > 1e-3  # further than the tolerance


def test_convolution_in_loop():
    x, kernel = arrays.normal(0, 2, 6, 6, 2), arrays.normal(1, 5, 5, 2, 3)
    convolutions = convolution.conv_general_dilated, jax.lax.conv_general_dilated
    got, want = [
        jax.jit(loop_rows.convolution_in_loop(c))(x, kernel) for c in convolutions
    ]
    chex.assert_trees_all_close(got, want, **close)


def test_every_epoch_of_the_peer_visits_every_record():
    found = peers.torch.cat(list(peers.shuffled(5, 2, 2))).reshape(2, 5)
    np.testing.assert_array_equal(np.sort(found, axis=1), [np.arange(5)] * 2)


def test_work_of_a_round_by_hand():
    # 28 -> 24 -> 8 -> 4 -> 2 pixels a side; multiplications of a forward pass
    layers = [24**2 * 25 * 32, 4**2 * 25 * 32 * 64, 256 * 200, 200 * 11]
    want = (6 * sum(layers) - 2 * layers[0]) * 10 * 1280 / 1e9
    model = work.mnist()
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    assert federated_rows.gflop_of_round(model, shapes) == pytest.approx(want)


def test_rows_have_names_of_their_own():
    assert len(run.ROWS) == 21
