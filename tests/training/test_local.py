"""Local training equals a plain loop over the batches that it draws."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxprivacy import types
from jaxprivacy.training import gradients, local
from tests import arrays

MODEL = types.Model(lambda key: None, lambda w, x: x @ w)
KEY = jax.random.key(7)
EPOCHS = 2
FULL = [1] * 8
PADDED = [0, 1, 1, 0, 1, 1, 1, 0]


def records(mask, seed=0):
    mask = np.array(mask, np.float32)
    x = np.asarray(arrays.normal(seed, len(mask), 2))
    return types.Batch(x, np.arange(len(mask)) % 3, mask)


@functools.cache
def log_of_batches(count, batch_size):
    """Two epochs that train nothing and write down which records they are given.

    The records' numbers travel as their x, and the parameters are a log of them: what
    the gradient function is given is read off without knowing how it is drawn.
    """
    width = min(batch_size, count)  # A batch never holds more than there are records.
    steps = EPOCHS * -(-count // width)

    def write(key, params, batch):
        row = params["row"].astype(jnp.int32)
        entry = (batch.x + 1) * batch.mask
        log = jnp.zeros_like(params["log"]).at[row].set(entry)
        return {"row": jnp.array(-1.0), "log": -log}, jnp.array(0.0)

    train = local.sgd(write, optax.sgd(1.0), epochs=EPOCHS, batch_size=batch_size)

    @jax.jit
    def run(key, data):
        params = {"row": jnp.array(0.0), "log": jnp.zeros((steps, width))}
        return train(key, params, optax.sgd(1.0).init(params), data)[0]

    return run


def batches_seen(key, data, batch_size):
    """The batches that `sgd` trains on, in order: numbers of records, -1 for none."""
    numbered = data._replace(x=np.arange(len(data.mask), dtype=np.float32))
    log = log_of_batches(len(data.mask), batch_size)(key, numbered)
    return np.asarray(log["log"], int)[: int(log["row"])] - 1


@pytest.mark.parametrize(
    ("mask", "batch_size"),
    [
        (FULL, 3),
        (FULL, 4),
        (FULL, 8),
        (FULL, 9),
        (FULL, 1),
        (PADDED, 3),
        (PADDED, 9),
        (PADDED, 1),
        ([1, 1, 1, 0, 0, 0, 0, 0], 3),
    ],
)
def test_every_epoch_trains_on_each_real_record_once(mask, batch_size):
    seen = batches_seen(KEY, records(mask), batch_size)
    real = np.flatnonzero(mask)
    epochs = seen.reshape(EPOCHS, -1, seen.shape[-1])
    assert epochs.shape[1] == -(-len(real) // batch_size)
    for epoch in epochs:
        assert sorted(epoch[epoch >= 0]) == list(real)
        # All batches but the last are full.
        assert (epoch[:-1] >= 0).all()


def test_epochs_and_keys_have_their_own_order():
    orders = [
        *batches_seen(KEY, records(FULL), 8),
        *batches_seen(jax.random.key(8), records(FULL), 8),
        np.arange(8),
    ]
    assert len({tuple(order) for order in orders}) == 5


def test_no_record_means_mask_0():
    data = records([1, 1, 1])
    got = jax.jit(local.take)(data, np.array([2, 3, 0]))
    np.testing.assert_array_equal(got.mask, [1, 0, 1])
    np.testing.assert_array_equal(got.x, [data.x[2], [0, 0], data.x[0]])
    np.testing.assert_array_equal(got.y, [2, 0, 0])


def loop(w, data, batches, rate, momentum):
    """Mini-batch descent with momentum on softmax regression, in NumPy."""
    w, velocity = np.array(w, np.float64), 0
    losses, counts = [], []
    for batch in batches:
        chosen = batch[batch >= 0]
        x, y = data.x[chosen], data.y[chosen]
        p = np.exp(x @ w)
        p /= p.sum(axis=1, keepdims=True)
        losses += list(-np.log(p[np.arange(len(y)), y]))
        counts.append(len(y))
        velocity = momentum * velocity + x.T @ (p - np.eye(3)[y]) / len(y)
        w = w - rate * velocity
    return w, np.mean(losses)


@jax.jit
def trained(key, w, data, momentum):
    optimizer = optax.sgd(0.3, momentum=momentum)
    train = local.sgd(gradients.plain(MODEL), optimizer, epochs=EPOCHS, batch_size=3)
    params, _, loss = train(key, w, optimizer.init(w), data)
    return params, loss


@pytest.mark.parametrize(
    ("mask", "momentum"),
    [(FULL, 0.0), (FULL, 0.9), (PADDED, 0.9)],
)
def test_sgd_equals_a_plain_loop(mask, momentum):
    data, w = records(mask), arrays.normal(1, 2, 3)
    params, loss = trained(KEY, w, data, momentum)
    batches = batches_seen(KEY, data, 3)
    want, want_loss = loop(w, data, batches, 0.3, momentum)
    assert np.abs(want - w).max() > 0.1
    np.testing.assert_allclose(params, want, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(loss, want_loss, rtol=1e-5)


def test_padding_changes_nothing():
    """Neither parameters nor momentum, decay or schedule move on padding."""
    data, w = records([1] * 5), arrays.normal(1, 2, 3)
    padding = records([0] * 6, seed=3)._replace(x=np.full((6, 2), 100, np.float32))
    padded = types.Batch(*map(np.concatenate, zip(data, padding, strict=True)))
    optimizer = optax.chain(
        optax.add_decayed_weights(0.1),
        optax.sgd(lambda step: 0.3 / (1 + step), momentum=0.9, nesterov=True),
    )
    train = jax.jit(
        local.sgd(gradients.plain(MODEL), optimizer, epochs=2, batch_size=2)
    )
    want = train(KEY, w, optimizer.init(w), data)
    got = train(KEY, w, optimizer.init(w), padded)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_nothing_but_padding_changes_nothing():
    data, w = records([0] * 3), arrays.normal(1, 2, 3)
    optimizer = optax.sgd(0.3, momentum=0.9)
    state = optimizer.init(w + 1)
    state = jax.tree.map(lambda a: a + 1, state)  # Velocity from earlier rounds.
    train = local.sgd(gradients.plain(MODEL), optimizer, epochs=2, batch_size=2)
    params, new_state, loss = jax.jit(train)(KEY, w, state, data)
    np.testing.assert_array_equal(params, w)
    for a, b in zip(jax.tree.leaves(new_state), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(a, b)
    assert float(loss) == 0


def test_every_step_has_its_own_key():
    def noise(key, params, batch):
        return jax.random.normal(key, params.shape), jnp.array(0.0)

    data = records([1] * 4)
    train = local.sgd(noise, optax.sgd(1.0), epochs=2, batch_size=2)
    # Without a carry the sum of four draws would be four times one of them.
    total = jax.jit(train)(KEY, jnp.zeros(1000), optax.sgd(1.0).init(0.0), data)[0]
    # The sum of four independent standard normals has variance 4, of one four times 16.
    assert float(jnp.var(total)) == pytest.approx(4, rel=0.25)
