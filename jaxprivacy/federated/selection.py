"""Which parameters leave a participant or a server: exact selections of n numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax


def count_of(fraction: float | jax.Array, size: int) -> int | jax.Array:
    """Returns the number of parameters that a fraction of `size` stands for.

    At least 1 and rounded to the nearest; an integer where the fraction is a number,
    a traced one where it is traced.
    """
    if isinstance(fraction, int | float):
        return max(1, round(fraction * size))
    return jnp.clip(jnp.round(fraction * size), 1, size).astype(jnp.int32)


def largest(values: jax.Array, count: int | jax.Array) -> jax.Array:
    """Marks the `count` largest of the values, of equal ones the first.

    The value of the last one marked is found by bisection on the bits of the numbers:
    32 passes over them, where a sort costs several times as much, and `count` may be
    traced, which `lax.top_k` does not allow.

    Args:
      values: (n,) float32, at least 0 and not NaN.
      count: how many, 1 to n.

    Returns:
      (n,) bool, `count` of them True.
    """
    # The bits of floats that are not negative, read as integers, are in their order.
    bits = lax.bitcast_convert_type(jnp.abs(values), jnp.uint32)

    def step(carry, _):
        low, high = carry  # at least `count` bits are >= low, fewer are >= high
        middle = low + (high - low) // 2
        enough = jnp.sum(bits >= middle, dtype=jnp.int32) >= count
        return (jnp.where(enough, middle, low), jnp.where(enough, high, middle)), None

    ends = (jnp.uint32(0), jnp.uint32(0xFFFFFFFF))
    (threshold, _), _ = lax.scan(step, ends, length=32)
    above, equal = bits > threshold, bits == threshold
    missing = count - jnp.sum(above, dtype=jnp.int32)
    return above | (equal & (jnp.cumsum(equal) <= missing))
