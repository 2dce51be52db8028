"""Each record's gradient by capture, against `vmap(grad)`, leaf by leaf."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxprivacy
from jaxprivacy.targets import inputs, plan, program
from tests.targets import models

CLIP = 0.7


def naive(apply, params, x, y):
    """(N, ...) gradients, materialised; None at leaves that are no real numbers."""
    leaves, tree = jax.tree.flatten(params)
    real = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]

    def one(some, x, y):
        some = iter(some)
        filled = [
            next(some) if is_real else leaf
            for leaf, is_real in zip(leaves, real, strict=True)
        ]
        out = apply(jax.tree.unflatten(tree, filled), x[None])[0]
        return inputs.cross_entropy(out, y)

    some = [leaf for leaf, is_real in zip(leaves, real, strict=True) if is_real]
    return jax.vmap(jax.grad(one), (None, 0, 0))(some, x, y)


def norms_of(gradients):
    return [np.sqrt((g.reshape(len(g), -1) ** 2).sum(1)) for g in gradients]


def clipped_sums(gradients, max_norm):
    whole = np.sqrt(sum(n**2 for n in norms_of(gradients)))
    weights = np.minimum(1, max_norm / whole)
    return [np.tensordot(weights, g, 1) for g in gradients]


def real_leaves(tree):
    return [a for a in jax.tree.leaves(tree) if a.dtype != jax.dtypes.float0]


def half(tree):
    return jax.tree.map(
        lambda a: (
            a.astype(jnp.bfloat16) if jnp.issubdtype(a.dtype, jnp.floating) else a
        ),
        tree,
    )


def check_plan(traced, counts):
    """A leaf that has factors is found by them, and what falls back is known."""
    found = plan.plan(traced)
    paths = [leaf.path for leaf in traced.leaves]
    assert tuple(map(len, found)) == counts, [paths[i] for i in found.formed]


@pytest.fixture(params=models.CASES)
def case(request):
    make, *counts = models.CASES[request.param]
    return make(), tuple(counts)


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_norms_and_clipped_sums_are_those_of_materialised_gradients(case, kind):
    (apply, params, x, y), counts = case
    check_plan(program.trace(apply, params, x, y, inputs.cross_entropy), counts)
    if kind == "bfloat16":
        params, x = half((params, x))

    @jax.jit
    def both(params, x, y):
        # Two chunks, the second of which is not full.
        by_leaf = jaxprivacy.gradient_norms_by_leaf(apply, params, x, y, at_once=3)
        clipped = jaxprivacy.clipped_gradient(
            apply, params, x, y, max_norm=CLIP, at_once=3
        )
        return by_leaf, real_leaves(clipped), naive(apply, params, x, y)

    by_leaf, clipped, gradients = both(params, x, y)
    gradients = [np.asarray(g, np.float64) for g in gradients]
    norms = norms_of(gradients)
    whole = np.sqrt(sum(n**2 for n in norms))
    assert (whole > CLIP).any()  # Something is clipped.
    # A gradient that is 0 but for rounding is measured by the others.
    rtol = {"float32": 1e-5, "bfloat16": 0.03}[kind]
    paths = [leaf.path for leaf in program.leaves_of(params) if leaf.learned]
    assert list(by_leaf) == paths
    for path, norm, one in zip(paths, norms, by_leaf.values(), strict=True):
        assert one.dtype == jnp.float32
        np.testing.assert_allclose(one, norm, rtol, rtol * whole.max(), err_msg=path)
    total = np.sqrt(sum(np.asarray(n, np.float64) ** 2 for n in by_leaf.values()))
    np.testing.assert_allclose(total, whole, rtol)
    for path, one, other in zip(
        paths, clipped, clipped_sums(gradients, CLIP), strict=True
    ):
        np.testing.assert_allclose(
            np.asarray(one, np.float64), other, rtol, rtol * CLIP, err_msg=path
        )
