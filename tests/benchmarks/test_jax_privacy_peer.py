"""jax_privacy does the same work as we do, where no noise is added."""

import chex
import jax
import pytest

pytest.importorskip(
    "jax_privacy", reason="the peer is jax_privacy: benchmarks/jax_privacy_rows.py"
)

from benchmarks import jax_privacy_rows, private_rows  # noqa: E402 - both need the peer


@pytest.mark.parametrize("microbatch", [None, 3])
@pytest.mark.parametrize("work_of", [private_rows.mlp, jax_privacy_rows.transformer])
def test_a_step_without_noise_is_the_same(work_of, microbatch):
    model, params, batch = work_of()
    batch = jax.tree.map(lambda a: a[:6], batch)
    ours = private_rows.ours(model, params, batch, noise=0.0)()
    theirs = jax_privacy_rows.theirs(model, params, batch, microbatch, noise=0.0)()
    moved = jax.tree.map(lambda a, b: a - b, ours, params)
    assert all(abs(leaf).max() > 0 for leaf in jax.tree.leaves(moved))
    chex.assert_trees_all_close(ours, theirs, rtol=1e-3, atol=1e-6)
