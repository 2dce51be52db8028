"""Norms of sums of outer products without the sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.targets import factors, gradients, norms
from tests import arrays
from tests.targets import models

ROWS = 6
DENSE = factors.Factor(arrays.normal(0, 3, 1, ROWS), arrays.normal(1, 3, 1, 4))
# Row 2 is read twice: its gradients add up.
EMBEDDED = factors.Factor(jnp.asarray([2, 0, 2, 5]), arrays.normal(2, 4, 1, 4))
GROUPED = factors.Factor(arrays.normal(3, 3, 2, 5), arrays.normal(4, 3, 2, 4))


@pytest.mark.parametrize(
    "dense, rows, inputs",
    [(DENSE, None, ROWS), (None, EMBEDDED, ROWS), (DENSE, EMBEDDED, ROWS)]
    + [(GROUPED, None, 5), (jax.tree.map(lambda a: a[:1], GROUPED), None, 5)],
)
def test_the_norm_is_that_of_the_gradient(dense, rows, inputs):
    left = [] if dense is None else [np.asarray(dense.left)]
    right = [] if dense is None else [np.asarray(dense.right)]
    if rows is not None:
        left.append(np.eye(ROWS)[np.asarray(rows.left)][:, None])
        right.append(np.asarray(rows.right))
    left, right = np.concatenate(left), np.concatenate(right)
    gradient = np.einsum("sgi,sgo->gio", left, right)
    formed = factors.gradient(dense, rows, inputs)
    np.testing.assert_allclose(formed, gradient, 1e-5, 1e-6)
    norm = factors.squared_norm(dense, rows)
    np.testing.assert_allclose(norm, (gradient**2).sum(), 1e-5)


@pytest.mark.parametrize("name", ["tied", "fused", "grouped", "embed"])
def test_forming_gradients_or_not_changes_no_number(name, monkeypatch):
    apply, params, x, y = models.CASES[name][0]()

    def both(formed):
        monkeypatch.setattr(factors, "is_formed", lambda *sizes: formed)

        @jax.jit
        def run(params, x, y):
            work = gradients._prepare(apply, params, x, y, None, None)
            captured, measured = gradients._measure(work, x, y)
            assert bool(set(work.plan.factored) & set(measured.kept)) == formed
            summed = norms.weighted_sum(
                work.program,
                work.plan,
                work.env,
                captured,
                measured.kept,
                jnp.arange(1.0, 1 + len(x)),
            )
            return measured.squared, norms.by_leaves(work.program, work.values, summed)

        return run(params, x, y)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, 1e-4, 1e-5),
        both(True),
        both(False),
    )
