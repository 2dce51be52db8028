"""Peak memory of a collaborative round by the number of participants."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp

from benchmarks import collaboration_rows, measure, memory, work

PARTICIPANTS = (2, 11, 41, 200)
HELD = 2000  # records in all; the model is measured on these and on as many


class Growth(NamedTuple):
    """A row with a line for each of several sizes of one program, without a peer."""

    name: str
    # Name of a size -> what loads its libraries and data, for `memory.own_peak`.
    sides: dict[str, Callable[[], memory.Prepare]]
    lines: Callable[[Growth], Iterator[dict]]
    needs: Mapping[str, str] = {}  # It has no peer.


def load(participants: int) -> memory.Prepare:
    """A round of DSSGD under attack from its initial state, as the study runs it."""
    settings = dataclasses.replace(
        collaboration_rows.SELECTIVE, participants=participants, batch_size=32
    )
    runner, inputs = collaboration_rows.collaborative(settings, HELD, HELD)
    params = jax.jit(work.mnist().init)(jax.random.key(0))
    key, first = jax.random.key(1), jnp.arange(1)

    def prepare():
        state = jax.eval_shape(runner.init, inputs, key, params)
        init = runner.init.lower(inputs, key, params).compile()
        rounds = runner.rounds.lower(inputs, key, state, first).compile()
        return lambda: jax.block_until_ready(
            rounds(inputs, key, init(inputs, key, params), first)
        )

    return prepare


def replica_mib() -> float:
    """The parameters, which every participant keeps."""
    shapes = jax.eval_shape(work.mnist().init, jax.random.key(0))
    return sum(a.size * a.dtype.itemsize for a in jax.tree.leaves(shapes)) / 2**20


def lines(row: Growth) -> Iterator[dict]:
    """Yields the peaks, and by how many replicas each participant more raises them."""
    least, replica = None, replica_mib()
    for count in PARTICIPANTS:
        peak = memory.peak_of(row.name, str(count))
        least, grown = least or peak, None
        if peak is not None and count > PARTICIPANTS[0]:
            grown = (peak - least) / (count - PARTICIPANTS[0]) / replica
        yield {
            "name": row.name,
            "unit": "MiB",
            "participants": count,
            "ours": peak,
            "replica": measure.rounded(replica),
            "replicas_per_participant": grown and measure.rounded(grown),
            "jax": jax.__version__,
        }


ROWS = (
    Growth(
        "collaboration_memory",
        {str(count): functools.partial(load, count) for count in PARTICIPANTS},
        lines,
    ),
)
