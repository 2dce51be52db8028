"""Reference models of a study: trained over the devices, kept, and asked."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import checks, types
from jaxprivacy.experiments import checkpoint, spread
from jaxprivacy.training import population

AT_ONCE = {"cpu": 1}  # models of a device that are trained together
OTHERWISE = 16
RECORDS = 1024  # that pass a model together


def train(
    train_one: population.Train,
    records: types.Batch,
    held: np.ndarray,
    key: jax.Array,
    advance: Callable[[float], None],
    checkpoints: checkpoint.Checkpoints = checkpoint.nowhere,
) -> types.Params:
    """Trains S models, a lot of them at a time: (S, ...), in the host's memory.

    Each lot is kept as it ends, so that a killed run trains no lot twice.

    Args:
      train_one: the training of one model.
      records: (N, ...) all records.
      held: (S, N) bool, which of them each model is trained on.
      key: randomness of the trainings.
      advance: told the share done.
      checkpoints: where lots are kept.

    Raises:
      InputError: a training diverges.
    """
    share = population.shares(key, held)
    together = AT_ONCE.get(jax.default_backend(), OTHERWISE) * jax.device_count()
    lot = jax.jit(
        lambda records, share: spread.over_runs(
            population.trainer(train_one), (records,), (share,)
        )
    )
    records = jax.tree.map(jnp.asarray, records)
    found = []
    for start in range(0, len(held), together):
        which = start + spread.repeated(
            min(together, len(held) - start), jax.device_count()
        )
        own = jax.tree.map(lambda a, which=which: a[which], share)
        kept = checkpoints(f"references_{start}")
        shapes = jax.eval_shape(lot, records, own)
        params = _restored(kept, shapes)
        if params is None:
            params = lot(records, own)
            if kept is not None:
                kept.save(1, params)
        count = min(together, len(held) - start)
        found.append(jax.tree.map(lambda a, n=count: np.asarray(a)[:n], params))
        _check_finite(found[-1], start)
        advance(count / len(held))
    return jax.tree.map(lambda *lots: np.concatenate(lots), *found)


def outputs(apply: Callable, params: types.Params, x: types.Array) -> np.ndarray:
    """What each of S models answers: (S, N, K) float32.

    Args:
      apply: (params, (B, *D)) -> (B, K).
      params: (S, ...).
      x: (N, *D).
    """
    ask = jax.jit(apply)
    count = len(jax.tree.leaves(params)[0])
    found = []
    for index in range(count):
        of_one = jax.tree.map(lambda a, i=index: jnp.asarray(a[i]), params)
        parts = [
            np.asarray(ask(of_one, x[start : start + RECORDS]), np.float32)
            for start in range(0, len(x), RECORDS)
        ]
        found.append(np.concatenate(parts))
    return np.stack(found)


def _restored(kept, shapes):
    found = None if kept is None else kept.restore(lambda done: shapes)
    return None if found is None else found[1]


def _check_finite(params, start):
    for leaf in jax.tree.leaves(params):
        if not np.isfinite(leaf).all():
            wrong = ~np.isfinite(leaf).reshape(len(leaf), -1).all(axis=1)
            raise checks.InputError(
                f"references: the training of model {start + int(np.argmax(wrong))} "
                "diverges; accepted are trainings that end in numbers"
            )
