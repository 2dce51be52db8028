"""Laws of DP-SGD and of Poisson batches."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxprivacy import errors, types
from jaxprivacy.defenses import dp_sgd
from jaxprivacy.evaluation import privacy_audit
from jaxprivacy.models import targets
from jaxprivacy.training import gradients, local, poisson

MODEL = targets.as_model(targets.MLP((6,), 3), (4,))
PARAMS = MODEL.init(jax.random.key(0))
KEY = jax.random.key(1)
X = jax.random.normal(jax.random.key(2), (40, 4))
Y = jnp.arange(40) % 3
RECORDS = np.array([0, 2, 3])


def batch(mask):
    return types.Batch(X[: len(mask)], Y[: len(mask)], jnp.asarray(mask, jnp.float32))


def private(max_norm=np.inf, noise_multiplier=0.0, expected_batch=4.0):
    return jax.jit(
        dp_sgd.gradient(
            MODEL,
            max_norm=max_norm,
            noise_multiplier=noise_multiplier,
            expected_batch=expected_batch,
        )
    )


def close(a, b, **tolerance):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **tolerance), a, b)


def test_without_noise_and_clipping_it_is_plain_sgd_on_the_same_batches():
    """Full batches of the size expected: every step of a training is the same."""
    data = types.Batch(X, Y, jnp.ones(40))
    ends = [
        local.sgd(gradient, optax.sgd(0.5), epochs=2, batch_size=8)(
            KEY, PARAMS, optax.sgd(0.5).init(PARAMS), data
        )
        for gradient in (private(expected_batch=8.0), gradients.plain(MODEL))
    ]
    close(ends[0][0], ends[1][0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ends[0][2], ends[1][2], rtol=1e-5)


def test_padding_changes_nothing_but_the_size_expected_divides():
    padded, _ = private()(KEY, PARAMS, batch([1, 0, 1, 1, 0]))
    real = types.Batch(X[RECORDS], Y[RECORDS], jnp.ones(3))
    close(padded, private()(KEY, PARAMS, real)[0], rtol=1e-5, atol=1e-7)
    plain = gradients.plain(MODEL)(KEY, PARAMS, real)[0]
    mean = jax.tree.map(lambda g: g * 3 / 4, plain)
    close(padded, mean, rtol=1e-5, atol=1e-7)


def test_an_empty_batch_is_noise_alone():
    found, loss = private(2.0, 3.0)(KEY, PARAMS, batch([0] * 5))
    values = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(found)])
    assert loss == 0 and abs(values.mean()) < 4 * values.std() / len(values) ** 0.5
    assert values.std() == pytest.approx(2 * 3 / 4, rel=0.3)
    none, _ = private(2.0)(KEY, PARAMS, batch([0] * 5))
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(none))


def test_noise_is_that_of_the_multiplier_apart_in_every_leaf_and_key():
    draw = jax.vmap(lambda k: private(0.5, 4.0)(k, PARAMS, batch([0]))[0])
    drawn = draw(jax.random.split(KEY, 4000))
    leaves = [np.asarray(leaf).reshape(4000, -1) for leaf in jax.tree.leaves(drawn)]
    values = np.concatenate(leaves, axis=1)
    np.testing.assert_allclose(values.std(0), 0.5 * 4 / 4, rtol=0.08)
    correlation = np.corrcoef(values.T) - np.eye(values.shape[1])
    assert np.abs(correlation).max() < 5 / 4000**0.5


def test_one_record_moves_the_sum_by_no_more_than_the_norm():
    """All leaves are clipped together, however large the gradient is."""
    large = jax.tree.map(lambda leaf: 50 * leaf, PARAMS)
    gradient = private(0.1, 0.0, 1.0)
    for record in range(10):
        mask = np.ones(20)
        with_it = gradient(KEY, large, batch(mask))[0]
        mask[record] = 0
        without = gradient(KEY, large, batch(mask))[0]
        gap = jax.tree.map(jnp.subtract, with_it, without)
        assert optax.tree.norm(gap) <= 0.1 * (1 + 1e-4)


def test_poisson_batches_hold_each_record_as_often_and_apart():
    count, rate, steps = 30, 0.2, 4000
    drawn = poisson.poisson_batches(KEY, count, rate, steps)
    held = (drawn[:, :, None] == np.arange(count)).sum(1)
    assert held.max() == 1 and held.sum(1).max() == drawn.shape[1]
    deviation = (rate * (1 - rate) / steps) ** 0.5
    assert np.abs(held.mean(0) - rate).max() < 4.5 * deviation
    # Binomial sizes: a fixed number of records, or any cut, would spread less.
    assert held.sum(1).var() == pytest.approx(count * rate * (1 - rate), rel=0.1)
    correlation = np.corrcoef(held.T) - np.eye(count)
    assert np.abs(correlation).max() < 5 / steps**0.5
    assert (poisson.poisson_batches(KEY, 3, 1e-9, 2) == 3).all()
    assert (poisson.poisson_batches(KEY, 3, 1.0, 2) == np.arange(3)).all()


def test_shuffled_batches_hold_each_record_once_an_epoch():
    drawn = poisson.shuffled_batches(KEY, 11, 4, 5)
    assert drawn.shape == (5, 4)
    for epoch in (drawn[:2], drawn[2:4]):
        assert len(np.unique(epoch)) == 8
    assert (drawn[0] != drawn[2]).any()


def released(noise_multiplier, m=600):
    """m canaries, each the gradient of its own parameter, in one noised sum."""
    included = np.random.default_rng(0).random(m) < 0.5
    one = types.Model(
        lambda key: jnp.zeros((1, m)), lambda p, x: (p * x).sum(1)[:, None]
    )
    gradient = dp_sgd.gradient(
        one,
        max_norm=1.0,
        noise_multiplier=noise_multiplier,
        expected_batch=1.0,
    )
    # The logistic loss at 0 has the gradient (1/2 - y) x: 4 x is clipped to norm 1.
    canaries = types.Batch(
        4 * jnp.eye(m), jnp.zeros(m, jnp.int32), jnp.asarray(included, jnp.float32)
    )
    return np.asarray(gradient(KEY, jnp.zeros((1, m)), canaries)[0][0]), included


def test_halved_noise_is_caught():
    """The sum with noise 1 is a Gaussian mechanism of mu = 1 for each canary."""
    mus = {}
    for noise_multiplier in (1.0, 0.5):
        guessed = privacy_audit.guesses(*released(noise_multiplier), 120)
        mus[noise_multiplier] = privacy_audit.one_run_gaussian(600, *guessed)
    assert 0.3 < mus[1.0] <= 1 < mus[0.5] <= 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_norm": 0.0},
        {"max_norm": float("nan")},
        {"noise_multiplier": 1.0},
        {"noise_multiplier": -1.0, "max_norm": 1.0},
        {"expected_batch": 0.0},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(errors.InputError, match="accepted are"):
        private(**wrong)
