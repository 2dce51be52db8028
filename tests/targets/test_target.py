"""What of a target's parameters is learned."""

from flax import nnx
from flax.core import FrozenDict

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
