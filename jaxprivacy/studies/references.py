"""Reference models of a study: trained over the devices, kept, and asked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import errors, types
from jaxprivacy.attacks import membership
from jaxprivacy.data import shifts
from jaxprivacy.programs import checkpoint, chunks, compilation, placement
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
    """Trains S models: (S, ...), in the host's memory; for the arguments see `lots`."""
    found = list(lots(train_one, records, held, key, advance, checkpoints))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *found)


def lots(
    train_one: population.Train,
    records: types.Batch,
    held: np.ndarray,
    key: jax.Array,
    advance: Callable[[float], None],
    checkpoints: checkpoint.Checkpoints = checkpoint.nowhere,
) -> Iterator[types.Params]:
    """Trains S models, a lot of them at a time, and hands out each lot as it ends.

    Each lot is kept as it ends, so that a killed run trains no lot twice.

    Args:
      train_one: the training of one model.
      records: (N, ...) all records.
      held: (S, N) bool, which of them each model is trained on.
      key: randomness of the trainings.
      advance: told the share done.
      checkpoints: where lots are kept.

    Yields:
      The parameters of some models, (L, ...), in the host's memory.

    Raises:
      InputError: a training diverges.
    """
    share = population.shares(key, held)
    together = AT_ONCE.get(jax.default_backend(), OTHERWISE) * jax.device_count()
    models = placement.program(population.trainer(train_one), placement.SPREAD)
    records = jax.tree.map(jnp.asarray, records)
    for lot in placement.lots(len(held), together):
        own = jax.tree.map(lambda a, lot=lot: a[lot.which], share)
        _, params = chunks.run(
            lambda state, _, own=own: (state, models((records,), (own,))),
            (),
            1,
            length=1,
            advance=lambda share, lot=lot: advance(share * lot.count / len(held)),
            # By both: another number of devices makes other lots, which begin alike.
            checkpoint=checkpoints(f"references_{lot.start}_{lot.count}"),
        )
        _check_finite(params, lot.start)
        yield params


class Said(NamedTuple):
    """What S models say of N records; of each output no more than its numbers here.

    Where records are shown in Q forms, the first two are (S, N, Q), and the others of
    the first form.
    """

    log_odds: np.ndarray  # (S, N) of each record's own class
    log_probability: np.ndarray  # (S, N)
    entropy: np.ndarray  # (S, N) of the classes, with a minus
    modified_entropy: np.ndarray  # (S, N) likewise
    right: np.ndarray  # (S, N) bool

    def of(self, model: int) -> Said:
        """What one of the models says: each (N,)."""
        return Said(*(a[model] for a in self))


def each(params: types.Params) -> Iterator[types.Params]:
    """The parameters of S models (S, ...), one model's after the other."""
    for i in range(len(jax.tree.leaves(params)[0])):
        yield jax.tree.map(lambda a, i=i: a[i], params)


def joined(parts: Sequence[Said]) -> Said:
    """What lots of models say, as of one lot."""
    return Said(*map(np.concatenate, zip(*parts, strict=True)))


def ask(
    apply: Callable,
    params: types.Params,
    x: types.Array,
    y: np.ndarray,
    queries: int = 1,
) -> Said:
    """Asks each of S models about all records, one model after the other.

    Args:
      apply: (params, (B, *D)) -> logits (B, K).
      params: (S, ...).
      x: (N, *D).
      y: (N,) classes.
      queries: Q, in how many forms each record is shown; more than 1 of images alone.
    """

    def asked(one):
        if queries == 1:
            return said(outputs(apply, one, x), y)
        first, *others = (
            said(outputs(apply, one, form), y) for form in shifts.forms(x, queries)
        )
        signals = (
            np.stack(signal, axis=-1)
            for signal in zip(first[:2], *(other[:2] for other in others), strict=True)
        )
        return Said(*signals, *first[2:])

    return Said(*map(np.stack, zip(*map(asked, each(params)), strict=True)))


def ask_each(
    apply: Callable, some: Iterable[types.Params], x: types.Array, y: np.ndarray
) -> Said:
    """Asks lots of models as they come, and keeps what they say in place of them.

    Args:
      apply: see `ask`.
      some: lots of parameters, (L, ...) each.
      x: (N, *D).
      y: (N,) classes.

    Raises:
      InputError: a model's output is no number.
    """
    found = joined([ask(apply, params, x, y) for params in some])
    wrong = ~np.isfinite(found.log_odds).all(axis=1)
    if wrong.any():
        raise errors.InputError(
            "references",
            found=f"model {int(np.argmax(wrong))} answers with no finite number",
            accepted="are trainings whose models answer in numbers",
        )
    return found


def outputs(apply: Callable, params: types.Params, x: types.Array) -> np.ndarray:
    """What one model answers, batch by batch: (N, K) float32."""
    answer = functools.partial(
        compilation.compiled(apply), jax.tree.map(jnp.asarray, params)
    )
    return np.asarray(compilation.in_batches(answer, x, RECORDS), np.float32)


def said(logits: np.ndarray, y: np.ndarray) -> Said:
    """What one model says by its logits (N, K), of records of the classes y (N,)."""
    return Said(
        membership.scaled_logit(logits, y),
        membership.log_probability(logits, y),
        membership.entropy(logits),
        membership.modified_entropy(logits, y),
        np.asarray(losses.predicted(logits)) == y,
    )


def _check_finite(params, start):
    for leaf in jax.tree.leaves(params):
        if not np.isfinite(leaf).all():
            wrong = ~np.isfinite(leaf).reshape(len(leaf), -1).all(axis=1)
            raise errors.InputError(
                "references",
                found=f"the training of model {start + int(np.argmax(wrong))} diverges",
                accepted="are trainings that end in numbers",
            )
