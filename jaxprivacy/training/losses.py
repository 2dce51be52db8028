"""Per-example loss and what is measured of a classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxprivacy import checks, errors, types

Loss = Callable[[jax.Array, jax.Array], jax.Array]  # logits (B, K), y (B,) -> (B,)


def cross_entropy(logits: jax.Array, y: jax.Array) -> jax.Array:
    """Cross-entropy of each example in nats: (B, K), (B,) -> (B,).

    A single output is the logit of label 1 against label 0 (the logistic loss): the
    same as two logits of which the first is 0.

    Args:
      logits: (B, K).
      y: (B,) integers 0 to K - 1; for one output 0 and 1. Under `jax.jit`, where no
        value can be refused, loss and gradient of another label are NaN.

    Raises:
      InputError: another label, outside `jax.jit`.
    """
    chex.assert_rank([logits, y], [2, 1])
    outputs = logits.shape[1]
    check_labels(y, outputs)
    if outputs == 1:
        values = optax.sigmoid_binary_cross_entropy(logits[:, 0], y)
    else:
        values = optax.softmax_cross_entropy_with_integer_labels(logits, y)
    # As a factor, it reaches the gradient too.
    known = (y >= 0) & (y < max(outputs, 2))
    return values * jnp.where(known, 1.0, jnp.nan).astype(values.dtype)


def smoothed(smoothing: float | jax.Array) -> Loss:
    """Cross-entropy with a share of each label spread over all classes alike.

    (1 - e) of the cross-entropy of the label and e of its mean over all labels; a
    single output has two labels.

    Args:
      smoothing: e, in [0, 1); 0 is `cross_entropy`.

    Raises:
      InputError: `smoothing` is out of its range.

    Source: Szegedy et al., "Rethinking the Inception architecture for computer vision",
    CVPR 2016, section 7.
    """
    if isinstance(smoothing, int | float) and not 0 <= smoothing < 1:
        raise errors.InputError("label_smoothing", smoothing, "are 0 to below 1")

    def loss(logits, y):
        labels = range(max(logits.shape[1], 2))
        each = [cross_entropy(logits, jnp.full_like(y, label)) for label in labels]
        spread = sum(each) / len(each)
        return (1 - smoothing) * cross_entropy(logits, y) + smoothing * spread

    return loss


def check_labels(y: jax.Array, outputs: int) -> None:
    """Refuses labels that K outputs do not tell apart, unless they are traced.

    Raises:
      InputError: see `checks.labels`.
    """
    if not isinstance(y, jax.core.Tracer):
        checks.labels("y", np.asarray(y), outputs)


def probabilities(logits: jax.Array) -> jax.Array:
    """Probabilities of the labels: (B, K) -> (B, K); of one output, of label 1."""
    return jax.nn.sigmoid(logits) if logits.shape[-1] == 1 else jax.nn.softmax(logits)


def predicted(logits: jax.Array) -> jax.Array:
    """The likeliest label: (B, K) -> (B,)."""
    if logits.shape[-1] == 1:
        return (logits[:, 0] > 0).astype(jnp.int32)
    return jnp.argmax(logits, axis=-1)


def masked_mean(values: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean over the real records, 0 where there are none: (B,), (B,) -> ()."""
    return jnp.sum(values * mask) / jnp.maximum(jnp.sum(mask), 1)


def accuracy(
    model: types.Model, params: types.Params, batch: types.Batch, *, at_once: int = 100
) -> jax.Array:
    """Share of real records whose likeliest label is theirs: () in [0, 1].

    Args: see `accuracies`.
    """
    return accuracies([model], params, batch, at_once=at_once)[0]


def accuracies(
    models: Sequence[types.Model],
    params: types.Params,
    batch: types.Batch,
    *,
    at_once: int = 100,
) -> list[jax.Array]:
    """The accuracy of each classifier: () in [0, 1] each.

    The records pass all of them together, so what classifiers have in common (a
    network of which one puts out less) is computed once.

    Args:
      models: the classifiers.
      params: the parameters of all.
      batch: N records.
      at_once: records that pass a model together, which bounds the memory. A CPU's
        caches hold what a hundred images leave in a convolution, but not what a
        thousand do: that takes four times as long.
    """

    def right(x, y):
        found = [predicted(model.apply(params, x)) for model in models]
        return [(labels == y).astype(jnp.float32) for labels in found]

    count = len(batch.y)
    chunks = -(-count // at_once)
    if chunks == 1:
        hits = right(batch.x, batch.y)
        return [masked_mean(some, batch.mask) for some in hits]

    def cut(a):
        size = -(-count // chunks)
        a = jnp.pad(a, ((0, chunks * size - count),) + ((0, 0),) * (a.ndim - 1))
        return a.reshape(chunks, size, *a.shape[1:])

    x, y, mask = jax.tree.map(cut, batch)
    hits = lax.map(lambda chunk: right(*chunk), (x, y))
    return [masked_mean(some.reshape(-1), mask.reshape(-1)) for some in hits]
