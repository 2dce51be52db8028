"""What of a target's parameters is learned."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax.core import FrozenDict

from jaxprivacy import errors
from jaxprivacy.targets import target

NORMS = {"params/a": 1, "other/b": 2}


def test_of_linen_s_collections_the_parameters_are_learned():
    for form in (dict, FrozenDict):
        collections = form({"params": {"a": 0}, "other": {"b": 0}})
        assert target.learned(collections, NORMS) == {"params/a": 1}


def test_another_tree_is_learned_as_a_whole():
    trees = [0.0, 1.0], {"other": 0}, nnx.State({"params": 0, "other": 0})
    for params in trees:
        assert target.learned(params, NORMS) == NORMS
    assert target.learned({"params": 0}, {"params": 3}) == {"params": 3}


def test_a_temperature_divides_the_outputs():
    made = target.function(lambda params, x: params * x, 2.0)
    x = jnp.array([[1.0, 3.0]])
    found = target.tempered(made, 4.0)
    np.testing.assert_array_equal(found.apply(found.params, x), [[0.5, 1.5]])
    same = target.tempered(made, 1.0)
    np.testing.assert_array_equal(same.apply(2.0, x), made.apply(2.0, x))
    with pytest.raises(errors.InputError, match="temperature=0"):
        target.tempered(made, 0.0)
