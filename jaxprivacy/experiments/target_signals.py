"""What any target shows of its records: outputs, losses, norms of gradients."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import checks, types
from jaxprivacy.attacks import features as features_lib, statistics as statistics_lib
from jaxprivacy.targets import gradients, inputs, target as targets
from jaxprivacy.training import losses

AT_ONCE = 256  # records that pass the target together


def extract(
    target: targets.Target,
    snapshots: types.Params,
    batch: types.Batch,
    advance: Callable[[float], None],
) -> features_lib.Features:
    """What each record shows at each snapshot: outputs, loss, norms of gradients.

    The norms are those of each array of the parameters, which any function of JAX has;
    the gradients themselves and hidden outputs are not taken.

    Raises:
      InputError: an output or a loss is NaN, or of `inputs.check_model`.
    """
    count = len(jax.tree.leaves(snapshots)[0])
    x, y = batch.x, batch.y
    found = []
    # One program for all snapshots; inside, no value can be looked at.
    measure = jax.jit(
        lambda params, x, y: gradients.gradient_norms_by_leaf(
            target.apply, params, x, y, loss=target.loss
        )
    )
    look = jax.jit(lambda *of: _of_records(target, *of))
    for index in range(count):
        params = jax.tree.map(lambda a, i=index: a[i], snapshots)
        if not index:
            inputs.check_model(target.apply, params, x, y, target.loss)
        norms = targets.learned(params, measure(params, x, y))
        parts = []
        for start in range(0, len(y), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            squares = {name: norm[some] ** 2 for name, norm in norms.items()}
            part, undefined = look(params, x[some], y[some], squares)
            _check_numbers(part, undefined)
            parts.append(part)
        found.append(jax.tree.map(lambda *parts: jnp.concatenate(parts), *parts))
        advance(1 / count)
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *found)
    return stacked._replace(label=stacked.label[0])


def _check_numbers(part: features_lib.Features, undefined: jax.Array) -> None:
    for name, wrong in (
        ("target: its output", np.asarray(undefined)),
        ("loss: that", np.isnan(part.loss[:, 0])),
    ):
        if wrong.any():
            raise checks.InputError(
                f"{name} is NaN for {wrong.sum()} of {len(wrong)} records: accepted "
                "are numbers"
            )


def _of_records(target, params, x, y, squares):
    """Features of one snapshot, (N, ...), and where outputs are NaN: (N,)."""
    outputs = target.apply(params, x)
    undefined = jnp.isnan(outputs).reshape(len(y), -1).any(axis=1)
    if target.loss is None:
        outputs = outputs.astype(jnp.float32)
        loss = losses.cross_entropy(outputs, y)
        shown = losses.probabilities(outputs)
        label = jax.nn.one_hot(y, max(outputs.shape[-1], 2))
        statistics = jax.vmap(statistics_lib.statistics)(outputs, y, squares)
    else:  # Outputs of any size, of which no rule takes more than the loss.
        loss = jax.vmap(target.loss)(outputs, y).astype(jnp.float32)
        shown = label = jnp.zeros((len(y), 1))
        statistics = ()
    features = features_lib.Features(
        label=label,
        loss=loss[:, None],
        output=shown,
        hidden={},
        gradients={},
        norm=jnp.sqrt(sum(squares.values())),
        statistics=statistics,
    )
    return features, undefined
