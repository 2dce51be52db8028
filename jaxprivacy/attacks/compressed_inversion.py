"""Gradient inversion by who knows that updates are compressed, and how.

It compares what records would have sent, not the gradients that they would have.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import flatten_util, lax

from jaxprivacy import types
from jaxprivacy.federated import selection

SOFT = 0.1  # of a gradient's mean entry: below it a smooth sign is in between


def as_sparse(
    made: types.Params, observed: types.Params, fraction: float
) -> types.Params:
    """A simulated gradient as one who sent the largest entries alone would send it.

    Those that were sent are where the observed gradient is not 0; of the others little
    is known, and a distance that asks them to be 0 asks for another gradient. Where
    fewer are not 0 than could have been sent, all others are 0 indeed.

    Args:
      made: the gradient that some records would give.
      observed: what was sent of the true one, 0 where nothing was.
      fraction: share of the entries that was sent.
    """
    leaves = jax.tree.leaves(observed)
    sent = sum(jnp.sum(leaf != 0) for leaf in leaves)
    all_known = sent < selection.count_of(fraction, sum(leaf.size for leaf in leaves))
    return jax.tree.map(
        lambda m, o: jnp.where((o != 0) | all_known, m, 0.0), made, observed
    )


def as_signs(made: types.Params, observed: types.Params) -> types.Params:
    """A simulated gradient as one who sent signs alone would have sent it.

    The sign is smooth, so that there is something to descend: of entries that are small
    against the mean it is in between. All have the observed gradient's size.

    Args:
      made: the gradient that some records would give.
      observed: signs of the true one, all times one number.
    """

    def mean_size(tree):
        return jnp.abs(flatten_util.ravel_pytree(tree)[0]).mean()

    soft = jnp.maximum(SOFT * lax.stop_gradient(mean_size(made)), 1e-12)
    size = mean_size(observed)
    return jax.tree.map(lambda m: size * m / jnp.sqrt(m**2 + soft**2), made)
