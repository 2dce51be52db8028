"""The same work in PyTorch, written plainly and without needless cost.

Parameters are flat lists of tensors. Gradients come from `torch.autograd.grad` and are
applied by one `torch._foreach_add_`, which costs less than any form of
`torch.optim.SGD`; losses are not read back to the host.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own convention

from benchmarks import measure

torch.set_num_threads(measure.cores())
VERSION = f"torch {torch.__version__}"

Params = list[torch.Tensor]
Network = Callable[[Params, torch.Tensor], torch.Tensor]


def from_linen(params: dict) -> Params:
    """Converts Linen's parameters: weights and biases in order, channels first."""
    converted, channels = [], None
    # By number, as the layers are called; Conv layers come before Dense layers.
    names = sorted(params, key=lambda n: (n.split("_")[0], int(n.split("_")[1])))
    for name in names:
        kernel = np.asarray(params[name]["kernel"])
        if kernel.ndim == 4:  # (h, w, in, out) -> (out, in, h, w)
            weight, channels = kernel.transpose(3, 2, 0, 1), kernel.shape[-1]
        elif channels:  # the inputs are pixels: (H * W * C, out) -> (out, C * H * W)
            pixels = kernel.reshape(-1, channels, kernel.shape[-1])
            weight = pixels.transpose(2, 1, 0).reshape(kernel.shape[-1], -1)
            channels = None
        else:
            weight = kernel.T
        bias = np.asarray(params[name]["bias"])
        converted += [torch.tensor(np.ascontiguousarray(a)) for a in (weight, bias)]
    return converted


def images(x: np.ndarray) -> torch.Tensor:
    """(..., H, W, C) -> (..., C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, -3)))


def labels(y: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(y)).long()


def mlp(params: Params, x: torch.Tensor) -> torch.Tensor:
    """`targets.MLP`."""
    for weight, bias in zip(params[:-2:2], params[1:-2:2], strict=True):
        x = torch.tanh(F.linear(x, weight, bias))
    return F.linear(x, *params[-2:])


def mnist(params: Params, x: torch.Tensor) -> torch.Tensor:
    """`targets.mnist_classifier` as paper A writes it: tanh, then max-pooling."""
    for (weight, bias), pool in zip((params[0:2], params[2:4]), (3, 2), strict=True):
        x = F.max_pool2d(torch.tanh(F.conv2d(x, weight, bias)), pool)
    return mlp(params[4:], x.flatten(1))


def mnist_pooled_first(params: Params, x: torch.Tensor) -> torch.Tensor:
    """The same function with a ninth and a quarter of the tanh: it is monotone."""
    for (weight, bias), pool in zip((params[0:2], params[2:4]), (3, 2), strict=True):
        x = torch.tanh(F.max_pool2d(F.conv2d(x, weight, bias), pool))
    return mlp(params[4:], x.flatten(1))


def gradients_by_vmap(
    params: Params, x: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Every example's gradient of every parameter, (B, ...) each."""

    def loss(params, x, y):
        return F.cross_entropy(mlp(params, x[None]), y[None])

    gradient = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))
    return gradient(tuple(params), x, y)


def gradients_by_loop(
    params: Params, x: torch.Tensor, y: torch.Tensor
) -> list[list[np.ndarray]]:
    """The same one example at a time, each copied to the host (ML Privacy Meter)."""
    params = [p.detach().requires_grad_() for p in params]
    found = []
    for i in range(len(y)):
        loss = F.cross_entropy(mlp(params, x[i : i + 1]), y[i : i + 1])
        gradients = torch.autograd.grad(loss, params)
        found.append([g.numpy().copy() for g in gradients])
    return found


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """For steps of batch size 1, at which a second thread costs more than it brings."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def shuffled(count: int, batch_size: int, epochs: int) -> Iterable[torch.Tensor]:
    """The indices of every batch, in a new order each epoch."""
    for _ in range(epochs):
        yield from torch.randperm(count).split(batch_size)


def sgd(
    network: Network,
    params: Params,
    x: torch.Tensor,
    y: torch.Tensor,
    batches: Iterable[torch.Tensor],
    rate: float,
    decay: float = 0.0,
) -> Params:
    """Stochastic gradient descent from `params`, which it leaves as they are.

    The rate of step t is rate / (1 + decay t).
    """
    params = [p.detach().clone().requires_grad_() for p in params]
    for step, batch in enumerate(batches):
        loss = F.cross_entropy(network(params, x[batch]), y[batch])
        gradients = torch.autograd.grad(loss, params)
        with torch.no_grad():
            torch._foreach_add_(params, gradients, alpha=-rate / (1 + decay * step))
    return [p.detach() for p in params]


def federated_averaging(
    network: Network,
    params: Params,
    x: torch.Tensor,
    y: torch.Tensor,
    batches: Sequence[Iterable[torch.Tensor]],
    rate: float,
) -> Params:
    """One round of FedAvg: x (P, N, ...), y (P, N), batches of each participant."""
    local = [
        sgd(network, params, *participant, rate)
        for participant in zip(x, y, batches, strict=True)
    ]
    return [torch.stack(parts).mean(0) for parts in zip(*local, strict=True)]
