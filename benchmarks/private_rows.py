"""A step of DP-SGD beside Opacus: by hooks that keep each gradient, and by ghost norms.

The same network, batch, clipping norm and noise; ours is one jitted step.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable

import jax
import numpy as np

from benchmarks import capture_rows, work
from benchmarks.measure import Pair, Row, compiled
from jaxprivacy import types
from jaxprivacy.defenses import dp_sgd

RECORDS, MAX_NORM, NOISE, RATE = 256, 1.0, 1.0, 0.1
NOISE_LIMIT = "1.4 million normal numbers by Threefry are nearly half of ours"


def mlp() -> tuple[types.Model, types.Params, types.Batch]:
    """Paper B's network."""
    model, params, batch = capture_rows.work()
    return model, params, jax.tree.map(lambda a: a[:RECORDS], batch)


def cnn() -> tuple[types.Model, types.Params, types.Batch]:
    """Paper A's network."""
    model = work.mnist()
    batch = work.records(RECORDS, shape=work.IMAGE, classes=work.CLASSES)
    return model, jax.jit(model.init)(jax.random.key(0)), batch


def ours(
    model: types.Model, params: types.Params, batch: types.Batch, noise: float = NOISE
):
    """A step of DP-SGD, jitted."""
    gradient = dp_sgd.gradient(
        model,
        max_norm=MAX_NORM,
        noise_multiplier=noise,
        expected_batch=float(len(batch.y)),
    )

    def step(key, params, batch):
        found, _ = gradient(key, params, batch)
        return jax.tree.map(lambda p, g: p - RATE * g, params, found)

    return compiled(step, jax.random.key(1), params, batch)


def _network(params: types.Params):
    """The same network as a torch module, of the layers that Opacus knows."""
    from benchmarks import peers

    nn, layers = peers.torch.nn, []
    weights = peers.from_linen(params)
    pools = iter((3, 2))
    for weight, bias in zip(weights[::2], weights[1::2], strict=True):
        if weight.ndim == 4:
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2:])
            after = [nn.MaxPool2d(next(pools)), nn.Tanh()]  # tanh is monotone
        else:
            if layers and isinstance(layers[-2], nn.MaxPool2d):
                layers.append(nn.Flatten())
            layer, after = nn.Linear(weight.shape[1], weight.shape[0]), [nn.Tanh()]
        layer.weight.data, layer.bias.data = weight.clone(), bias.clone()
        layers += [layer, *after]
    return nn.Sequential(*layers[:-1])


def _records(batch):
    from benchmarks import peers

    x = np.asarray(batch.x)
    of_images = x.ndim == 4
    return (
        peers.images(x) if of_images else peers.torch.from_numpy(x),
        peers.labels(batch.y),
    )


def theirs(mode: str, params: types.Params, batch: types.Batch, noise: float = NOISE):
    """A step of DP-SGD by Opacus, which returns the network."""
    import opacus
    from opacus.utils.fast_gradient_clipping_utils import DPLossFastGradientClipping

    from benchmarks import peers

    torch = peers.torch
    network = _network(params)
    x, y = _records(batch)
    criterion = torch.nn.CrossEntropyLoss()
    ghost = mode == "ghost"
    if ghost:
        wrapped = opacus.grad_sample.GradSampleModuleFastGradientClipping(
            network, max_grad_norm=MAX_NORM, use_ghost_clipping=True
        )
        chosen = opacus.optimizers.DPOptimizerFastGradientClipping
    else:
        wrapped = opacus.GradSampleModule(network)
        chosen = opacus.optimizers.DPOptimizer
    optimizer = chosen(
        torch.optim.SGD(wrapped.parameters(), lr=RATE),
        noise_multiplier=noise,
        max_grad_norm=MAX_NORM,
        expected_batch_size=len(batch.y),
    )
    loss_of = criterion
    if ghost:
        loss_of = DPLossFastGradientClipping(wrapped, optimizer, criterion)

    def step():
        optimizer.zero_grad()
        loss_of(wrapped(x), y).backward()
        optimizer.step()
        return network

    return step


def versus_opacus(work_of: Callable, mode: str) -> Pair:
    """A step on a network, beside one of Opacus's ways."""
    model, params, batch = work_of()
    return Pair(
        lambda: ours(model, params, batch),
        lambda: theirs(mode, params, batch),
        f"opacus {importlib.metadata.version('opacus')}",
        f"one step of DP-SGD on {RECORDS} records by {mode}, noise included",
    )


# On the MLP at least twice the fastest of both, on the CNN at least as fast.
ROWS = tuple(
    Row(
        f"dp_sgd_{name}_vs_opacus_{mode}",
        target,
        functools.partial(versus_opacus, work_of, mode),
        NOISE_LIMIT,
    )
    for name, work_of, target in (("mlp", mlp, 2), ("cnn", cnn, 1))
    for mode in ("hooks", "ghost")
)
