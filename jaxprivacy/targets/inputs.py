"""What users pass to the functions of this folder: checked before anything is traced.

What can be told from shapes is refused always, what can be told from values only
outside `jax.jit`.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxprivacy import checks, errors, types
from jaxprivacy.targets.program import Apply, Loss
from jaxprivacy.training import losses

COMPARED = 3  # records whose outputs are compared with those of a batch of them


def cross_entropy(output: jax.Array, label: jax.Array) -> jax.Array:
    """Cross-entropy of one record in nats, in float32: (K,), () -> ().

    Of one output, (1,) or (), it is the logistic loss with the labels 0 and 1. The loss
    of another label is NaN.
    """
    # In half precision the gradient of a confident output would be 0.
    scores = jnp.atleast_1d(output).astype(jnp.float32)
    return losses.cross_entropy(scores[None], label[None])[0]


def check_max_norm(value: Any) -> None:
    """Refuses a norm of 0 and below, and one that is no number."""
    if _known(value) and not value > 0:
        raise errors.InputError(
            "max_norm", value, "are numbers above 0, infinity among them"
        )


def check_records(x: types.Array, y: types.Array) -> tuple[jax.Array, jax.Array]:
    """Returns records and labels as arrays, N of each.

    Raises:
      InputError: there is no axis of records, none, or not as many labels.
    """
    x, y = jnp.asarray(x), jnp.asarray(y)
    for name, a in (("x", x), ("y", y)):
        if not a.ndim:
            raise errors.InputError(
                name,
                found="a single number, without an axis of records",
                accepted=(
                    "are arrays (N, ...); x[None] and y[None] are a batch of one record"
                ),
            )
    if len(x) != len(y) or not len(x):
        raise errors.InputError(
            "y",
            found=f"{len(y)} labels for {len(x)} records of x",
            accepted="is one label for each of at least one record",
        )
    return x, y


def check_model(
    apply: Apply,
    params: types.Params,
    x: jax.Array,
    y: jax.Array,
    loss: Loss | None,
    name: str = "apply",
) -> Loss:
    """Checks that model, parameters, records and loss fit together.

    Args:
      apply: the model.
      params: its parameters.
      x: records.
      y: labels.
      loss: of one record; None: the default.
      name: what the user calls the model.

    Returns:
      The loss, the default one where there is none.

    Raises:
      InputError: they do not.
    """
    outputs = [_shapes(name, apply, params, x[:n]) for n in {1, min(2, len(x))}]
    for n, out in zip({1, min(2, len(x))}, outputs, strict=True):
        for o in jax.tree.leaves(out):
            if not o.shape or o.shape[0] != n:
                raise errors.InputError(
                    name,
                    found=f"of records {x[:n].shape} it makes an output {o.shape}",
                    accepted=(
                        f"are outputs (B, ...) of records (B, ...), here ({n}, ...); "
                        "does x lack its axis of records?"
                    ),
                )
    out = jax.tree.map(lambda o: jax.ShapeDtypeStruct(o.shape[1:], o.dtype), outputs[0])
    label = jax.ShapeDtypeStruct(y.shape[1:], y.dtype)
    if loss is None:
        _check_default(out, label)
        loss = cross_entropy
    value = _shapes("loss", loss, out, label)
    shape = getattr(value, "shape", None)
    if shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
        raise errors.InputError(
            "loss",
            found=f"of one record's output and label it makes {_described(value)}",
            accepted="are losses that are one real number, ()",
        )
    if _known((params, x, y)):
        if loss is cross_entropy:
            checks.labels("y", np.asarray(y), math.prod(out.shape))
        _check_alone(apply, params, x[:COMPARED], name)
    return loss


def _check_default(out: Any, label: jax.ShapeDtypeStruct) -> None:
    """Refuses outputs and labels between which cross-entropy is not defined."""
    single = isinstance(out, jax.ShapeDtypeStruct) and len(out.shape) < 2
    if not single or not math.prod(out.shape):
        raise errors.InputError(
            "loss",
            found=(
                "the default takes outputs (K,) of a record, the model makes "
                f"{_described(out)}"
            ),
            accepted="is then another loss, (output, label) -> ()",
        )
    numbers = math.prod(out.shape) == 1 or jnp.issubdtype(label.dtype, jnp.integer)
    if label.shape or not numbers:
        raise errors.InputError(
            "y",
            found=f"of each record {_described(label)}",
            accepted="by the default loss are labels (N,), integers from 0 on",
        )


def _shapes(name: str, function, *args) -> Any:
    """The shapes that a user's function makes; what it raises becomes one line."""
    try:
        return jax.eval_shape(function, *args)
    except errors.InputError:
        raise
    except Exception as error:
        shapes = ", ".join(_described(a) for a in args[-(2 if name == "loss" else 1) :])
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise errors.InputError(
            name,
            found=f"fails on {shapes}",
            accepted=(
                "is a function of "
                + (
                    "one record's output and label"
                    if name == "loss"
                    else "params and x"
                )
                + f", (B, ...) where records stand in front; it says: {reason}"
            ),
        ) from error


def _described(a: Any) -> str:
    leaves = jax.tree.leaves(a)
    if len(leaves) == 1 and hasattr(leaves[0], "dtype"):
        return f"{leaves[0].dtype}{list(leaves[0].shape)}"
    return f"{type(a).__name__} of {len(leaves)} arrays"


def _known(tree: Any) -> bool:
    """Whether values can be looked at."""
    return not any(isinstance(a, jax.core.Tracer) for a in jax.tree.leaves(tree))


def _check_alone(apply: Apply, params: types.Params, x: jax.Array, name: str) -> None:
    """Refuses models of which a record's output depends on the other records.

    Raises:
      InputError: the outputs of a small batch are not those of its records alone.
    """
    if len(x) == 1:  # In company of itself, its elements in another order.
        x = jnp.concatenate([x, jnp.roll(x.reshape(1, -1), 1).reshape(x.shape)])
    # Loops, so that each is compiled once, as a whole.
    with jax.default_matmul_precision("highest"):
        single = lax.map(lambda each: apply(params, each[None]), x)
        together = lax.map(lambda batch: apply(params, batch), x[None])
    if not _known((single, together)):
        return
    for one, all_ in zip(*map(jax.tree.leaves, (single, together)), strict=True):
        if not jnp.issubdtype(one.dtype, jnp.floating):
            continue
        close = np.sqrt(float(jnp.finfo(one.dtype).eps)) * 2
        one, all_ = np.asarray(one[:, 0], np.float64), np.asarray(all_[0], np.float64)
        scale = np.max(np.abs(one), initial=0.0, where=np.isfinite(one))
        with np.errstate(invalid="ignore"):  # Of infinities that are the same.
            off = np.abs(one - all_) > close * scale
        far = off | (np.isnan(one) != np.isnan(all_))
        if far.any():
            record = int(np.argwhere(far)[0][0])
            raise errors.InputError(
                name,
                found=(
                    f"the output of record {record} is another one alone than among "
                    f"{len(x)} records"
                ),
                accepted=(
                    "are models whose outputs depend on their own record alone "
                    "(BatchNorm in evaluation mode, dropout switched off)"
                ),
            )


def check_values(loss: jax.Array, undefined: jax.Array) -> None:
    """Refuses outputs and losses that are NaN, outside `jax.jit`.

    Args:
      loss: (N,).
      undefined: (N,), whether an output is NaN.
    """
    if not _known((loss, undefined)):
        return
    for name, what, wrong in (
        ("apply", "the output", undefined),
        ("loss", "that", loss),
    ):
        wrong = np.flatnonzero(np.isnan(wrong) if wrong is loss else wrong)
        if len(wrong):
            raise errors.InputError(
                name,
                found=f"{what} of record {wrong[0]} is NaN, like {len(wrong) - 1} more",
                accepted="are numbers",
            )
