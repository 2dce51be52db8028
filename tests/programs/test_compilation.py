"""What is compiled says the same as what is not, once for all records."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.programs import compilation


class Counted(NamedTuple):
    """A pair of functions, as builders return them."""

    double: object
    add: object


def test_a_static_argument_is_known_when_the_function_is_compiled():
    traced = []

    def power(x, *, exponent):
        traced.append(exponent)
        return x**exponent if exponent > 1 else x

    compiled = compilation.compiled(power, static=["exponent"])
    assert [float(compiled(3.0, exponent=e)) for e in (1, 2, 1, 2)] == [3, 9, 3, 9]
    assert traced == [1, 2]


def test_each_function_of_a_tuple_is_compiled_once():
    traced = []

    def double(x):
        traced.append("double")
        return 2 * x

    pair = compilation.each(Counted(double, lambda x, y: x + y))
    assert isinstance(pair, Counted)
    assert [float(pair.double(float(x))) for x in range(3)] == [0, 2, 4]
    assert float(pair.add(1.0, 2.0)) == 3 and traced == ["double"]


def test_the_initial_parameters_are_those_of_the_model():
    def init(key):
        return {"w": jax.random.normal(key, (2, 3)), "b": jnp.zeros(3)}

    key = jax.random.key(4)
    jax.tree.map(
        np.testing.assert_array_equal, compilation.initial(init, key), init(key)
    )


@pytest.mark.parametrize("filled", [False, True])
@pytest.mark.parametrize("count", [1, 4, 8, 11])
def test_batches_say_what_all_records_at_once_do(count, filled):
    sizes = []

    def look(x):
        sizes.append(len(x))
        return {"sum": x.sum(axis=(1, 2)), "square": x**2}

    x = np.random.default_rng(0).normal(size=(count, 2, 3)).astype(np.float32)
    found = compilation.in_batches(look, x, 4, filled=filled)
    expected = {"sum": x.sum(axis=(1, 2)), "square": x**2}
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    whole, rest = divmod(count, 4)
    last = [4 if filled else rest] if rest else []
    assert sizes == [4] * whole + last
