"""Mixing, dropping and stopping, by hand; at strength 0 they are the plain training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import errors, types
from jaxprivacy.defenses import regularisers
from jaxprivacy.models import dropout, targets
from jaxprivacy.training import gradients, losses
from tests import arrays
from tests.launch import launched

KEY = jax.random.key(6)
LINEAR = types.Model(lambda key: None, lambda w, x: x @ w)
MLP = targets.as_model(targets.MLP((40, 30), 3), (4,))
PARAMS = arrays.params_of(MLP)
BATCH = types.Batch(
    arrays.normal(3, 6, 4),
    jnp.array([0, 1, 2, 2, 0, 2]),
    jnp.array([1.0, 1, 0, 1, 1, 0]),
)


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


def test_partners_are_a_permutation_of_the_real_records():
    mask = jnp.array([1.0, 0, 1, 1, 0, 1])
    real, found = [0, 2, 3, 5], []
    for key in jax.random.split(KEY, 30):
        other = np.asarray(regularisers.partners(key, mask))
        assert sorted(other[real]) == real
        found.append(tuple(other[real]))
    assert len(set(found)) > 10  # Of 24.


def test_mixup_by_the_formula():
    w, alpha = arrays.normal(1, 4, 3), 0.7
    fn = regularisers.mixup(LINEAR, alpha)
    found, value = jax.jit(fn)(KEY, w, BATCH)
    key_weight, key_pairs = jax.random.split(KEY)
    a = float(jax.random.beta(key_weight, alpha, alpha))
    other = np.asarray(regularisers.partners(key_pairs, BATCH.mask))
    x, y = np.asarray(BATCH.x), np.eye(3)[np.asarray(BATCH.y)]
    x, y = a * x + (1 - a) * x[other], a * y + (1 - a) * y[other]
    p = np.exp(x @ w)
    p /= p.sum(axis=1, keepdims=True)
    mask = np.asarray(BATCH.mask)[:, None]
    np.testing.assert_allclose(found, x.T @ ((p - y) * mask) / 4, atol=1e-5)
    np.testing.assert_allclose(value, -(y * np.log(p) * mask).sum() / 4, rtol=1e-5)
    assert 0.01 < a < 0.99 and (BATCH.y[other] != BATCH.y).any()


def test_dropout_keeps_the_mean_and_drops_the_share_that_is_said():
    ones = jnp.ones((200, 50))
    dropped = np.asarray(dropout._drop(KEY, ones, 0.25))
    np.testing.assert_allclose(np.unique(dropped), [0, 4 / 3], rtol=1e-6)
    assert abs((dropped == 0).mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 10_000)


def test_dropout_leaves_the_record_whole_and_drops_before_each_later_layer():
    apply = dropout.with_dropout(MLP, 0.5)
    found = apply(KEY, PARAMS, BATCH.x)
    layers = [PARAMS[f"Dense_{i}"] for i in range(3)]
    h = BATCH.x
    for i, layer in enumerate(layers):
        if i:
            h = dropout._drop(jax.random.fold_in(KEY, i - 1), jnp.tanh(h), 0.5)
        h = h @ layer["kernel"] + layer["bias"]
    np.testing.assert_allclose(found, h, rtol=1e-5, atol=1e-5)


def test_dropout_of_a_model_without_layers_to_drop_in_is_refused():
    with pytest.raises(errors.InputError, match=r"dropout=0\.5.*Dense"):
        dropout.with_dropout(LINEAR, 0.5)(KEY, jnp.ones((4, 3)), BATCH.x)
    with pytest.raises(errors.InputError, match="dropout=1"):
        dropout.with_dropout(MLP, 1.0)


@pytest.mark.parametrize(
    ("patience", "kept"), [(1, 1), (2, 3), (3, 6), (None, 7), (100, 6)]
)
def test_early_stopping_by_hand(patience, kept):
    validation = [5.0, 3.0, 4.0, 2.5, 2.6, 2.7, 1.0, 9.0]
    assert regularisers.early_stop(validation, patience) == kept


def test_early_stopping_keeps_no_diverged_model():
    assert regularisers.early_stop([2.0, np.nan, np.nan, np.nan], 2) == 0
    with pytest.raises(errors.InputError, match="patience=0"):
        regularisers.early_stop([1.0], 0)


GRADIENTS = {
    "mixup": lambda strength: regularisers.mixup(MLP, strength),
    "dropout": lambda strength: regularisers.dropout(MLP, strength),
    "label_smoothing": lambda e: gradients.plain(MLP, losses.smoothed(e)),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_contract_of_gradient_functions(name):
    """At strength 0 plain to the bit; at another not; padding changes nothing."""
    plain = gradients.plain(MLP)(KEY, PARAMS, BATCH)
    none = GRADIENTS[name](0.0)(KEY, PARAMS, BATCH)
    fn = GRADIENTS[name](0.9)
    some = fn(KEY, PARAMS, BATCH)
    jitted = jax.jit(fn)(KEY, PARAMS, BATCH)
    broken = BATCH._replace(x=BATCH.x.at[2].set(1e3))
    padded = fn(KEY, PARAMS, broken)
    for a, b, c, d, e in zip(
        *map(jax.tree.leaves, (plain, none, some, jitted, padded)), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        assert a.shape == c.shape and a.dtype == c.dtype
        assert np.abs(a - c).max() > 1e-4
        np.testing.assert_allclose(c, d, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(c, e, rtol=1e-4, atol=1e-6)
