"""Reference models of a study: trained over the devices, kept, and asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import errors, types
from jaxprivacy.attacks import membership
from jaxprivacy.experiments import checkpoint, spread
from jaxprivacy.training import losses, population

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
        params = _restored(kept, lot, records, own)
        if params is None:
            params = lot(records, own)
            if kept is not None:
                kept.save(1, params)
        count = min(together, len(held) - start)
        found.append(jax.tree.map(lambda a, n=count: np.asarray(a)[:n], params))
        _check_finite(found[-1], start)
        advance(count / len(held))
    return jax.tree.map(lambda *lots: np.concatenate(lots), *found)


class Said(NamedTuple):
    """What S models say of N records; of each output no more than its numbers here."""

    log_odds: np.ndarray  # (S, N) of each record's own class
    log_probability: np.ndarray  # (S, N)
    entropy: np.ndarray  # (S, N) of the classes, with a minus
    modified_entropy: np.ndarray  # (S, N) likewise
    right: np.ndarray  # (S, N) bool

    def of(self, model: int) -> Said:
        """What one of the models says: each (N,)."""
        return Said(*(a[model] for a in self))


def ask(apply: Callable, params: types.Params, x: types.Array, y: np.ndarray) -> Said:
    """Asks each of S models about all records, one model after the other.

    Args:
      apply: (params, (B, *D)) -> logits (B, K).
      params: (S, ...).
      x: (N, *D).
      y: (N,) classes.
    """
    answer = jax.jit(apply)
    said = (
        _said(outputs(answer, jax.tree.map(lambda a, i=i: a[i], params), x), y)
        for i in range(len(jax.tree.leaves(params)[0]))
    )
    return Said(*map(np.stack, zip(*said, strict=True)))


def outputs(apply: Callable, params: types.Params, x: types.Array) -> np.ndarray:
    """What one model answers, batch by batch: (N, K) float32."""
    params = jax.tree.map(jnp.asarray, params)
    starts = range(0, len(x), RECORDS)
    parts = [apply(params, x[start : start + RECORDS]) for start in starts]
    return np.concatenate([np.asarray(part, np.float32) for part in parts])


def _said(logits, y) -> Said:
    return Said(
        membership.scaled_logit(logits, y),
        membership.log_probability(logits, y),
        membership.entropy(logits),
        membership.modified_entropy(logits, y),
        np.asarray(losses.predicted(logits)) == y,
    )


def _restored(kept, lot, *of):
    """What is kept of a lot, None where nothing is."""
    found = kept and kept.restore(lambda done: jax.eval_shape(lot, *of))
    return found and found[1]


def _check_finite(params, start):
    for leaf in jax.tree.leaves(params):
        if not np.isfinite(leaf).all():
            wrong = ~np.isfinite(leaf).reshape(len(leaf), -1).all(axis=1)
            raise errors.InputError(
                "references",
                found=f"the training of model {start + int(np.argmax(wrong))} diverges",
                accepted="are trainings that end in numbers",
            )
