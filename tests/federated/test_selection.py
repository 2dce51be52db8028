"""Selections against a stable sort."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.federated import selection

RNG = np.random.default_rng(0)
SIZE = 60
VALUES = {
    "distinct": RNG.permutation(SIZE) / 7,
    "ties": RNG.integers(0, 4, SIZE) * 1.0,
    "mostly zeros": RNG.integers(0, 5, SIZE) // 4 * RNG.uniform(size=SIZE),
    "all zero": np.zeros(SIZE),
    "all equal": np.full(SIZE, 0.3),
    "far apart": 10.0 ** RNG.integers(-37, 38, SIZE),
    "one number apart": 1 + RNG.integers(0, 3, SIZE) * 2.0**-23,
    "infinite": np.where(RNG.uniform(size=SIZE) < 0.1, np.inf, 3.0),
}
COUNTS = (1, 2, 7, SIZE // 2, SIZE - 1, SIZE)


def sorted_out(values, count):
    """The first `count` of a stable sort from the largest down."""
    order = np.argsort(-values, kind="stable")
    return np.isin(np.arange(len(values)), order[:count])


@jax.jit
def traced(values, count):
    return selection.largest(values, count)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("count", COUNTS)
def test_largest_equals_a_stable_sort(name, count):
    values = VALUES[name].astype(np.float32)
    got = traced(values, count)
    assert got.dtype == bool
    np.testing.assert_array_equal(got, sorted_out(values, count))


@pytest.mark.parametrize("count", (1, 4_999, 9_000, 10_000))
@pytest.mark.parametrize("spread", (1, 3, 10_000))
def test_among_many_numbers(count, spread):
    # Where all are equal, a whole column of them is counted.
    values = np.random.default_rng(spread).integers(0, spread, 10_000)
    values = values.astype(np.float32)
    np.testing.assert_array_equal(traced(values, count), sorted_out(values, count))


@pytest.mark.parametrize("count", (1, 7, SIZE))
def test_a_count_that_is_known_selects_the_same(count):
    values = VALUES["ties"].astype(np.float32)
    got = selection.largest(jnp.asarray(values), count)
    np.testing.assert_array_equal(got, sorted_out(values, count))


def test_negative_zero_is_zero():
    np.testing.assert_array_equal(
        traced(np.array([0.0, -0.0, 0.0], np.float32), 2), [True, True, False]
    )


def test_each_row_has_its_count():
    counts = np.array([1, 30, 60])
    values = np.stack([VALUES["ties"], VALUES["distinct"], VALUES["all zero"]])
    values = values.astype(np.float32)
    got = jax.jit(jax.vmap(selection.largest))(values, counts)
    for row, value, count in zip(got, values, counts, strict=True):
        np.testing.assert_array_equal(row, sorted_out(value, count))


@pytest.mark.parametrize(
    ("fraction", "size", "count"),
    [
        (1.0, 105_707, 105_707),
        (1, 7, 7),
        (0.1, 105_707, 10_571),  # 10,570.7
        (0.1, 105_504, 10_550),  # 10,550.4
        (0.5, 9, 4),  # Halves go to the even number.
        (0.5, 11, 6),
        (1e-9, 105_707, 1),
        (0.01, 3, 1),
    ],
)
def test_count_of_by_hand(fraction, size, count):
    got = selection.count_of(fraction, size)
    assert (got, type(got)) == (count, int)
    swept = jax.jit(lambda fraction: selection.count_of(fraction, size))(fraction)
    assert (swept, swept.dtype) == (count, jnp.int32)
