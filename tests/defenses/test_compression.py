"""Compressors by hand, and that error feedback loses nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import flatten_util

from jaxprivacy import errors
from jaxprivacy.defenses import compression
from tests import arrays
from tests.defenses import honest
from tests.launch import launched

KEY = jax.random.key(2)
COMPRESSORS = {
    "top_k": compression.top_k(0.3),
    "sign": compression.scaled_sign(),
    "quantised": compression.quantised(4),
}


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


def test_top_k_and_sign_by_hand():
    update = jnp.array([1.0, -5.0, 0.0, 2.0])
    top = compression.top_k(0.5)(KEY, update)
    np.testing.assert_array_equal(top, [0, -5, 0, 2])
    sign = compression.scaled_sign()(KEY, update)
    np.testing.assert_array_equal(sign, [2, -2, 0, 2])


def test_all_is_no_compression():
    update = arrays.normal(0, 50)
    np.testing.assert_array_equal(compression.top_k(1.0)(KEY, update), update)
    key, data = KEY, jax.tree.map(lambda a: a[0], honest.DATA)
    role = compression.error_feedback(honest.HONEST, compression.top_k(1.0))
    state = role.init(key, honest.PARAMS, data)
    state, sent, _ = role.step(key, state, honest.PARAMS, data)
    plain = honest.HONEST.step(key, jnp.zeros(()), honest.PARAMS, data)[1]
    honest.assert_close(sent, plain, atol=0)
    np.testing.assert_array_equal(state.residual, 0)


def test_quantising_keeps_to_its_levels_and_the_mean():
    update, levels, draws = jnp.array([3.0, -4.0, 0.0, 0.1]), 2, 4000
    compress = jax.vmap(compression.quantised(levels), (0, None))
    found = np.asarray(compress(jax.random.split(KEY, draws), update))
    unit = np.linalg.norm(update) / levels
    steps = found / unit
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-5)
    # Each number is at one of the two levels beside it.
    assert (np.abs(found - np.asarray(update)) <= unit * (1 + 1e-6)).all()
    assert len(np.unique(np.round(steps[:, 0]))) == 2
    bounds = 4 * unit * 0.5 / np.sqrt(draws)
    assert (np.abs(found.mean(axis=0) - np.asarray(update)) < bounds).all()
    np.testing.assert_array_equal(compress(jax.random.split(KEY, 2), 0 * update), 0)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_error_feedback_conserves_what_was_trained(name):
    role = compression.error_feedback(honest.HONEST, COMPRESSORS[name])
    key, data = KEY, jax.tree.map(lambda a: a[0], honest.DATA)
    state, held = role.init(key, honest.PARAMS, data), np.zeros(7, np.float32)
    for turn in range(3):
        params = jax.tree.map(lambda a, t=turn: a + t, honest.PARAMS)
        plain = honest.HONEST.step(key, state.inner, params, data)[1]
        key_turn = jax.random.fold_in(key, turn)
        state, sent, info = role.step(key_turn, state, params, data)
        flat = [flatten_util.ravel_pytree(tree)[0] for tree in (sent, plain)]
        np.testing.assert_allclose(
            flat[0] + state.residual, flat[1] + held, rtol=1e-5, atol=1e-6
        )
        held = np.asarray(state.residual)
        assert np.abs(held).max() > 0 and list(info) == ["loss"]
    assert float(state.inner) == 3


def test_without_feedback_what_is_held_back_is_lost():
    compress = compression.top_k(0.3)
    role = compression.compressed(honest.HONEST, compress)
    data = jax.tree.map(lambda a: a[0], honest.DATA)
    state, sent, _ = role.step(KEY, jnp.zeros(()), honest.PARAMS, data)
    plain = honest.HONEST.step(KEY, jnp.zeros(()), honest.PARAMS, data)[1]
    found, flat = (flatten_util.ravel_pytree(t)[0] for t in (sent, plain))
    np.testing.assert_array_equal(found, compress(KEY, flat))
    assert float(state) == 1 and int((found != 0).sum()) == 2


def test_arguments_out_of_range_are_refused():
    with pytest.raises(errors.InputError, match="fraction=0"):
        compression.top_k(0.0)
    with pytest.raises(errors.InputError, match="levels=0"):
        compression.quantised(0)
