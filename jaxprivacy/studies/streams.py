"""Records as users give them: arrays, trees of arrays, or batches that come one by one.

What is given is read once, from front to back; no more than a batch is held of what
comes in batches.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxprivacy import errors

_ACCEPTED = (
    "are a pair (x, y) of arrays, or a list, a generator or another iterable "
    "of such pairs, batch by batch"
)


class Form(NamedTuple):
    """How the arrays of a record lie in one array."""

    tree: Any  # jax.tree structure; None: x is an array, and stays as it is
    parts: tuple[jax.ShapeDtypeStruct, ...]  # of one record

    def unpack(self, packed: jax.Array) -> Any:
        """The arrays again: (B, bytes) uint8 -> tree of (B, ...)."""
        if self.tree is None:
            return packed
        ends = np.cumsum([_bytes(part) for part in self.parts])[:-1]
        pieces = [
            _from_bytes(piece, part)
            for piece, part in zip(
                jnp.split(packed, ends, axis=1), self.parts, strict=True
            )
        ]
        return jax.tree.unflatten(self.tree, pieces)


class Batch(NamedTuple):
    """Some records that stand together, checked."""

    x: np.ndarray  # (B, *D)
    y: np.ndarray  # (B, ...)
    form: Form
    name: str  # what messages call it


class Stream(NamedTuple):
    """Records of one kind; `batches` can be read once and begins with `first`."""

    name: str
    first: Batch
    batches: Iterator[Batch]
    count: int | None  # N where it is known beforehand


def stream(name: str, given: Any) -> Stream:
    """Opens records as a user gave them.

    Args:
      name: of the argument.
      given: a pair (x, y) of N records, or batches of such pairs. x is an array
        (N, *D), or a mapping of names to arrays or mappings.

    Raises:
      InputError: it is neither, or holds no record.
    """
    if isinstance(given, tuple) or (isinstance(given, list) and not _batched(given)):
        first = batch(name, given)
        return Stream(name, first, iter([first]), len(first.y))
    if isinstance(given, Mapping | str | bytes) or hasattr(given, "shape"):
        raise errors.InputError(name, type(given).__name__, _ACCEPTED)
    try:
        items = iter(given)
    except TypeError as error:
        kind = type(given).__name__
        raise errors.InputError(name, kind, _ACCEPTED) from error
    batches = _alike(batch(f"{name}, batch {i}", pair) for i, pair in enumerate(items))
    first = next(batches, None)
    if first is None:
        raise errors.InputError(name, found="holds no batch", accepted=_ACCEPTED)
    return Stream(name, first, itertools.chain([first], batches), None)


def whole(name: str, given: Any) -> Any:
    """Records as a user gave them, a list of batches as one pair.

    Args:
      name: of the argument.
      given: see `stream`.

    Raises:
      InputError: they come one by one, from what does not say how many they are.
    """
    if isinstance(given, tuple | Mapping | str | bytes) or hasattr(given, "shape"):
        return given  # For `stream` to judge.
    if isinstance(given, list) and not _batched(given):
        return given
    if not hasattr(given, "__len__"):
        raise errors.InputError(
            name,
            type(given).__name__,
            found="with references, records are trained on and held in memory",
            accepted="are a pair (x, y) of arrays or a list of such pairs",
        )
    batches = list(stream(name, given).batches)
    if not batches:
        return given
    x, y = (
        np.concatenate(part) for part in zip(*(b[:2] for b in batches), strict=True)
    )
    form = batches[0].form
    return (x if form.tree is None else jax.tree.map(np.asarray, form.unpack(x))), y


def _batched(given: list) -> bool:
    """Whether a list holds batches; [x, y] is a pair like (x, y)."""

    def is_array(a):
        return hasattr(a, "shape") or isinstance(a, Mapping)

    first = given[0] if given else ()
    pair = isinstance(first, list | tuple) and len(first) == 2
    return not given or (pair and all(map(is_array, first)))


def _alike(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Refuses a batch of another form than the first."""
    first = None
    for found in batches:
        first = first or found
        check_alike(found, first)
        yield found


def check_alike(found: Batch, first: Batch) -> None:
    """Refuses records or labels that have another form than others.

    Raises:
      InputError: naming both.
    """
    if described(found) != described(first):
        raise errors.InputError(
            found.name,
            found=f"records of shape {described(found)}",
            accepted=f"is the shape of {_whose(first)}, {described(first)}",
        )


def _whose(first):
    return "the members" if first.name == "members" else first.name


def described(of: Batch) -> str:
    """The form of a record, for messages."""
    if of.form.tree is None:
        return str(of.x.shape[1:])
    parts = [f"{part.dtype}{list(part.shape)}" for part in of.form.parts]
    return str(jax.tree.unflatten(of.form.tree, parts))


def batch(name: str, pair: Any) -> Batch:
    """Checks records and labels that stand together.

    Raises:
      InputError: they are no pair of as many records as labels, at least one.
    """
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise errors.InputError(name, type(pair).__name__, _ACCEPTED)
    x, form = _packed(name, pair[0])
    y = numbers(f"{name}: y", pair[1])
    if x.ndim < 2 or not y.ndim or len(x) != len(y) or not len(x):
        shape = x.shape if form.tree is None else f"({len(x)}, ...)"
        raise errors.InputError(
            name,
            found=f"x of shape {shape} and y of shape {y.shape}",
            accepted="are (N, *D) and (N,), N at least 1",
        )
    return Batch(x, y, form, name)


def _packed(name: str, x: Any) -> tuple[np.ndarray, Form]:
    """Brings a tree of arrays into one array of bytes; an array stays as it is."""
    if not isinstance(x, Mapping):
        return numbers(f"{name}: x", x), Form(None, ())
    found, tree = jax.tree_util.tree_flatten_with_path(
        _plain(x), is_leaf=lambda node: not isinstance(node, dict)
    )
    arrays = [
        numbers(f"{name}: x{jax.tree_util.keystr(path)}", leaf) for path, leaf in found
    ]
    lengths = {a.shape[0] if a.ndim else None for a in arrays}
    if len(lengths) != 1 or None in lengths:
        shapes = ", ".join(str(a.shape) for a in arrays)
        raise errors.InputError(
            name,
            found=f"x with arrays of shapes {shapes}",
            accepted="are (N, ...) of the same N",
        )
    flat = [np.ascontiguousarray(a).reshape(len(a), -1).view(np.uint8) for a in arrays]
    parts = tuple(jax.ShapeDtypeStruct(a.shape[1:], a.dtype) for a in arrays)
    return np.concatenate(flat, axis=1), Form(tree, parts)


def _plain(x: Any) -> Any:
    """Mappings of other libraries as dictionaries."""
    return {k: _plain(v) for k, v in x.items()} if isinstance(x, Mapping) else x


def _bytes(part: jax.ShapeDtypeStruct) -> int:
    return math.prod(part.shape) * part.dtype.itemsize


def _from_bytes(piece: jax.Array, part: jax.ShapeDtypeStruct) -> jax.Array:
    shape, size = (len(piece), *part.shape), part.dtype.itemsize
    if part.dtype == bool:
        return (piece != 0).reshape(shape)
    whole = piece.reshape(*shape, size) if size > 1 else piece.reshape(shape)
    return lax.bitcast_convert_type(whole, part.dtype)


def numbers(name: str, of: Any) -> np.ndarray:
    """Finite real numbers, of the type in which JAX takes them.

    Raises:
      InputError: naming what holds others.
    """
    accepted = "are arrays of finite real numbers"
    try:
        found = np.asarray(of)
        if found.dtype == object:
            found = np.asarray(found.tolist())
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise errors.of_part(name, f"is no array ({said})", accepted) from error
    kinds = (np.bool_, np.integer, jnp.floating)
    if not any(jnp.issubdtype(found.dtype, kind) for kind in kinds):
        raise errors.of_part(name, f"of type {found.dtype}", accepted)
    with np.errstate(over="ignore"):  # Becomes infinite, and is refused as such.
        taken = found.astype(jax.dtypes.canonicalize_dtype(found.dtype), copy=False)
    wrong = ~np.isfinite(taken)
    if taken.dtype != found.dtype and found.dtype.kind in "iu":
        wrong = taken != found
    if wrong.any():
        where = tuple(np.argwhere(wrong)[0].tolist())
        told, within = f"holds {found[where]} at {where}", f" within {taken.dtype}"
        raise errors.of_part(name, told, accepted + within)
    return taken


def of_size(
    batches: Iterator[Batch], size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Cuts records into batches of one size, so that one program serves all.

    Args:
      batches: read as far as it is needed.
      size: B.

    Yields:
      x (B, *D), y (B, ...), and how many of them are records; the others fill up.
    """
    x = y = None
    for found in batches:
        joined = [found.x, found.y]
        if x is not None and len(x):
            joined = [np.concatenate(pair) for pair in zip((x, y), joined, strict=True)]
        x, y = joined
        whole = len(x) // size * size
        for start in range(0, whole, size):
            yield x[start : start + size], y[start : start + size], size
        x, y = x[whole:], y[whole:]
    if x is not None and len(x):
        filled = np.arange(size) % len(x)
        yield x[filled], y[filled], len(x)
