"""Paper A's collaborative training: epochs under attack, and DSSGD at batch 1."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import flatten_util

from benchmarks import work
from benchmarks.measure import Pair, Row, Run, compiled
from jaxprivacy import types
from jaxprivacy.data import Dataset
from jaxprivacy.federated import dssgd, selection, simulate
from jaxprivacy.programs import chunks
from jaxprivacy.studies import collaboration
from jaxprivacy.studies.settings import GanSettings

HELD, MEASURED, LOGGED = 4000, 2000, 64  # records of both seats; measured on; samples
PAPER = GanSettings(
    model="cnn",
    participants=2,
    batch_size=1,
    learning_rate=1e-3,
    learning_rate_decay=1e-7,
    generator_steps=20,
)
# What the study passes as arguments for the paper's attack (`collaboration.RUNS`).
SWEPT = {"influence": 1.0, "mode_seeking": 0.0}
SELECTIVE = dataclasses.replace(PAPER, upload_fraction=0.1, download_fraction=0.1)
PARTICIPANTS, RECORDS = 2, 500

Inputs = tuple[collaboration.Table, collaboration.Arguments]


def collaborative(
    settings: GanSettings, held: int, measured: int
) -> tuple[chunks.Runner, Inputs]:
    """Collaborative training as the study compiles it, on made-up records.

    Args:
      settings: of the training and of the attack.
      held: records, dealt evenly; the last seat is the adversary's.
      measured: how many of these the shared model is measured on, and of nobody's.
    """
    classes = work.CLASSES - 1  # and the artificial one
    records = work.records(held + measured, shape=work.IMAGE, classes=classes)
    dataset = Dataset("made up", records.x, records.y, classes)
    shares = np.array_split(np.arange(held), settings.participants)
    holdings = collaboration.Holdings(
        honest=collaboration.padded(shares[:-1]),
        adversary=collaboration.padded(shares[-1:]),
        train=np.arange(min(held, measured), dtype=np.int32),
        test=np.arange(held, held + measured, dtype=np.int32),
    )
    table = collaboration.Table(jnp.asarray(dataset.x), jnp.asarray(dataset.y))
    runner = chunks.runner(
        lambda inputs: collaboration.simulation(settings, dataset, *inputs, LOGGED)
    )
    return runner, (table, collaboration.Arguments(holdings, SWEPT))


def collaborative_peer(
    settings: GanSettings, inputs: Inputs, state: simulate.State, **random
) -> Run:
    """Returns the peer's epoch from the same state, with the same records."""
    from benchmarks import collaboration_peers, peers

    table, (holdings, _) = inputs

    def take(indices):
        return peers.images(np.asarray(table.x)[indices]), peers.labels(
            np.asarray(table.y)[indices]
        )

    shared = peers.from_linen(state.server.params)
    generator = jax.tree.map(lambda a: a[0], state.participants[1].inner.params)
    generator = collaboration_peers.generator_from_linen(generator)
    seats = [take(holdings.honest[0]), take(holdings.adversary[0])]
    measured = [take(holdings.train), take(holdings.test)]
    return lambda: collaboration_peers.collaborative_epoch(
        settings, shared, generator, seats, measured, logged=LOGGED, **random
    )


def epoch() -> Pair:
    from benchmarks import peers

    runner, inputs = collaborative(PAPER, HELD, MEASURED)
    params = jax.jit(work.mnist().init)(jax.random.key(0))
    state = runner.init(inputs, jax.random.key(1), params)
    peer = collaborative_peer(PAPER, inputs, state)
    key, first = jax.random.key(2), jnp.arange(1)
    return Pair(
        lambda: compiled(runner.rounds, inputs, key, state, first),
        lambda: peer,
        peers.VERSION,
        f"{work.PEER_NOTE}; the generator by F.conv_transpose2d and F.batch_norm; "
        "keeps neither replicas nor counters, which fractions of 1 do not need",
    )


def asynchronous() -> Pair:
    """An epoch of the same work in the two orders, a tenth exchanged in both."""
    params = jax.jit(work.mnist().init)(jax.random.key(0))

    def side(order):
        settings = dataclasses.replace(SELECTIVE, order=order)
        runner, inputs = collaborative(settings, HELD, MEASURED)
        state = runner.init(inputs, jax.random.key(1), params)
        key, first = jax.random.key(2), jnp.arange(1)
        return lambda: compiled(runner.rounds, inputs, key, state, first)

    return Pair(
        side("asynchronous"),
        side("round_robin"),
        f"jax {jax.__version__}",
        f"round-robin order; {HELD} steps of batch 1 and the attack's on either side",
    )


def selective(settings: GanSettings, model: types.Model) -> chunks.Runner:
    """DSSGD between honest participants; their records (P, N, ...) are an argument."""
    role = dssgd.participant(
        collaboration.honest(settings, model, settings.learning_rate),
        dssgd.upload_largest(settings.upload_fraction),
    )
    server = dssgd.parameter_server(settings.download_fraction)
    return chunks.runner(
        lambda data: simulate.simulate(
            server, [simulate.Group(role, data)], order="round_robin"
        )
    )


def selective_peer(
    settings: GanSettings,
    network: Callable,
    x,
    y: np.ndarray,
    state: simulate.State,
    **random,
) -> Run:
    """Returns the peer's round from the same state; x (P, N, ...) is a tensor."""
    from benchmarks import collaboration_peers, peers

    like = peers.from_linen(state.server.params)
    theirs = selective_from_ours(state)
    size = len(theirs.params)
    counts = [
        selection.count_of(fraction, size)
        for fraction in (settings.upload_fraction, settings.download_fraction)
    ]
    return lambda: collaboration_peers.selective_round(
        settings, network, theirs, like, x, peers.labels(y), *counts, **random
    )


def selective_from_ours(state: simulate.State):
    """Converts server and participants: flat vectors in the peer's order."""
    from benchmarks import collaboration_peers, peers

    def flat(tree):
        return collaboration_peers.flat(peers.from_linen(tree))

    _, unravel = flatten_util.ravel_pytree(state.server.params)
    (group,) = state.participants
    replicas = [
        flat(jax.tree.map(lambda a, i=i: a[i], group.replica))
        for i in range(len(jax.tree.leaves(group.replica)[0]))
    ]
    return collaboration_peers.Selective(
        flat(state.server.params),
        flat(unravel(state.server.counters.astype(jnp.float32))),
        peers.torch.stack(replicas),
    )


def dssgd_batch_1() -> Pair:
    from benchmarks import peers

    model = work.mnist()
    data = work.records(PARTICIPANTS, RECORDS, shape=work.IMAGE, classes=work.CLASSES)
    runner, keys = selective(SELECTIVE, model), jax.random.split(jax.random.key(0), 3)
    state = runner.init(data, keys[0], jax.jit(model.init)(keys[1]))
    x = peers.images(data.x)
    peer = peers.one_thread()(selective_peer(SELECTIVE, peers.mnist, x, data.y, state))
    return Pair(
        lambda: compiled(runner.rounds, data, keys[2], state, jnp.arange(1)),
        lambda: peer,
        peers.VERSION,
        f"{work.PEER_NOTE}; torch.topk selects",
    )


ORDER_LIMIT = "The two orders do the same work; below 1 by what timing varies."

ROWS = (
    Row("collaborative_epoch_mnist", 3, epoch),
    Row("dssgd_batch_1", 5, dssgd_batch_1),
    Row("asynchronous_order", 1, asynchronous, ORDER_LIMIT),
)
