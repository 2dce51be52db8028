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
