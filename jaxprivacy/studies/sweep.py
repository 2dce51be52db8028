"""Many runs of the GAN attack in one compiled program: a grid over settings and seeds.

What differs between the runs is an argument (`collaboration.SWEPT`, the seed and with
it who holds what), so one program serves all. Runs are spread over the devices, and on
each done one after the other (CPU) or side by side (accelerator), in chunks that fit
the memory; a CPU counts as several devices if JAX is told so (`jax_num_cpu_devices`),
and then every core has runs of its own, which no single run of batch size 1 could make
use of.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import errors
from jaxprivacy.data import Dataset
from jaxprivacy.programs import checkpoint, chunks, placement
from jaxprivacy.studies import (
    collaboration,
    defended_federation,
    seats as seats_lib,
    settings as settings_lib,
)

# Settings that may differ between the runs of one program; the row decides influence.
NAMES = (
    "seed",
    "target_class",
    "epsilon_per_parameter",
    "gradient_bound",
    "upload_fraction",
    "download_fraction",
    "learning_rate",
    "generator_learning_rate",
    "mode_seeking",
)


class Point(NamedTuple):
    """One run of the grid."""

    settings: settings_lib.GanSettings
    row: str  # one of collaboration.RUNS
    seats: seats_lib.Seats


def parse_grid(words: Sequence[str]) -> dict[str, tuple]:
    """Reads `NAME=VALUE,VALUE,...` for each dimension of the grid.

    Raises:
      InputError: naming the word and what is accepted.
    """
    kinds = {"seed": int, "target_class": int}
    grid = {}
    for word in words:
        name, _, values = word.partition("=")
        if name not in NAMES or name in grid:
            raise errors.InputError(
                "grid",
                word,
                "are NAME=VALUE,VALUE,... with each NAME once and one of "
                f"{', '.join(NAMES)}",
            )
        try:
            grid[name] = tuple(kinds.get(name, float)(v) for v in values.split(","))
        except ValueError as error:
            raise errors.InputError(
                "grid", word, "are numbers, separated by commas"
            ) from error
        if len(set(grid[name])) < len(grid[name]):
            raise errors.InputError("grid", word, "is each value once")
    return grid


def expand(
    settings: settings_lib.GanSettings, grid: dict[str, tuple]
) -> list[settings_lib.GanSettings]:
    """Returns the settings of each cell of the grid, the last dimension fastest."""
    return [
        dataclasses.replace(settings, **dict(zip(grid, values, strict=True)))
        for values in itertools.product(*grid.values())
    ]


def swept(point: Point, names: Sequence[str]) -> dict[str, Any]:
    """The arguments of a run that are no indices."""
    own = {n: getattr(point.settings, n) for n in names if n != "seed"}
    own |= {"target_class": point.seats.target_class}
    return own | collaboration.swept(point.settings, point.row)


def stacked_arguments(points: Sequence[Point], names: Sequence[str]):
    """Stacks the arguments (S, ...) of runs, index arrays filled up to the longest."""
    each = [collaboration.holdings(p.seats, p.settings.seed) for p in points]

    def pad(*arrays):
        shape = np.max([a.shape for a in arrays], axis=0)
        return np.stack(
            [
                np.pad(
                    a,
                    [(0, n - m) for n, m in zip(shape, a.shape, strict=True)],
                    constant_values=-1,
                )
                for a in arrays
            ]
        )

    numbers = [swept(point, names) for point in points]
    kinds = {"target_class": np.int32}
    return collaboration.Arguments(
        jax.tree.map(pad, *each),
        {
            n: np.array([d[n] for d in numbers], kinds.get(n, np.float32))
            for n in numbers[0]
        },
        np.array([point.settings.seed for point in points], np.uint32),
    )


def keys(points: Sequence[Point]) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The keys (S,) of each run, the same as those of `gan_attack.run`.

    Runs of one seed share them, so that they differ in the settings alone.
    """

    @jax.vmap
    def split(seed):
        key = collaboration.keys(seed)[0]
        key_params, key_run = jax.random.split(key)
        return key_params, *jax.random.split(key_run)

    return split(jnp.array([p.settings.seed for p in points], jnp.uint32))


def program(
    settings: settings_lib.GanSettings,
    dataset: Dataset,
    logged_samples: int,
    defended: defended_federation.Defended | None = None,
) -> chunks.Runner:
    """Builds the program of a sweep, all of whose inputs are stacked over S runs.

    S must be a multiple of the number of devices. What is swept are the `Arguments` of
    the runs (S, ...); what is logged has the shape (S, R, ...). See
    `collaboration.simulation` for what they are built of.
    """
    table = collaboration.Table(jnp.asarray(dataset.x), jnp.asarray(dataset.y))

    def simulation(table, arguments):
        return collaboration.simulation(
            settings, dataset, table, arguments, logged_samples, defended
        )

    @functools.partial(placement.program, placement=placement.SPREAD)
    def init(table, arguments, key, params):
        return simulation(table, arguments).init(key, params)

    @functools.partial(placement.program, placement=placement.SPREAD)
    def rounds(table, indices, arguments, key, state):
        return simulation(table, arguments).rounds(key, state, indices)

    # The table is an argument: it is too large for a constant of the program.
    return chunks.Runner(
        lambda *each: init((table,), each),
        lambda *inputs: rounds((table, inputs[-1]), inputs[:-1]),
    )


def runs_at_once(bytes_of_run: int, count: int, memory: float, devices: int) -> int:
    """How many runs share the memory, as a multiple of the devices.

    Args:
      bytes_of_run: what one run keeps on its device.
      count: runs in all.
      memory: bytes to be used; at least one run a device goes at once.
      devices: how many there are.
    """
    most = max(1, int(memory / (bytes_of_run * devices)))
    chunks = math.ceil(count / (most * devices))
    return math.ceil(count / (chunks * devices)) * devices


def bytes_of(tree) -> int:
    """Bytes of a tree of arrays or of their shapes."""
    return sum(
        math.prod(a.shape) * jax.dtypes.canonicalize_dtype(a.dtype).itemsize
        for a in jax.tree.leaves(tree)
        if not jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key)
    )


def run_points(
    settings: settings_lib.GanSettings,
    dataset: Dataset,
    points: Sequence[Point],
    names: Sequence[str],
    *,
    logged_samples: int,
    memory: float,
    advance: Callable[[float], None],
    kept: checkpoint.Checkpoints = checkpoint.nowhere,
    compiled: chunks.Runner | None = None,
    defended: defended_federation.Defended | None = None,
) -> list[collaboration.Attacked]:
    """Runs all points and returns what each left behind, in order.

    Args:
      settings: what the points have in common.
      dataset: the data.
      points: the runs.
      names: the settings that differ between them.
      logged_samples: samples kept of each round and run.
      memory: bytes that the runs of a chunk may take.
      advance: told the share done.
      kept: where the chunks are kept, to go on after an interruption.
      compiled: what `program` returns for these settings, to use it twice.
      defended: see `collaboration.simulation`.
    """
    compiled = compiled or program(settings, dataset, logged_samples, defended)
    model = collaboration.model(settings, dataset)
    init = placement.program(model.init, placement.VMAP)
    inputs = stacked_arguments(points, names), keys(points)

    def take(indices):
        arguments, (key_params, *pair) = jax.tree.map(lambda a: a[indices], inputs)
        return arguments, tuple(pair), init((), (key_params,))

    devices = jax.device_count()
    arguments, pair, params = take(np.arange(devices) % len(points))
    states = jax.eval_shape(compiled.init, arguments, pair[0], params)
    logged = jax.eval_shape(
        compiled.rounds, arguments, pair[1], states, jnp.arange(settings.rounds)
    )[1]
    each = (2 * bytes_of(states) + bytes_of(logged)) // devices
    size = runs_at_once(each, len(points), memory, devices)
    lots, found = placement.lots(len(points), size, filled=True), []
    for number, lot in enumerate(lots):
        states, info = chunks.run_rounds(
            compiled,
            *take(lot.which),
            settings.rounds,
            lambda share: advance(share / len(lots)),
            kept(f"chunk_{number}"),
            axis=1,
        )
        left = jax.device_get(collaboration.left(states, defended))
        found += [
            _attacked(points[lot.which[i]].settings, *left, info, i)
            for i in range(lot.count)
        ]
    return found


def _attacked(settings, shared, adversary, info, index):
    def one(tree):
        return jax.tree.map(lambda a: a[index], tree)

    info, shared, generator = one(info), one(shared), one(adversary.params)
    collaboration.check_finite(settings, (info, shared, generator), {})
    samples = info.pop("samples")[:, 0]
    return collaboration.Attacked(
        shared,
        jax.tree.map(lambda a: a[0], generator),
        samples,
        info,
    )
