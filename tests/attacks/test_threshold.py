"""The loss threshold attack by hand."""

import jax.numpy as jnp
import numpy as np

from jaxprivacy.attacks import features, threshold


def test_a_smaller_loss_at_the_last_snapshot_scores_higher():
    loss = jnp.array([[9.0, 9.0, 0.0], [0.5, 2.0, 1.0]])[..., None]
    seen = features.Features((), loss, (), {}, {}, ())
    scores = threshold.loss_threshold(seen)
    np.testing.assert_array_equal(scores, [-0.5, -2, -1])
