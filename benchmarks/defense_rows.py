"""What a defense costs, beside the training that it defends."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import flatten_util, lax

from benchmarks import federated_rows, work
from benchmarks.measure import Pair, Row, compiled
from jaxprivacy.defenses import secure_aggregation as secure

PARTICIPANTS, RECORDS, BATCH = 100, 600, 64  # MNIST's 60,000 images


def aggregate(agreement: secure.Agreement, updates: jax.Array) -> jax.Array:
    """Masks, sums up and unmasks updates (P, n), of whom none drops out."""

    def masked(index_and_update):
        index, update = index_and_update
        return secure.mask(agreement, 0, index, secure.encode(update, agreement))

    uploads = lax.map(masked, (jnp.arange(agreement.participants), updates))
    arrived = jnp.ones(agreement.participants, bool)
    return secure.decode(secure.secure_sum(agreement, 0, uploads, arrived), agreement)


def secure_aggregation() -> Pair:
    """All pairs' masks, where the peer is the round's training without them."""
    model = work.mnist()
    params = jax.jit(model.init)(jax.random.key(0))
    data = work.records(PARTICIPANTS, RECORDS, shape=work.IMAGE, classes=work.CLASSES)
    size = flatten_util.ravel_pytree(params)[0].size
    updates = jnp.zeros((PARTICIPANTS, size))

    def ours():
        def run(key, updates):
            agreement = secure.agree(key, PARTICIPANTS, bound=1.0)
            return aggregate(agreement, updates)

        return compiled(run, jax.random.key(1), updates)

    def peer():
        run = federated_rows.federated_round(model, BATCH)
        return compiled(run, jax.random.key(1), params, data)

    note = f"training of one epoch of {RECORDS} images by {PARTICIPANTS} participants"
    return Pair(ours, peer, f"jax {jax.__version__}", note)


# At most a fifth of the training, as 1 / 5.
ROWS = (Row("secure_aggregation_of_100", 5, secure_aggregation),)
