"""What any target shows of its records: outputs, losses, norms of gradients."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxprivacy import types
from jaxprivacy.attacks import features as features_lib
from jaxprivacy.attacks import statistics as statistics_lib
from jaxprivacy.targets import gradients
from jaxprivacy.targets.target import Target
from jaxprivacy.training import losses

AT_ONCE = 256  # records that pass the target together


def extract(
    target: Target,
    snapshots: types.Params,
    batch: types.Batch,
    advance: Callable[[float], None],
) -> features_lib.Features:
    """What each record shows at each snapshot: outputs, loss, norms of gradients.

    The norms are those of each array of the parameters, which any function of JAX has;
    the gradients themselves and hidden outputs are not taken.
    """
    count = len(jax.tree.leaves(snapshots)[0])
    found = []
    outputs = jax.jit(target.apply)
    for index in range(count):
        params = jax.tree.map(lambda a, i=index: a[i], snapshots)
        norms = gradients.gradient_norms_by_leaf(
            target.apply, params, batch.x, batch.y, loss=target.loss
        )
        out = jnp.concatenate(
            [
                outputs(params, batch.x[start : start + AT_ONCE])
                for start in range(0, len(batch.y), AT_ONCE)
            ]
        )
        found.append(_of_snapshot(target, out.astype(jnp.float32), batch.y, norms))
        advance(1 / count)
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *found)
    return stacked._replace(label=stacked.label[0])


def _of_snapshot(target, outputs, y, norms):
    squares = {name: norm**2 for name, norm in norms.items()}
    if target.loss is None:
        loss = losses.cross_entropy(outputs, y)
        shown, label = (
            losses.probabilities(outputs),
            jax.nn.one_hot(y, max(outputs.shape[-1], 2)),
        )
        statistics = jax.vmap(statistics_lib.statistics)(outputs, y, squares)
    else:
        loss = jax.vmap(target.loss)(outputs, y)
        shown, label, statistics = (
            outputs.reshape(len(y), -1),
            jnp.zeros((len(y), 1)),
            (),
        )
    return features_lib.Features(
        label=label,
        loss=loss[:, None],
        output=shown,
        hidden={},
        gradients={},
        norm=jnp.sqrt(sum(squares.values())),
        statistics=statistics,
    )
