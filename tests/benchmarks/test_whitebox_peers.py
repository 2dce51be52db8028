"""The two sides of the white-box rows compute the same thing."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("torch", reason="the peers need PyTorch: pip install -e '.[bench]'")

from benchmarks import (  # noqa: E402
    feature_memory_rows,
    peers,
    whitebox_peers,
    whitebox_rows,
)
from jaxprivacy.attacks import features, whitebox  # noqa: E402
from jaxprivacy.models import attack_presets  # noqa: E402
from jaxprivacy.targets import layer_gradients  # noqa: E402
from jaxprivacy.types import Layer  # noqa: E402
from tests import arrays  # noqa: E402

close = {"rtol": 1e-4, "atol": 1e-5}
KEY = jax.random.key(0)
SMALL = dataclasses.replace(
    attack_presets.ML_PRIVACY_METER,
    gradient_kernels=4,
    gradient_widths=(12, 10),
    output_widths=(9, 8),
    label_widths=(8, 7),
    loss_widths=(7, 6),
    encoder_widths=(20, 16),
    init_std=0.5,
    learning_rate=0.02,
    batch_size=4,
)


def as_torch(gradient):
    """(B, h, w, in, out) -> (B, out, in, h, w); (B, in, out) -> (B, out, in)."""
    axes = {5: (0, 4, 3, 1, 2), 3: (0, 2, 1), 2: (0, 1)}
    return np.transpose(gradient, axes[gradient.ndim])


def peers_gradients(how, target):
    """The peer's gradients of all parameters, (B, ...) each."""
    network, params, x, y = target.peer()
    if how == "loop":
        found = whitebox_peers.gradients_by_loop(network, params, x, y)
        return [np.stack(g) for g in zip(*found, strict=True)]
    everything = range(len(params))
    parts = whitebox_peers.seen_by_vmap(network, params, everything, x, y, 1)
    return [np.concatenate(g) for g in zip(*(p.gradients for p in parts), strict=True)]


def our_gradients(target):
    """The captured gradients of all parameters, as PyTorch lays them out."""
    look = whitebox_rows.features(target, target.layers, feature_batch=1)

    def run(params, x, y):
        found, gradients = look(params, x, y).gradients, []
        for layer in target.layers:
            kept = {name: a[0] for name, a in found[layer.path].items()}
            gradients.append(layer_gradients.kernel_gradient(layer, **kept))
            gradients.append(layer_gradients.bias_gradient(layer, kept["delta"]))
        return gradients

    found = jax.jit(run)(target.params, target.records.x, target.records.y)
    return [as_torch(g) for g in map(np.asarray, found)]


def test_gradients_of_alexnet():
    target = whitebox_rows.alexnet(2)
    ours = our_gradients(target)
    assert len(ours) == 12
    for how in ("loop", "vmap"):
        theirs = peers_gradients(how, target)
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a, b, **close)
            assert np.abs(b).max() > 1e-3  # larger than the tolerance


def attack_on_made_up_features():
    """Both sides' parameters and features of a convolution and of a linear layer."""
    pad = ((1, 1), (1, 1))
    layers = (
        Layer("Conv_0", "conv", 3, True, window=(3, 2), padding=pad),
        Layer("Dense_0", "dense", 7, True),
    )
    kept = [(arrays.normal(0, 4, 4, 4, 2), arrays.normal(1, 4, 4, 5, 3))]
    kept += [(arrays.normal(2, 4, 6), arrays.normal(3, 4, 7))]
    output = jax.nn.softmax(arrays.normal(4, 4, 5))
    label, loss = jax.nn.one_hot(jnp.arange(4), 5), -jnp.log(output[:, :1])
    ours = features.Features(
        label,
        loss[None],
        output[None],
        {},
        {
            layer.path: {"h": h[None], "delta": d[None]}
            for layer, (h, d) in zip(layers, kept, strict=True)
        },
        jnp.zeros((1, 4)),
    )
    gradients = [
        peers.torch.tensor(as_torch(layer_gradients.kernel_gradient(layer, *pair)))
        for layer, pair in zip(layers, kept, strict=True)
    ]
    as_tensors = [peers.torch.tensor(np.asarray(a)) for a in (label, loss, output)]
    module = whitebox.network(layers, SMALL)
    init = jax.eval_shape(lambda: module.init(KEY, ours, training=False))
    params = arrays.params_like(init["params"], scale=0.5)
    theirs = whitebox_peers.attack_from_linen(params, layers)
    seen = whitebox_peers.Seen(*as_tensors, gradients)
    return layers, module, params, ours, theirs, seen


def test_attack_network():
    layers, module, params, ours, theirs, seen = attack_on_made_up_features()
    is_member = jnp.array([1.0, 1.0, 0.0, 0.0])

    def loss(params):
        logits = module.apply({"params": params}, ours, training=True)
        return whitebox.squared_error(logits, is_member), logits

    (value, logits), gradient = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    weights = [w.requires_grad_() for w in whitebox_peers.tensors(theirs)]
    found = whitebox_peers.attack_logits(theirs, seen)
    np.testing.assert_allclose(logits, found.detach(), **close)
    assert np.ptp(logits) > 0.1
    error = whitebox_peers.squared_error(theirs, seen)
    np.testing.assert_allclose(value, error.detach(), **close)
    want = whitebox_peers.tensors(whitebox_peers.attack_from_linen(gradient, layers))
    got = peers.torch.autograd.grad(error, weights)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, **close)
    assert sum(float(g.abs().max()) > 1e-3 for g in got) > len(got) // 2


def test_epoch_of_the_attack(monkeypatch):
    monkeypatch.setattr(whitebox, "_order", lambda key, indices, length: indices)
    target = whitebox_rows.mlp(16, widths=(6,), inputs=7, classes=3)
    study = whitebox_rows.Study(target, target.layers, SMALL, feature_batch=3)
    epoch, state = whitebox_rows.attack(study)
    in_order = {"order": peers.torch.arange}
    loop = whitebox_rows.attack_peer(study, state, cached=False, **in_order)
    cached = whitebox_rows.attack_peer(study, state, cached=True, **in_order)
    records, losses = target.records, []
    run = jax.jit(epoch)
    for _ in range(4):
        state, info = run(KEY, target.params, records.x, records.y, state)
        losses.append([info["train_loss"][0], info["selection_loss"][0]])
        for peer in (loop, cached):
            np.testing.assert_allclose(losses[-1], peer(), rtol=1e-4)
    assert np.ptp(losses, axis=0).min() > 1e-3  # further than the tolerance


def test_kept_features_by_hand():
    """Input and error signal of each layer, label, output, loss, and all norms."""
    widths = (600, 1024, 512, 256, 128, 100)
    numbers = sum(widths[:-1]) + sum(widths[1:]) + 2 * 100 + 1 + 1 + 5
    found = feature_memory_rows.kept_mib(300)
    assert found == pytest.approx(300 * 4 * numbers / 2**20)


def test_attack_whose_memory_is_measured(monkeypatch):
    small = whitebox_rows.mlp(12, widths=(5,), inputs=7, classes=3)
    monkeypatch.setattr(whitebox_rows, "mlp", lambda count: small)
    monkeypatch.setattr(feature_memory_rows, "FEATURE_BATCH", 4)
    scores = feature_memory_rows.load(feature_memory_rows.STREAMED, 12)()()
    assert scores.shape == (12,)
    assert np.ptp(scores) > 0
