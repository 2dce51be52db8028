"""Compiled functions: the one place that says what is compiled, and how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxprivacy import types


def compiled(function: Callable, *, static: Sequence[str] = ()) -> Callable:
    """Compiles a pure function, once for all arguments of the same shapes.

    Args:
      function: of arrays; called again with another function of the same code, such as
        a lambda made anew, it is compiled anew.
      static: names of hashable keyword arguments, for each value of which there is a
        program of its own.
    """
    return jax.jit(function, static_argnames=tuple(static))


def each(functions: Any) -> Any:
    """Compiles every function of a NamedTuple of functions, each by itself."""
    return jax.tree.map(compiled, functions)


def initial(init: Callable[[jax.Array], types.Params], key: jax.Array) -> types.Params:
    """The parameters that a model starts from, drawn by one program.

    Operation by operation it takes seconds, and the same numbers result.

    Args:
      init: the model's, (key) -> params.
      key: random key.
    """
    return compiled(init)(key)


def in_batches(
    function: Callable[[types.Array], Any],
    x: types.Array,
    size: int,
    *,
    filled: bool = False,
) -> Any:
    """Calls a compiled function on batches of records, and joins what it says.

    Args:
      function: (B, *D) -> a tree of arrays (B, ...), of each record alone.
      x: (N, *D) records, N at least 1.
      size: B, of every batch but the last.
      filled: whether the last batch is filled up with zeros, so that one program
        serves all; a program of its own otherwise, and no work for nothing.

    Returns:
      The same tree of arrays (N, ...), in the host's memory.
    """
    parts = []
    for start in range(0, len(x), size):
        part = x[start : start + size]
        missing = size - len(part) if filled else 0
        if missing:
            part = np.pad(part, ((0, missing), *[(0, 0)] * (part.ndim - 1)))
        count = len(part) - missing
        said = function(part)
        parts.append(jax.tree.map(lambda a, n=count: np.asarray(a)[:n], said))
    return jax.tree.map(lambda *some: np.concatenate(some), *parts)
