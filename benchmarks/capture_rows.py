"""White-box capture: paper B's network on a batch of 512, clipping on one of 256."""

from __future__ import annotations

import jax
import numpy as np
import optax

import jaxprivacy
from benchmarks.measure import Pair, Row, compiled
from jaxprivacy import types
from jaxprivacy.models import targets
from jaxprivacy.targets import inputs, layer_capture
from jaxprivacy.training import gradients

BATCH, INPUTS, CLASSES, WIDTHS = 512, 600, 100, (1024, 512, 256, 128)
LOOPED = 64  # examples that the loop of single passes is timed on
RATE = 0.1
CLIPPED = 256  # records whose gradients are clipped


def work() -> tuple[types.Model, types.Params, types.Batch]:
    """Returns the network, its parameters and the batch."""
    model = targets.as_model(targets.MLP(WIDTHS, CLASSES), (INPUTS,))
    draw = np.random.default_rng(0)
    x = draw.random((BATCH, INPUTS), np.float32)
    y = draw.integers(0, CLASSES, BATCH).astype(np.int32)
    batch = types.Batch(x, y, np.ones(BATCH, np.float32))
    return model, jax.jit(model.init)(jax.random.key(0)), batch


def ours(model, params, batch):
    """(h, delta) of every layer and example, with logits and loss."""

    def run(params, x, y):
        return layer_capture.capture(model.apply, params, x, y)

    return compiled(run, params, batch.x, batch.y)


def versus_vmap() -> Pair:
    from benchmarks import peers

    model, params, batch = work()
    x, y = peers.torch.from_numpy(batch.x), peers.labels(batch.y)
    theirs = peers.from_linen(params)
    return Pair(
        lambda: ours(model, params, batch),
        lambda: lambda: peers.gradients_by_vmap(theirs, x, y),
        peers.VERSION,
        "torch.func.vmap(grad): materialises every example's gradients",
    )


def versus_loop() -> Pair:
    from benchmarks import peers

    model, params, batch = work()
    x, y = peers.torch.from_numpy(batch.x[:LOOPED]), peers.labels(batch.y[:LOOPED])
    theirs = peers.from_linen(params)
    return Pair(
        lambda: ours(model, params, batch),
        lambda: lambda: peers.gradients_by_loop(theirs, x, y),
        peers.VERSION,
        f"one forward and backward pass an example, gradients copied to the host; "
        f"timed on {LOOPED} of the {BATCH} examples and multiplied",
        peer_scale=BATCH / LOOPED,
    )


def training_step(model, params, batch):
    """One step of SGD on the mean loss."""
    gradient = gradients.plain(model)

    def step(params, batch):
        found, loss = gradient(jax.random.key(0), params, batch)
        return jax.tree.map(lambda p, g: p - RATE * g, params, found), loss

    return compiled(step, params, batch)


def versus_training_step() -> Pair:
    model, params, batch = work()
    return Pair(
        lambda: ours(model, params, batch),
        lambda: training_step(model, params, batch),
        f"jax {jax.__version__}",
        "value_and_grad and the update by SGD, jitted, same batch",
    )


def norms_versus_materialised() -> Pair:
    model, params, batch = work()

    def norms(params, x, y):
        return jaxprivacy.gradient_norms(model.apply, params, x, y)

    def materialised(params, x, y):
        def norm(x, y):
            def loss(params):
                return inputs.cross_entropy(model.apply(params, x[None])[0], y)

            return optax.global_norm(jax.grad(loss)(params))

        return jax.vmap(norm)(x, y)

    return Pair(
        lambda: compiled(norms, params, batch.x, batch.y),
        lambda: compiled(materialised, params, batch.x, batch.y),
        f"jax {jax.__version__}",
        "norms of vmap(grad), jitted: materialises every example's gradients",
    )


def clipping_versus_training_step() -> Pair:
    model, params, batch = work()
    batch = jax.tree.map(lambda a: a[:CLIPPED], batch)

    def step(params, x, y):
        total = jaxprivacy.clipped_gradient(model.apply, params, x, y, max_norm=1.0)
        return jax.tree.map(lambda p, g: p - RATE * g / len(x), params, total)

    return Pair(
        lambda: compiled(step, params, batch.x, batch.y),
        lambda: training_step(model, params, batch),
        f"jax {jax.__version__}",
        f"value_and_grad and the update by SGD, jitted, {CLIPPED} records; ours clips "
        "each record's gradient",
    )


ROWS = (
    Row("capture_vs_torch_func", 60, versus_vmap),
    Row("capture_vs_loop", 60, versus_loop),
    Row("capture_vs_training_step", 1.0, versus_training_step),
    Row("gradient_norms_vs_vmap", 10, norms_versus_materialised),
    Row("clipping_vs_training_step", 1 / 1.3, clipping_versus_training_step),
)
