"""The types that the parts of jaxprivacy exchange.

Axis letters, used in every shape comment: P participants, N examples, B batch,
K classes, T snapshots, D input shape (*D). Stacked axes stand in front.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

Array = jax.Array | np.ndarray
Params = Any  # A tree of arrays, as Linen's `params` collection.


class Batch(NamedTuple):
    """Labelled records; padding records have mask 0 and change nothing."""

    x: Array  # (N, *D) float32
    y: Array  # (N,) int32
    mask: Array  # (N,) float32, 1 for real records


class Model(NamedTuple):
    """A model as two pure functions."""

    init: Callable[[jax.Array], Params]  # key -> params
    apply: Callable[[Params, Array], jax.Array]  # params, (B, *D) -> (B, K)


class Layer(NamedTuple):
    """A layer whose gradient is a sum of outer products; hashable, static under jit."""

    path: str  # "Block_0/Dense_1"; "" for a bare layer
    kind: str  # "dense" or "conv"
    features: int
    use_bias: bool
    window: tuple[int, int] = (1, 1)  # the following are those of a convolution
    strides: tuple[int, int] = (1, 1)
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
