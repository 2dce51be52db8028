"""How far each record's gradient points along directions, for any JAX function."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxprivacy import checks, errors, types
from jaxprivacy.targets import inputs, program as program_lib

AT_ONCE = 256  # records that pass the model together


def gradient_products(
    apply: program_lib.Apply,
    params: types.Params,
    directions: types.Params,
    x: types.Array,
    y: types.Array,
    *,
    loss: program_lib.Loss | None = None,
    at_once: int = AT_ONCE,
) -> jax.Array:
    """Inner products of each record's gradient with some directions: (P, N) float32.

    No gradient is formed: the inner product of a gradient and a direction is the
    derivative of the loss along the direction, which forward differentiation gives of
    all records in one pass. Traced anew by each call: wrap repeated calls in `jax.jit`.

    Args:
      apply: the model, (params, (B, *D)) -> outputs (B, ...), without randomness, each
        record's output from that record alone.
      params: a tree of arrays, where the gradients are taken.
      directions: P trees like `params`, stacked (P, ...).
      x: (N, *D) records.
      y: (N, ...) labels.
      loss: of one record, (output, label) -> (). Default: as `gradient_norms` has it.
      at_once: records that pass the model together, which bounds the memory.

    Raises:
      InputError: like `gradient_norms`, and where the directions are not like `params`.
    """
    x, y = inputs.check_records(x, y)
    loss = inputs.check_model(apply, params, x, y, loss)
    at_once = min(checks.positive_integer("at_once", at_once), len(x))
    _check_directions(params, directions)

    def chunk(start):
        # The last chunk overlaps the one before it, so that all have one size.
        records = [lax.dynamic_slice_in_dim(a, start, at_once) for a in (x, y)]

        def losses(params):
            return jax.vmap(loss)(apply(params, records[0]), records[1])

        _, along = jax.linearize(losses, params)
        return lax.map(along, directions)

    starts = np.arange(0, len(x), at_once)
    found = lax.map(chunk, jnp.minimum(starts, len(x) - at_once))  # (chunks, P, B)
    parts = [
        part[:, at_once - min(at_once, len(x) - start) :]
        for start, part in zip(starts, found, strict=True)
    ]
    return jnp.concatenate(parts, axis=1).astype(jnp.float32)


def _check_directions(params, directions):
    """Refuses directions that are not trees like the parameters, stacked."""
    wanted = jax.tree.map(np.shape, params)
    shapes = jax.tree.map(lambda a: np.shape(a)[1:], directions)
    counts = {np.shape(a)[:1] for a in jax.tree.leaves(directions)}
    if shapes != wanted or len(counts) != 1 or () in counts:
        raise errors.InputError(
            "directions",
            found="other arrays than those of params",
            accepted=(
                "is a tree like it, each array with one more axis in front, as long "
                "as in the others"
            ),
        )
