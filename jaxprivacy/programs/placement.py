"""One program over many runs: participants, models, points of a sweep, seeds.

Three placements, which give the same results: `vmap` computes all at once, `map` one
after the other, `spread` gives each device some of them. On the CPU one device a core
(`jax_num_cpu_devices`), each running whole models: a single training with small batches
makes no use of several cores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec

from jaxprivacy import errors
from jaxprivacy.programs import compilation
from jaxprivacy.training import local

# As the platform likes it: one after the other on the CPU, all at once elsewhere.
BY_PLATFORM = "by_platform"
VMAP, MAP, SPREAD = "vmap", "map", "spread"


def over(
    function: Callable,
    shared: tuple,
    each: tuple,
    placement: str = BY_PLATFORM,
) -> Any:
    """Maps a function over runs; may be traced.

    Args:
      function: (*shared, *each of one run) -> what is found of it, a tree of arrays.
      shared: what all runs share.
      each: trees of arrays stacked over S runs, at least 1.
      placement: `vmap`; `map`; `spread`, over all devices, those of one device by
        platform, for any S: what is missing to a multiple of the devices is filled up
        with the last run, whose repetitions are dropped; or `by_platform`, `map` on the
        CPU and `vmap` elsewhere.

    Returns:
      What was found, stacked over the S runs.

    Raises:
      InputError: another placement.
    """
    if placement == SPREAD:
        return _spread(function, shared, each)

    def one(*of_run):
        return function(*shared, *of_run)

    if placement == BY_PLATFORM:
        return local.side_by_side(one, *each)
    if placement == VMAP:
        return jax.vmap(one)(*each)
    if placement == MAP:
        return lax.map(lambda of_run: one(*of_run), each)
    raise errors.InputError(
        "placement", placement, f"are {VMAP}, {MAP}, {SPREAD}, {BY_PLATFORM}"
    )


def program(function: Callable, placement: str = BY_PLATFORM) -> Callable:
    """Compiles a map over runs.

    Args:
      function: as in `over`.
      placement: as in `over`.

    Returns:
      (shared, each) -> what `over` returns.
    """
    return compilation.compiled(
        lambda shared, each: over(function, shared, each, placement)
    )


def _spread(function, shared, each):
    devices = np.array(jax.devices())
    count = len(jax.tree.leaves(each)[0])
    filled = -(-count // len(devices)) * len(devices)
    if filled > count:
        which = np.minimum(np.arange(filled), count - 1)
        each = jax.tree.map(lambda a: a[which], each)
    split, whole = PartitionSpec("runs"), PartitionSpec()
    found = jax.shard_map(
        lambda shared, each: over(function, shared, each),
        mesh=Mesh(devices, ("runs",)),
        in_specs=(whole, split),
        out_specs=split,
        check_vma=False,
    )(shared, each)
    if filled > count:
        found = jax.tree.map(lambda a: a[:count], found)
    return found


class Lot(NamedTuple):
    """Some of the runs, which are computed together."""

    start: int  # the first of them
    which: np.ndarray  # indices of the runs
    count: int  # how many are its own; those behind repeat the last


def lots(count: int, size: int, *, filled: bool = False) -> list[Lot]:
    """Divides `count` runs into lots of `size`, in order.

    Args:
      count: runs, at least 1.
      size: of a lot, as many as fit the memory.
      filled: whether the last lot is filled up with repetitions of the last run, so
        that one program serves all lots; it is smaller otherwise.
    """
    found = []
    for start in range(0, count, size):
        own = min(size, count - start)
        which = np.minimum(start + np.arange(size if filled else own), count - 1)
        found.append(Lot(start, which, own))
    return found
