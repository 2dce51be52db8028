"""The two sides of the collaborative rows compute the same thing."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("torch", reason="the peers need PyTorch: pip install -e '.[bench]'")

from benchmarks import (  # noqa: E402
    collaboration_peers,
    collaboration_rows,
    peers,
    work,
)
from jaxprivacy.models import generators, targets  # noqa: E402
from jaxprivacy.training import local  # noqa: E402
from tests import arrays  # noqa: E402

close = {"rtol": 1e-4, "atol": 1e-5}
FIRST = jnp.arange(1)
KEY = jax.random.key(0)


@pytest.fixture(autouse=True)
def unshuffled(monkeypatch):
    """Our side takes the records in their order."""

    def in_order(key, mask, batch_size):
        del key
        return jnp.arange(mask.shape[0]).reshape(-1, batch_size)

    monkeypatch.setattr(local, "shuffled_batches", in_order)


def made_up(runner, inputs):
    """A state of made-up parameters before the first round, without compiling it."""
    params = jax.eval_shape(work.mnist().init, KEY)
    shapes, numbers = jax.eval_shape(runner.init, inputs, KEY, params), iter(range(99))
    return jax.tree.map(
        lambda a: (
            arrays.normal(next(numbers), *a.shape, scale=0.1)
            if a.dtype == jnp.float32
            else jnp.zeros(a.shape, a.dtype)
        ),
        shapes,
    )


def in_order(count, batch_size):
    return peers.torch.arange(count).split(batch_size)


def farthest(got, start):
    """The largest change of each tensor."""
    return [float((a - b).abs().max()) for a, b in zip(got, start, strict=True)]


def assert_close(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), **close)


def test_collaborative_epoch(monkeypatch):
    noise = np.asarray(arrays.normal(0, collaboration_rows.LOGGED, 100))
    monkeypatch.setattr(generators, "sample_noise", lambda key, count: noise[:count])
    settings = dataclasses.replace(
        collaboration_rows.PAPER,
        learning_rate=0.1,
        learning_rate_decay=0.1,
        generator_learning_rate=0.5,
        generator_steps=3,
        generator_batch=4,
        injected=2,
    )
    runner, inputs = collaboration_rows.collaborative(settings, held=6, measured=5)
    state = made_up(runner, inputs)
    peer = collaboration_rows.collaborative_peer(
        settings,
        inputs,
        state,
        batches=in_order,
        noise=lambda count: peers.torch.tensor(noise[:count]),
    )
    want = peer()
    new, info = runner.rounds(inputs, KEY, state, FIRST)
    shared = peers.from_linen(new.server.params)
    assert_close(shared, want.shared)
    assert min(farthest(shared, peers.from_linen(state.server.params))) > 1e-3

    def generator(state):
        first = jax.tree.map(lambda a: a[0], state.participants[1].inner.params)
        return collaboration_peers.generator_from_linen(first)

    assert_close(generator(new), want.generator)
    moved = farthest(generator(new), generator(state))
    del moved[4:-1:4]  # A bias before a normalisation has no gradient.
    assert min(moved) > 1e-3
    samples = peers.images(np.array(info["samples"][0, 0]))
    np.testing.assert_allclose(samples.numpy(), want.samples.numpy(), **close)
    accuracies = [float(info[f"{name}_accuracy"][0]) for name in ("train", "test")]
    np.testing.assert_allclose(accuracies, want.accuracies, rtol=1e-6)


def test_selective_round():
    settings = dataclasses.replace(
        collaboration_rows.SELECTIVE, batch_size=2, learning_rate=0.5
    )
    model = targets.as_model(targets.MLP((5, 4), 3), (7,))
    data = work.records(3, 6, shape=(7,), classes=3)
    runner = collaboration_rows.selective(settings, model)
    state = runner.init(data, KEY, arrays.params_of(model))
    # Apart by more than a round's uploads, so that no tie is broken at random.
    order = np.random.default_rng(0).permutation(state.server.counters.size)
    server = state.server._replace(counters=jnp.asarray(10 * order, jnp.int32))
    # The server has moved on since the participants last downloaded.
    moved = jax.tree.map(lambda a: a + 1, server.params)
    state = state._replace(server=server._replace(params=moved))
    peer = collaboration_rows.selective_peer(
        settings,
        peers.mlp,
        peers.torch.from_numpy(data.x),
        data.y,
        state,
        batches=in_order,
    )
    want, start = peer(), collaboration_rows.selective_from_ours(state)
    new, _ = runner.rounds(data, KEY, state, FIRST)
    got = collaboration_rows.selective_from_ours(new)
    assert_close(got, want)
    # Of 79 numbers each of the three uploads 8, some of them the same.
    uploads = got.counters - start.counters
    assert float(uploads.sum()) == 3 * 8
    assert 8 <= int((got.params != start.params).sum()) < 3 * 8
