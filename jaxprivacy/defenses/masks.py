"""Masks: long streams of random 32-bit numbers, fast where many are drawn in a loop.

Threefry is JAX's own generator. On a CPU `jax.random.bits` goes through its rounds in a
loop, each of which passes over all numbers; here a number goes through all rounds at
once, and both words of a block are used, which takes a small part of the time. Both
words stay apart, as two halves: an array of them would be computed twice.
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA


class Halves(NamedTuple):
    """Two halves of n numbers, filled up with a 0 where n is odd."""

    first: jax.Array  # ((n + 1) // 2,) uint32
    second: jax.Array


def halved(values: jax.Array) -> Halves:
    """Cuts (n,) numbers in the middle."""
    middle = (values.shape[0] + 1) // 2
    second = jnp.pad(values[middle:], (0, 2 * middle - values.shape[0]))
    return Halves(values[:middle], second)


def joined(halves: Halves, size: int) -> jax.Array:
    """Undoes `halved`: (n,), of which there are `size`."""
    return jnp.concatenate(halves)[:size]


def draw(key: jax.Array, size: int) -> Halves:
    """Draws `size` uniform numbers of 32 bits."""
    seed = jax.random.bits(key, (2,), jnp.uint32)
    count = lax.iota(jnp.uint32, (size + 1) // 2)
    return Halves(*threefry(seed, (count, jnp.zeros_like(count))))


def threefry(
    key: jax.Array, block: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Threefry-2x32 in 20 rounds.

    Args:
      key: (2,) uint32.
      block: two words of each block, (n,) uint32.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
    section 3.3.
    """
    chex.assert_shape(key, (2,))
    keys = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(PARITY))
    a, b = block[0] + keys[0], block[1] + keys[1]
    for i in range(5):
        for turn in ROTATIONS[i % 2]:
            a = a + b
            b = ((b << jnp.uint32(turn)) | (b >> jnp.uint32(32 - turn))) ^ a
        a = a + keys[(i + 1) % 3]
        b = b + keys[(i + 2) % 3] + jnp.uint32(i + 1)
    return a, b
