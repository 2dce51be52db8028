"""What a target answers: classes, numbers, labels, tokens; and the loss of each.

A task follows from the form of the outputs and from the labels, or from the loss that a
user names. It settles which labels are accepted and which attacks are defined.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxprivacy import checks, errors
from jaxprivacy.targets.inputs import cross_entropy
from jaxprivacy.targets.target import Loss

CLASSES, LOGIT, NUMBERS = "classes", "one logit", "a regression"
LABELS, TOKENS, OWN = "several labels", "token sequences", "a loss of one's own"


class Task(NamedTuple):
    """What a target's output is an answer to."""

    kind: str  # one of the names above
    loss: Loss  # of one record, (output, label) -> ()
    form: tuple[int, ...]  # of one record's output
    loss_name: str  # for readers

    @property
    def classifies(self) -> bool:
        """Whether a record has one label, that of a class."""
        return self.kind in (CLASSES, LOGIT)

    @property
    def classes(self) -> int:
        """How many classes there are; 0 where a record has no class."""
        return max(2, math.prod(self.form)) if self.classifies else 0


def squared_error(output: jax.Array, label: jax.Array) -> jax.Array:
    """The mean squared error of one record, in float32: (*D), (*D) -> ()."""
    found = output.astype(jnp.float32)
    return jnp.mean(jnp.square(found - label.reshape(found.shape)))


def logistic_losses(output: jax.Array, label: jax.Array) -> jax.Array:
    """The sum of the logistic losses of L independent labels 0 or 1: (L,), (L,) -> ().

    In nats; minus the logarithm of the probability that all labels are right.
    """
    logits = output.astype(jnp.float32)
    return optax.sigmoid_binary_cross_entropy(logits, label.reshape(logits.shape)).sum()


def token_loss(output: jax.Array, label: jax.Array) -> jax.Array:
    """The mean cross-entropy of a sequence's tokens in nats: (T, V), (T,) -> ().

    Tokens with a negative label are padding and do not count.
    """
    count = jnp.sum(label >= 0)
    return summed_token_loss(output, label) / jnp.maximum(count, 1)


def summed_token_loss(output: jax.Array, label: jax.Array) -> jax.Array:
    """The sum over a sequence's tokens of their cross-entropy: (T, V), (T,) -> ().

    That is minus the logarithm of the sequence's probability; longer ones have larger
    losses, whether members or not.
    """
    losses = optax.softmax_cross_entropy_with_integer_labels(
        output.astype(jnp.float32), jnp.maximum(label, 0)
    )
    return jnp.sum(losses * (label >= 0))


_KNOWN = (
    (cross_entropy, "", "cross-entropy"),  # Of classes or of one logit.
    (squared_error, NUMBERS, "the mean squared error"),
    (logistic_losses, LABELS, "the sum of the labels' logistic losses"),
    (token_loss, TOKENS, "the mean cross-entropy of a sequence's tokens"),
    (summed_token_loss, TOKENS, "the summed cross-entropy of a sequence's tokens"),
)
_DEFAULT = {
    CLASSES: cross_entropy,
    LOGIT: cross_entropy,
    NUMBERS: squared_error,
    LABELS: logistic_losses,
    TOKENS: token_loss,
}


def task(loss: Loss | None, form: tuple[int, ...], labels: list[np.ndarray]) -> Task:
    """The task of a target.

    Args:
      loss: as it was given; None: what follows from the rest.
      form: of one record's output.
      labels: of some records, (N, ...) each: what is decided by values is decided by
        these.

    Raises:
      InputError: no default loss is defined for such outputs and labels.
    """
    for known, kind, name in _KNOWN:
        if loss is known:
            alone = LOGIT if math.prod(form) == 1 else CLASSES
            return Task(kind or alone, known, form, name)
    if loss is not None:
        name = getattr(loss, "__name__", "<").strip()
        named = "" if name.startswith("<") else f", {name}"
        return Task(OWN, loss, form, f"the one that was given{named}")
    return task(_DEFAULT[_kind(form, labels)], form, labels)


def _kind(form: tuple[int, ...], labels: list[np.ndarray]) -> str:
    """The kind that outputs and labels speak for."""
    shape = labels[0].shape[1:]
    real = any(jnp.issubdtype(y.dtype, jnp.floating) for y in labels)
    binary = all(np.isin(y, (0, 1)).all() for y in labels)
    if not math.prod(form):
        raise _undefined(form, labels)
    if math.prod(form) == 1 and math.prod(shape) == 1:
        return _of_one_number(labels, real, binary)
    if len(form) == 1 and shape in ((), (1,)):
        return CLASSES
    if shape == form:
        return _of_each_output(form, labels, real, binary)
    if len(form) > 1 and shape == form[:-1] and not real:
        return TOKENS
    raise _undefined(form, labels)


def _of_one_number(labels, real, binary):
    if not real or binary:
        return LOGIT
    if all(np.isin(y, (-1, 1)).all() for y in labels):
        raise errors.InputError(
            "y",
            found="holds -1 and 1 alone",
            accepted=(
                "with one output are the labels 0 and 1, or "
                "loss=jaxprivacy.squared_error for a regression"
            ),
        )
    return NUMBERS


def _of_each_output(form, labels, real, binary):
    rows = [y.reshape(len(y), -1) for y in labels]
    if binary and all((y.sum(axis=1) == 1).all() for y in rows):
        raise errors.InputError(
            "y",
            found=f"of shape {labels[0].shape} holds one 1 in each row",
            accepted=(
                "are labels (N,) of classes, y.argmax(axis=1), or "
                "loss=jaxprivacy.logistic_losses for several labels of a record"
            ),
        )
    if binary:
        return LABELS
    if real:
        return NUMBERS
    raise errors.InputError(
        "y",
        found=f"of type {labels[0].dtype} and shape {labels[0].shape}",
        accepted="are 0 and 1 for several labels of a record, floats for a regression",
    )


def _undefined(form, labels):
    return errors.InputError(
        "target",
        found=(
            f"outputs of shape {form} of a record, whose labels are "
            f"{labels[0].dtype} of shape {labels[0].shape[1:]}"
        ),
        accepted=(
            "are outputs (K,) and labels 0 to K - 1, one output and labels 0 and 1, "
            "outputs (T, V) and integers (T,), labels of the outputs' shape, floats "
            "or 0 and 1; or a loss of your own"
        ),
    )


def labels(name: str, y: np.ndarray, of: Task) -> np.ndarray:
    """Checks labels and brings them to the form that the task's loss takes.

    Args:
      name: of what holds them, as messages have it.
      y: (N, ...) numbers.
      of: the task.

    Raises:
      InputError: they are none of this task.
    """
    if of.kind == OWN:
        return y
    wanted = of.form[:-1] if of.kind == TOKENS else of.form
    wanted = () if of.classifies else wanted
    if math.prod(y.shape[1:]) != math.prod(wanted) or y.ndim > 1 + max(1, len(wanted)):
        cure = "; y.argmax(axis=1) makes them of one-hot rows" * (of.kind == CLASSES)
        shape = ", ".join(["N", *map(str, wanted)]) + "," * (not wanted)
        raise errors.InputError(
            name, found=f"y of shape {y.shape}", accepted=f"are labels ({shape}){cure}"
        )
    y = y.reshape(len(y), *wanted)
    if of.classifies:
        checks.labels(f"y of {name}", y, math.prod(of.form))
    if of.kind == LABELS:
        _refuse(name, y, ~np.isin(y, (0, 1)), "0 and 1")
    if of.kind == TOKENS:
        _refuse_tokens(name, y, of.form[-1])
    return y.astype(np.float32 if of.kind == NUMBERS else np.int32)


def _refuse_tokens(name, y, vocabulary):
    wrong = (y >= vocabulary) | (y != np.floor(y))
    accepted = f"the integers 0 to {vocabulary - 1}, and below 0 for padding"
    _refuse(name, y, wrong, accepted)
    empty = (y < 0).reshape(len(y), -1).all(axis=1)
    _refuse(name, y, empty, "at least one token that is not padding")


def _refuse(name, y, wrong, accepted):
    if wrong.any():
        where = tuple(np.argwhere(wrong)[0].tolist())
        value = y[where] if wrong.ndim == y.ndim else y[where].tolist()[:4]
        raise errors.InputError(
            f"y of {name}",
            found=f"holds {value} at record {where[0]}",
            accepted=f"are {accepted}",
        )
