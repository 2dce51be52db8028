"""What is handed over for an audit: checked before anything is computed."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import errors
from jaxprivacy.data.copies import FEWEST
from jaxprivacy.federated import transcript as transcripts
from jaxprivacy.studies import streams
from jaxprivacy.targets import target as targets, tasks


class Given(NamedTuple):
    """What was handed over, checked."""

    target: targets.Target  # of packed records, if they are trees
    task: tasks.Task
    transcript: transcripts.Transcript
    members: streams.Stream
    non_members: streams.Stream


def given(
    of: Any, params: Any, members: Any, non_members: Any, loss: Any, train: Any = None
) -> Given:
    """Checks what was handed over, as far as its first records tell.

    Args:
      of: what stands for the target.
      params: its parameters, snapshots of them, or a transcript.
      members: see `streams.stream`.
      non_members: likewise.
      loss: see `targets.Target`.
      train: likewise; None: the target's own.

    Raises:
      InputError: see `door.audit`.
    """
    seen, listed = _transcript(params)
    first = params if seen is None else seen.parameters
    if seen is not None:
        first = jax.tree.map(lambda a: a[0], first)
    target = targets.target(of, first, loss)
    if train is not None:
        target = target._replace(train=train)
    seen = seen or transcripts.of_snapshots([target.params])
    kinds = [
        streams.stream(name, records)
        for name, records in (("members", members), ("non_members", non_members))
    ]
    ours, others = (kind.first for kind in kinds)
    streams.check_alike(others, ours)
    pairs = (ours.x, others.x), (ours.y, others.y)
    target, task = _answering(target, ours, [ours.y, others.y], listed)
    types = [jnp.promote_types(a.dtype, b.dtype) for a, b in pairs]
    kinds = [_ready(kind, task, ours, *types) for kind in kinds]
    if None not in (kinds[0].count, kinds[1].count):
        enough(kinds[0].count, kinds[1].count)
    return Given(target, task, seen, *kinds)


def _transcript(params: Any) -> tuple[transcripts.Transcript | None, bool]:
    """The transcript that parameters are, if they are several; whether as a list."""
    if isinstance(params, transcripts.Transcript):
        return transcripts.check(params), False
    if isinstance(params, list | tuple) and not hasattr(params, "_fields"):
        return transcripts.of_snapshots(params), True
    return None, False


def _answering(target, batch, labels, listed):
    """The target of packed records, with outputs (B, 1) for (B,), and its task."""
    if batch.form.tree is not None:
        target = _of_packed(target, batch.form)
    outputs = _outputs(target, batch, listed)
    task = tasks.task(target.loss, outputs.shape[1:] or (1,), labels)
    if outputs.ndim == 1 and task.kind != tasks.OWN:  # Without an axis of its own.
        flat = target.apply
        target = target._replace(apply=lambda *of: flat(*of)[:, None])
    return target, task


def _of_packed(target: targets.Target, form: streams.Form) -> targets.Target:
    """The same of records that lie in one array."""
    apply, train = target.apply, target.train
    if callable(train):
        target = target._replace(
            train=lambda key, of, mask: train(key, (form.unpack(of[0]), of[1]), mask)
        )
    return target._replace(apply=lambda params, x: apply(params, form.unpack(x)))


def _outputs(
    target: targets.Target, batch: streams.Batch, listed: bool
) -> jax.ShapeDtypeStruct:
    """The form of the outputs of two records."""
    two = jax.ShapeDtypeStruct((2, *batch.x.shape[1:]), batch.x.dtype)
    records = streams.described(batch)
    if batch.form.tree is None:
        records = f"{batch.x.dtype} of shape {records}"
    try:
        found = jax.eval_shape(target.apply, target.params, two)
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise errors.InputError(
            "target",
            found=(
                f"cannot be applied to its parameters and records {records} "
                f"({said[:200]})"
            ),
            accepted=(
                "are parameters and records of the model; options of its call, such "
                "as train=False, are given by jaxprivacy.linen or "
                f"jaxprivacy.nnx{transcripts.LISTED * listed}"
            ),
        ) from error
    if not hasattr(found, "shape") or not found.shape or found.shape[0] != 2:
        raise errors.InputError(
            "target",
            found=(
                f"gives {getattr(found, 'shape', type(found).__name__)} for 2 records"
            ),
            accepted="is one output a record, (2, ...)",
        )
    return found


def _ready(kind, task, ours, x_type, y_type) -> streams.Stream:
    """Records with the labels that the task takes, all of one type.

    Those of the first batch are looked at now, the others when they come.
    """

    def convert(batch):
        y = tasks.labels(batch.name, batch.y, task)
        if task.kind == tasks.OWN:
            y = _as(f"{batch.name}: y", y, y_type)
        if task.kind == tasks.OWN and y.shape[1:] != ours.y.shape[1:]:
            raise errors.InputError(
                batch.name,
                found=f"labels of shape {y.shape[1:]} each",
                accepted=f"is the shape of the members', {ours.y.shape[1:]}",
            )
        return batch._replace(x=_as(f"{batch.name}: x", batch.x, x_type), y=y)

    return kind._replace(first=convert(kind.first), batches=map(convert, kind.batches))


def _as(name: str, a: np.ndarray, dtype: Any) -> np.ndarray:
    if jnp.promote_types(a.dtype, dtype) != dtype:
        accepted = f"is that of the first batch, {dtype}"
        raise errors.of_part(name, f"of type {a.dtype}", accepted)
    return a.astype(dtype, copy=False)


def enough(members: int, non_members: int) -> None:
    """Refuses too few records.

    Raises:
      InputError: with how many there are.
    """
    if members < FEWEST or non_members < 2 * FEWEST:
        raise errors.InputError(
            ("members", "non_members"),
            found=f"{members} and {non_members} records that can be attacked",
            accepted=f"are at least {FEWEST} and {2 * FEWEST}",
        )
