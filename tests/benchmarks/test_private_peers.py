"""Opacus does the same work as we do, where no noise is added."""

import jax
import numpy as np
import pytest

pytest.importorskip("opacus", reason="the peer is Opacus: pip install -e '.[bench]'")

from benchmarks import peers, private_rows  # noqa: E402 - both need the peer


@pytest.mark.parametrize("mode", ["hooks", "ghost"])
def test_a_step_without_noise_is_the_same(mode):
    """Of the MLP; Opacus has other gradients of a second convolution (BUILD_NOTES)."""
    model, params, batch = private_rows.mlp()
    batch = jax.tree.map(lambda a: a[:6], batch)
    updated = private_rows.ours(model, params, batch, noise=0.0)()
    network = private_rows.theirs(mode, params, batch, noise=0.0)()
    found = [a.detach().numpy() for a in network.parameters()]
    before, after = (peers.from_linen(jax.device_get(p)) for p in (params, updated))
    for ours, theirs, start in zip(after, found, before, strict=True):
        moved = np.abs(theirs - start.numpy()).max()
        assert moved > 0
        np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-3 * moved + 1e-7)
