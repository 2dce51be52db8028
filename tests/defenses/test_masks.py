"""The generator is JAX's own, and halves are whole again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend import random as jax_generator

from jaxprivacy.defenses import masks


def test_threefry_is_that_of_jax():
    count = jnp.arange(10, dtype=jnp.uint32) * jnp.uint32(987654321)
    key = jnp.array([3, 2**32 - 5], jnp.uint32)
    want = jax_generator.threefry_2x32(key, count)
    found = masks.threefry(key, (count[:5], count[5:]))
    np.testing.assert_array_equal(jnp.concatenate(found), want)


def test_threefry_s_published_answers():
    """Known answers of Random123 for keys and counters of zeros and of ones."""
    zeros, ones = (jnp.full(2, n, jnp.uint32) for n in (0, 2**32 - 1))
    for words, want in (
        (zeros, (0x6B200159, 0x99BA4EFE)),
        (ones, (0x1CB996FC, 0xBB002BE7)),
    ):
        found = masks.threefry(words, (words[:1], words[1:]))
        assert tuple(int(a[0]) for a in found) == want


@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_halves_are_whole_again(size):
    values = jnp.arange(size, dtype=jnp.uint32) + 1
    np.testing.assert_array_equal(masks.joined(masks.halved(values), size), values)
    drawn = masks.draw(jax.random.key(0), size)
    assert jax.tree.map(jnp.shape, drawn) == jax.tree.map(
        jnp.shape, masks.halved(values)
    )


def test_draws_do_not_repeat_and_change_with_the_key():
    first, other = (
        masks.joined(masks.draw(jax.random.key(seed), 2000), 2000) for seed in (0, 1)
    )
    assert len(np.unique(np.concatenate([first, other]))) > 3990
