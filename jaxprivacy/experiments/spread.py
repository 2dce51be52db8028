"""One program over many runs: spread over the devices."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from jaxprivacy.training import local


def over_runs(function: Callable, shared: tuple, each: tuple):
    """Maps over runs, spread over the devices.

    Those of one device go one after the other on a CPU, side by side elsewhere.

    Args:
      function: (*shared, *each of one run) -> what is found of it.
      shared: what all runs share.
      each: trees stacked over S runs, S a multiple of the number of devices.
    """
    spread, whole = PartitionSpec("runs"), PartitionSpec()
    return jax.shard_map(
        lambda shared, each: local.side_by_side(
            lambda *one: function(*shared, *one), *each
        ),
        mesh=Mesh(np.array(jax.devices()), ("runs",)),
        in_specs=(whole, spread),
        out_specs=spread,
        check_vma=False,
    )(shared, each)


def repeated(count: int, devices: int) -> np.ndarray:
    """Indices of `count` runs, filled up to a multiple of the devices by the last."""
    return np.minimum(np.arange(math.ceil(count / devices) * devices), count - 1)
