"""A target's training as a user wrote it: checked before any model is trained."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import errors, types
from jaxprivacy.targets.target import Target

_ACCEPTED = (
    "is a pure function (key, (x, y), mask) -> params that jax.jit and "
    "jax.vmap can trace"
)


def check(target: Target, x: np.ndarray, y: np.ndarray, count: int) -> None:
    """Checks that a target's training makes parameters like the target's own.

    It is traced, and nothing is computed.

    Args:
      target: with `params` and `train`, of records in the form of x.
      x: records (N, *D), of which the form alone counts.
      y: labels (N, ...), likewise.
      count: how many records each training is given.

    Raises:
      InputError: naming `train`.
    """
    if not callable(target.train):
        raise errors.InputError("train", target.train, _ACCEPTED)
    # Two trainings side by side, as they are run; on a CPU one after the other.
    records = tuple(
        jax.ShapeDtypeStruct((2, count, *a.shape[1:]), a.dtype) for a in (x, y)
    )
    keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0)))
    mask = jax.ShapeDtypeStruct((2, count), jnp.float32)
    try:
        found = jax.eval_shape(jax.vmap(target.train), keys, records, mask)
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise errors.InputError(
            "train",
            found=f"fails where it is traced ({type(error).__name__}: {said})",
            accepted=_ACCEPTED,
        ) from error
    found = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), found)
    _check_alike(found, target.params)
    _check_fit(target, found, x)


def _check_alike(found: types.Params, params: types.Params) -> None:
    """Refuses parameters of other names or shapes than the target's."""
    theirs, ours = _shapes(found), _shapes(params)
    for path in [*ours, *theirs]:
        if theirs.get(path) != ours.get(path):
            raise errors.InputError(
                "train",
                found=(
                    f"returns {_told(theirs, path)}, where the target's parameters "
                    f"have {_told(ours, path)}"
                ),
                accepted="is a tree like params",
            )


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """The shape of each array by its path; mappings of all kinds are the same."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.shape(leaf)
        for path, leaf in leaves
    }


def _told(shapes: dict[str, tuple[int, ...]], path: str) -> str:
    named = f" {path}" if path else ""
    if path in shapes:
        return f"an array{named} of shape {shapes[path]}"
    return f"no array{named}"


def _check_fit(target: Target, found: types.Params, x: np.ndarray) -> None:
    """Refuses what has the right shapes, and which the model still cannot take."""
    two = jax.ShapeDtypeStruct((2, *x.shape[1:]), x.dtype)
    try:
        wanted = jax.eval_shape(target.apply, target.params, two)
        given = jax.eval_shape(target.apply, found, two)
    except Exception as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise errors.InputError(
            "train",
            found=f"the target cannot be applied to what it returns ({said})",
            accepted="is a tree like params",
        ) from error
    if given.shape != wanted.shape:
        raise errors.InputError(
            "train",
            found=(
                f"with what it returns the target gives {given.shape} for 2 records, "
                f"and {wanted.shape} with its own parameters"
            ),
            accepted="is a tree like params",
        )
