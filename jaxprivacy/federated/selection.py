"""Which parameters leave a participant or a server: exact selections of n numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

ROWS = 64  # of a table of all numbers; at most 127


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
    31 passes over them, where a sort costs several times as much, and `count` may be
    traced, which `lax.top_k` does not allow.

    Args:
      values: (n,) float32, at least 0 and not NaN.
      count: how many, 1 to n.

    Returns:
      (n,) bool, `count` of them True.
    """
    # The bits of floats that are not negative, read as integers, are in their order.
    bits = lax.bitcast_convert_type(jnp.abs(values), jnp.int32)
    # A column's count fits a byte, and bytes are added many at a time: a third of the
    # time. The numbers that fill up the last row are below every middle.
    filled = jnp.pad(bits, (0, -len(bits) % ROWS), constant_values=-1)
    table = filled.reshape(ROWS, -1)

    def step(carry, _):
        low, high = carry  # at least `count` bits are >= low, fewer are >= high
        middle = low + (high - low) // 2
        columns = jnp.sum(table >= middle, axis=0, dtype=jnp.int8)
        enough = jnp.sum(columns, dtype=jnp.int32) >= count
        return (jnp.where(enough, middle, low), jnp.where(enough, high, middle)), None

    ends = (jnp.int32(0), jnp.int32(0x7FFFFFFF))
    (threshold, _), _ = lax.scan(step, ends, length=31)
    above, equal = bits > threshold, bits == threshold
    missing = count - jnp.sum(above, dtype=jnp.int32)
    # Seldom do only some of the equal ones belong, and only then are they numbered.
    all_belong = jnp.sum(equal, dtype=jnp.int32) == missing
    return above | lax.cond(
        all_belong, lambda: equal, lambda: equal & (jnp.cumsum(equal) <= missing)
    )
