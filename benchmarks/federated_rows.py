"""A round of FedAvg with paper A's MNIST network."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks import work
from benchmarks.measure import Pair, Row, compiled, seconds
from jaxprivacy import types
from jaxprivacy.federated import roles, simulate
from jaxprivacy.targets import layer_capture, layers as layers_lib

PARTICIPANTS, RECORDS, BATCH = 10, 1280, 64  # 20 steps a participant
MATMULS = (1024, 2048, 3072)


def federated_round(model: types.Model, batch_size: int, epochs: int = 1):
    """Returns one round of FedAvg, (key, params, data (P, N, ...)) -> params."""
    role = roles.honest_participant(
        work.trainer(model, epochs, batch_size), optax.sgd(work.RATE)
    )

    def run(key, params, data):
        server = roles.averaging_server()
        simulation = simulate.simulate(server, [simulate.Group(role, data)])
        key_init, key_rounds = jax.random.split(key)
        state = simulation.init(key_init, params)
        state, _ = simulation.rounds(key_rounds, state, jnp.arange(1))
        return server.params(state.server)

    return run


def _federated_ours():
    model = work.mnist()
    params = jax.jit(model.init)(jax.random.key(0))
    data = work.records(PARTICIPANTS, RECORDS, shape=work.IMAGE, classes=work.CLASSES)
    run = federated_round(model, BATCH)
    return params, data, lambda: compiled(run, jax.random.key(1), params, data)


def federated(network: str, note: str = work.PEER_NOTE) -> Pair:
    from benchmarks import peers

    params, data, ours = _federated_ours()
    x, y, theirs = peers.images(data.x), peers.labels(data.y), peers.from_linen(params)

    def peer():
        batches = [peers.shuffled(RECORDS, BATCH, 1) for _ in range(PARTICIPANTS)]
        net = getattr(peers, network)
        return peers.federated_averaging(net, theirs, x, y, batches, work.RATE)

    return Pair(ours, lambda: peer, peers.VERSION, note)


def gflop_of_round(model: types.Model, params: types.Params) -> float:
    """Work of the Conv and Dense layers in a round, forward and backward.

    Twice the multiplications of a forward pass for it, and as much again for each of
    the two gradients; the first layer needs none for its input.
    """
    example = jax.ShapeDtypeStruct((1, *work.IMAGE), jnp.float32)
    label = jax.ShapeDtypeStruct((1,), jnp.int32)
    outputs = jax.eval_shape(
        lambda *of: layer_capture.capture(model.apply, *of).deltas,
        params,
        example,
        label,
    )
    forward = [
        2
        * math.prod(outputs[layer.path].shape)
        * math.prod(params[layer.path]["kernel"].shape[:-1])
        for layer in layers_lib.layers(model.apply, params, example)
    ]
    return (3 * sum(forward) - forward[0]) * PARTICIPANTS * RECORDS / 1e9


def share_of_peak() -> Pair:
    params, _, ours = _federated_ours()

    def squares(size):
        a = np.random.default_rng(0).random((size, size), np.float32)
        return compiled(lambda a, b: a @ b, jnp.asarray(a), jnp.asarray(a))

    runs = {size: squares(size) for size in MATMULS}
    for run in runs.values():
        run()
    best = max(MATMULS, key=lambda n: n**3 / min(seconds(runs[n]) for _ in range(3)))
    return Pair(
        ours,
        lambda: runs[best],
        f"jax {jax.__version__}",
        f"float32 matrix product of {best} x {best}, the fastest of {MATMULS}",
        ours_gflop=gflop_of_round(work.mnist(), params),
        peer_gflop=2 * best**3 / 1e9,
    )


def plain_peer() -> Pair:
    return federated("mnist", work.PEER_NOTE)


def pooled_first_peer() -> Pair:
    note = "; max-pooling before tanh, which is the same function"
    return federated("mnist_pooled_first", work.PEER_NOTE + note)


LIMIT = (
    "A quarter of the matmul peak is reached: the first convolution multiplies "
    "36,864 x 25 by 25 x 32, and pooling, patches and updates pass over memory."
)

ROWS = (
    Row("federated_mnist", 2, plain_peer, LIMIT),
    Row("federated_mnist_pooled_first", None, pooled_first_peer),
    Row("federated_share_of_peak", None, share_of_peak),
)
