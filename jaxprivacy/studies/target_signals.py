"""What any target shows of its records: outputs, losses, gradients, hidden outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import errors, types
from jaxprivacy.attacks import answers, features as features_lib
from jaxprivacy.data import copies
from jaxprivacy.programs import compilation
from jaxprivacy.studies import target_layers
from jaxprivacy.targets import gradients, inputs, target as targets, tasks

AT_ONCE = 256  # records that pass the target together


class Signals(NamedTuple):
    """What is kept of N records: no record itself, and no output of any size."""

    features: features_lib.Features
    right: np.ndarray  # (N,) share of right answers at the last snapshot, or NaN
    digests: np.ndarray  # (N, 16) uint8, equal where records are
    labels: np.ndarray  # (N,) classes, or digests (N, 16) of other labels


# (x (B, *D), y (B, ...), how many of them are records) -> what they show
Look = Callable[[np.ndarray, np.ndarray, int], Signals]


def extractor(
    target: targets.Target,
    task: tasks.Task,
    snapshots: types.Params,
    known: np.ndarray,
    taken: target_layers.Taken = target_layers.Taken(),  # noqa: B008
) -> Look:
    """Builds what takes down a batch's outputs, loss and gradients.

    The gradients' norms are those of each array of the parameters, which any function
    of JAX has; the gradients themselves, and hidden outputs, are those of some layers.
    One program serves all batches of a size, and all snapshots.

    Args:
      target: the model.
      task: what it answers.
      snapshots: its parameters (T, ...).
      known: labels (N, ...), by whose scale a regression's numbers are told.
      taken: of which layers hidden outputs and gradients are taken.
    """
    count = len(jax.tree.leaves(snapshots)[0])
    answer = _answer(task, known)
    look = compilation.compiled(
        lambda *of: _of_records(target, task, answer, taken, *of)
    )
    several = [jax.tree.map(lambda a, i=i: a[i], snapshots) for i in range(count)]
    checked = []

    def of_batch(x, y, number):
        if not checked:
            inputs.check_model(target.apply, several[0], x, y, task.loss, "target")
            checked.append(True)
        found = [look(params, x, y) for params in several]
        for seen in found:
            _check_numbers(jax.tree.map(lambda a: a[:number], seen))
        stacked = jax.tree.map(
            lambda *parts: np.stack(parts)[:, :number], *(seen[0] for seen in found)
        )
        return Signals(
            stacked._replace(label=stacked.label[0]),
            np.asarray(found[-1][1])[:number],
            _digests(x[:number]),
            y[:number] if task.classifies else _digests(y[:number]),
        )

    return of_batch


def joined(parts: Iterable[Signals]) -> Signals:
    """All batches as one."""
    features, *rest = zip(*parts, strict=True)
    labels = np.concatenate([part.label for part in features])
    bare = [part._replace(label=()) for part in features]
    stacked = jax.tree.map(lambda *some: np.concatenate(some, axis=1), *bare)
    return Signals(stacked._replace(label=labels), *map(np.concatenate, rest))


def _answer(task: tasks.Task, known: np.ndarray) -> Callable[..., answers.Answer]:
    """What is taken of one record's answer: (output, label, norms) -> answer."""
    if task.kind == tasks.NUMBERS:
        mean, std = known.mean(axis=0), known.std(axis=0)
        std = np.where(std > 0, std, 1.0).astype(np.float32)
        return lambda *of: answers.of_numbers(*of, mean, std)
    return {
        tasks.CLASSES: answers.of_class,
        tasks.LOGIT: answers.of_class,
        tasks.LABELS: answers.of_labels,
        tasks.TOKENS: answers.of_tokens,
        tasks.OWN: lambda output, label, norms: answers.of_any(label),
    }[task.kind]


def _digests(a: np.ndarray) -> np.ndarray:
    """(N, ...) -> (N, 16) uint8, equal where records are."""
    return np.stack([np.frombuffer(copies.digest(row), np.uint8) for row in a])


def _check_numbers(seen) -> None:
    features, _, undefined = seen
    for name, told, wrong in (
        ("target", "its output is", np.asarray(undefined)),
        ("loss", "is", np.isnan(features.loss[:, 0])),
    ):
        if wrong.any():
            raise errors.InputError(
                name,
                found=f"{told} NaN for {wrong.sum()} of {len(wrong)} records",
                accepted="are numbers",
            )


def _of_records(target, task, answer, taken, params, x, y):
    """Features of one snapshot, (N, ...), what is right, and where outputs are NaN."""
    norms = gradients.gradient_norms_by_leaf(target.apply, params, x, y, loss=task.loss)
    squares = {name: norm**2 for name, norm in targets.learned(params, norms).items()}
    outputs = target.apply(params, x)
    undefined = jnp.isnan(outputs).reshape(len(y), -1).any(axis=1)
    seen = jax.vmap(answer)(outputs, y, squares)
    features = features_lib.Features(
        label=seen.label,
        loss=jax.vmap(task.loss)(outputs, y).astype(jnp.float32)[:, None],
        output=seen.output,
        **target_layers.features(target, task, taken, params, x, y),
        norm=jnp.sqrt(sum(squares.values())),
        statistics=seen.statistics,
    )
    return features, seen.right, undefined
