"""Records come back from their gradient, and not from another's."""

import functools

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import datasets

from jaxprivacy.attacks import compressed_inversion, gradient_inversion as inversion
from jaxprivacy.defenses import compression

SHAPE, K = (8, 8, 1), 10
DIGITS = datasets.load_digits()
X = jnp.asarray(DIGITS.images[:32, ..., None] / 8 - 1, jnp.float32)
Y = jnp.asarray(DIGITS.target[:32])


def mlp(params, x):
    """A small network of sigmoids."""
    hidden = jax.nn.sigmoid(x.reshape(len(x), -1) @ params["w"] + params["b"])
    return hidden @ params["v"] + params["c"]


def made(key, width=64):
    keys = jax.random.split(jax.random.key(key), 3)
    return {
        "w": jax.random.normal(keys[0], (64, width)) / 8,
        "b": jax.random.normal(keys[1], (width,)) / 8,
        "v": jax.random.normal(keys[2], (width, K)) / 8,
        "c": jnp.zeros(K),
    }


PARAMS = made(0)


@functools.partial(jax.jit, static_argnames=("rate", "steps", "batch_size"))
def update(x, y, rate=1.0, steps=1, batch_size=None):
    return inversion.update(
        mlp, PARAMS, x, y, rate=rate, steps=steps, batch_size=batch_size
    )


def gradient(x, y):
    return inversion.mean_gradient(update(x, y))


def mean_loss(params, x, y):
    return -jnp.take_along_axis(
        jax.nn.log_softmax(mlp(params, x)), y[:, None], 1
    ).mean()


def psnr(a, b):
    return 10 * np.log10(4 / np.mean((np.asarray(a) - np.asarray(b)) ** 2))


def close(a, b, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), a, b)


def test_one_local_step_is_the_gradient_times_the_rate():
    want = jax.grad(mean_loss)(PARAMS, X[:4], Y[:4])
    got = update(X[:4], Y[:4], rate=0.5)
    close(got, jax.tree.map(lambda g: -0.5 * g, want), rtol=1e-4, atol=1e-8)
    close(inversion.mean_gradient(got, rate=0.5), want, rtol=1e-4, atol=1e-8)


def test_local_steps_are_those_of_a_plain_loop():
    local = PARAMS
    for step in range(5):
        part = slice(2, 4) if step % 2 else slice(0, 2)
        grads = jax.grad(mean_loss)(local, X[part], Y[part])
        local = jax.tree.map(lambda p, g: p - 0.3 * g, local, grads)
    got = update(X[:4], Y[:4], rate=0.3, steps=5, batch_size=2)
    close(got, jax.tree.map(jnp.subtract, local, PARAMS), rtol=1e-3, atol=1e-6)


def test_batches_that_do_not_divide_the_records_are_refused():
    with pytest.raises(ValueError, match="batch_size=3: accepted are divisors of 4"):
        inversion.update(mlp, PARAMS, X[:4], Y[:4], batch_size=3)


def test_the_expected_loss_is_that_of_a_soft_label():
    loss = inversion.expected(inversion.cross_entropy, 3)
    output, p = jnp.array([1.0, 2.0, 4.0]), jnp.array([0.2, 0.3, 0.5])
    want = -np.dot(p, jax.nn.log_softmax(output))
    np.testing.assert_allclose(loss(output, p), want, rtol=1e-6)


@pytest.mark.parametrize("label", range(K))
def test_the_label_of_one_record_is_read_off(label):
    found = gradient(X[3:4], jnp.array([label]))
    assert inversion.recover_label(found["v"]) == label
    assert inversion.recover_labels(found["c"], 1) == label


def test_labels_of_a_batch_are_counted():
    # By hand: probabilities of 1/2 less shares of 3/4 and 1/4.
    got = inversion.recover_labels(jnp.array([-0.25, 0.25]), 4)
    assert got.tolist() == [0, 0, 0, 1]
    y = jnp.array([2, 2, 2, 5, 5, 7, 0, 9])
    found = gradient(X[:8], y)
    shares = jax.nn.softmax(mlp(PARAMS, X[16:])).mean(axis=0)
    got = inversion.recover_labels(found["c"], 8, shares)
    assert got.tolist() == sorted(y.tolist())


def test_total_variation_by_hand():
    x = jnp.array([[0.0, 1.0], [3.0, 5.0]]).reshape(1, 2, 2, 1)
    # Down: 3 and 4; across: 1 and 2.
    assert inversion.total_variation(x) == 3.5 + 1.5
    assert inversion.total_variation(jnp.ones((2, 3, 4, 1))) == 0


def test_the_cosine_distance_by_hand():
    a = {"w": jnp.array([3.0, 0.0]), "b": jnp.array([4.0])}
    b = {"w": jnp.array([0.0, 2.0]), "b": jnp.array([2.0])}
    want = 1 - 8 / (5 * np.sqrt(8))
    np.testing.assert_allclose(inversion.cosine_distance(a, b), want, rtol=1e-6)
    zero = jax.tree.map(jnp.zeros_like, a)
    assert inversion.cosine_distance(a, zero) == 1
    slope = jax.grad(lambda b: inversion.cosine_distance(a, b))(zero)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))


def test_the_best_has_the_smallest_cost_that_is_a_number():
    founds = inversion.Found(
        jnp.arange(3.0)[:, None], jnp.arange(3), jnp.array([jnp.nan, 2.0, 1.0])
    )
    assert inversion.best(founds).y == 2


SOFT = inversion.expected(inversion.cross_entropy, K)


@functools.partial(jax.jit, static_argnames=("count", "steps"))
def dlg(key, observed, count=1, steps=300):
    def simulate(x, p):
        return inversion.mean_gradient(inversion.update(mlp, PARAMS, x, p, loss=SOFT))

    return inversion.dlg(
        key, simulate, observed, shape=SHAPE, count=count, classes=K, steps=steps
    )


@jax.jit
def invert(key, observed, y):
    def simulate(x, y):
        return inversion.mean_gradient(inversion.update(mlp, PARAMS, x, y))

    return inversion.invert_gradients(
        key, simulate, observed, y, shape=SHAPE, variation=1e-4, steps=600, restarts=2
    )


@pytest.mark.parametrize("index", [0, 5])
def test_deep_leakage_finds_record_and_label(index):
    one = slice(index, index + 1)
    found = dlg(jax.random.key(index), gradient(X[one], Y[one]))
    assert found.y == Y[one]
    assert psnr(found.x, X[one]) > 30


def test_inverting_gradients_finds_the_record():
    found = invert(jax.random.key(0), gradient(X[:1], Y[:1]), Y[:1])
    assert psnr(found.x, X[:1]) > 25
    assert np.abs(found.x).max() <= 1


def test_the_gradient_of_another_record_gives_the_other_record():
    found = dlg(jax.random.key(0), gradient(X[5:6], Y[5:6]))
    assert psnr(found.x, X[:1]) < 15
    found = invert(jax.random.key(0), gradient(X[5:6], Y[5:6]), Y[5:6])
    assert psnr(found.x, X[:1]) < 15


def test_entries_that_were_not_sent_are_not_compared():
    made = {"a": jnp.array([1.0, 2.0]), "b": jnp.array([3.0, 4.0])}
    half = {"a": jnp.array([0.0, 5.0]), "b": jnp.array([0.0, 6.0])}
    seen = compressed_inversion.as_sparse(made, half, 0.5)
    close(seen, {"a": np.array([0.0, 2.0]), "b": np.array([0.0, 4.0])})
    # Where all could have been sent, those that are 0 are 0 indeed.
    close(compressed_inversion.as_sparse(made, half, 1.0), made)


def test_signs_are_smooth_and_of_the_size_that_was_sent():
    observed = {"a": jnp.array([2.0, -2.0, 2.0])}
    made = {"a": jnp.array([30.0, -3.0, 0.0])}  # Their mean size is 11.
    soft = compressed_inversion.SOFT * 11
    wanted = [2 * m / np.sqrt(m**2 + soft**2) for m in (30, -3, 0)]
    close(compressed_inversion.as_signs(made, observed)["a"], wanted, rtol=1e-5)
    again = jax.tree.map(lambda m: 7 * m, made)
    close(compressed_inversion.as_signs(again, observed)["a"], wanted, rtol=1e-5)
    slope = jax.grad(
        lambda m: compressed_inversion.as_signs({"a": m}, observed)["a"].sum()
    )
    assert np.isfinite(slope(jnp.zeros(3))).all()


def test_who_knows_that_a_tenth_was_sent_finds_more():
    fraction, whole = 0.1, gradient(X[:1], Y[:1])
    compress = compression.top_k(fraction)
    flat, unravel = jax.flatten_util.ravel_pytree(whole)
    sent = unravel(compress(jax.random.key(0), flat))

    @jax.jit
    def search(key, knows):
        def simulate(x, y):
            made = inversion.mean_gradient(inversion.update(mlp, PARAMS, x, y))
            known = compressed_inversion.as_sparse(made, sent, fraction)
            return jax.tree.map(lambda a, b: jnp.where(knows, a, b), known, made)

        return inversion.invert_gradients(
            key, simulate, sent, Y[:1], shape=SHAPE, variation=1e-4, steps=600
        )

    knowing, not_knowing = (
        psnr(search(jax.random.key(0), knows).x, X[:1]) for knows in (True, False)
    )
    assert knowing > not_knowing + 3
