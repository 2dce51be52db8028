"""Steps of batch size 1, many small models, and a convolution inside a loop."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from benchmarks import work
from benchmarks.measure import Pair, Row, compiled
from jaxprivacy.models import convolution, targets
from jaxprivacy.training import local

SINGLE_STEPS = 500
SHADOWS, SHADOW_RECORDS, SHADOW_EPOCHS, SHADOW_BATCH = 32, 1200, 10, 64
SHADOW_INPUTS, SHADOW_WIDTHS, SHADOW_CLASSES = 446, (256, 128), 30
LOOP_STEPS, LOOP_IMAGES, LOOP_KERNEL = 20, (64, 12, 12, 32), (5, 5, 32, 64)


def single() -> Pair:
    from benchmarks import peers

    model = work.mnist()
    params = jax.jit(model.init)(jax.random.key(0))
    data = work.records(SINGLE_STEPS, shape=work.IMAGE, classes=work.CLASSES)
    train = work.trainer(model, 1, 1)
    state = optax.sgd(work.RATE).init(params)
    x, y, theirs = peers.images(data.x), peers.labels(data.y), peers.from_linen(params)

    @peers.one_thread()
    def peer():
        batches = peers.shuffled(SINGLE_STEPS, 1, 1)
        return peers.sgd(peers.mnist, theirs, x, y, batches, work.RATE)

    return Pair(
        lambda: compiled(train, jax.random.key(1), params, state, data),
        lambda: peer,
        peers.VERSION,
        work.PEER_NOTE,
    )


def shadows() -> Pair:
    from benchmarks import peers

    module = targets.MLP(SHADOW_WIDTHS, SHADOW_CLASSES)
    model = targets.as_model(module, (SHADOW_INPUTS,))
    keys = jax.random.split(jax.random.key(0), SHADOWS)
    params = jax.jit(jax.vmap(model.init))(keys)
    data = work.records(
        SHADOWS, SHADOW_RECORDS, shape=(SHADOW_INPUTS,), classes=SHADOW_CLASSES
    )
    train = work.trainer(model, SHADOW_EPOCHS, SHADOW_BATCH)

    def train_all(*args):
        return local.side_by_side(train, *args)

    state = jax.vmap(optax.sgd(work.RATE).init)(params)
    x, y = peers.torch.from_numpy(data.x), peers.labels(data.y)
    each = [jax.tree.map(lambda a, i=i: a[i], params) for i in range(SHADOWS)]
    theirs = [peers.from_linen(one) for one in each]

    def peer():
        for i in range(SHADOWS):
            batches = peers.shuffled(SHADOW_RECORDS, SHADOW_BATCH, SHADOW_EPOCHS)
            peers.sgd(peers.mlp, theirs[i], x[i], y[i], batches, work.RATE)

    return Pair(
        lambda: compiled(train_all, keys, params, state, data),
        lambda: peer,
        peers.VERSION,
        work.PEER_NOTE,
    )


def convolution_in_loop(convolve):
    """Returns 20 steps of descent on kernel and images, (images, kernel) -> both."""

    def loss(images, kernel):
        out = convolve(
            images,
            kernel,
            (1, 1),
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return jnp.mean(out**2)

    def step(carry, _):
        gradients = jax.grad(loss, (0, 1))(*carry)
        return jax.tree.map(lambda a, g: a - work.RATE * g, carry, gradients), None

    def run(images, kernel):
        return lax.scan(step, (images, kernel), length=LOOP_STEPS)[0]

    return run


def patches() -> Pair:
    draw = np.random.default_rng(0)
    images, kernel = (draw.random(a, np.float32) for a in (LOOP_IMAGES, LOOP_KERNEL))

    def side(convolve):
        return lambda: compiled(convolution_in_loop(convolve), images, kernel / 800)

    return Pair(
        side(convolution.conv_general_dilated),
        side(lax.conv_general_dilated),
        f"jax {jax.__version__}",
        "lax.conv_general_dilated",
    )


SHADOW_LIMIT = (
    "The work is 260 GFLOP of matrix products of 64 rows, at which PyTorch reaches a "
    "quarter of the matmul peak: no program could be 5 times as fast."
)

ROWS = (
    Row("sgd_batch_1", 5, single),
    Row("shadow_models", 5, shadows, SHADOW_LIMIT),
    Row("patches_in_loop", 10, patches),
)
