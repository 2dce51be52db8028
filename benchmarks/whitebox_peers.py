"""Paper B in PyTorch: per-example gradients, and the attack network over them.

Parameters are flat lists of tensors as in `peers`: weight and bias of each layer in
order, channels first. A per-example gradient is as large as its weight.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own convention

from benchmarks import peers
from jaxprivacy.types import Layer

Weights = list[torch.Tensor]


class Seen(NamedTuple):
    """What the attack network takes of B records."""

    label: torch.Tensor  # (B, K) one-hot
    loss: torch.Tensor  # (B, 1)
    output: torch.Tensor  # (B, K) probabilities
    gradients: Weights  # of the chosen weights, (B, *weight)


class Attack(NamedTuple):
    """Weights of the attack network: weight and bias of each layer in order."""

    loss: Weights
    output: Weights
    gradients: list[Weights]  # first the kernels (span, k) and their bias, then layers
    label: Weights
    encoder: Weights
    number: Weights


def alexnet_from_linen(params: dict) -> peers.Params:
    """Converts the parameters of `alexnet.AlexNet`."""
    convolutions = [n for n in params if n.startswith("features_")]
    convolutions.sort(key=lambda name: int(name.split("_")[1]))
    renamed = {f"Conv_{i}": params[name] for i, name in enumerate(convolutions)}
    return peers.from_linen(renamed | {"Dense_0": params["classifier"]})


def alexnet(params: peers.Params, x: torch.Tensor) -> torch.Tensor:
    """`alexnet.AlexNet`: (B, C, H, W) -> (B, K)."""
    strided = ((4, 5, 2), (1, 2, 2), (1, 1, 1), (1, 1, 1), (1, 1, 2))
    layers = zip(params[:-2:2], params[1:-2:2], strided, strict=True)
    for weight, bias, (stride, padding, pool) in layers:
        x = F.max_pool2d(F.conv2d(x, weight, bias, stride, padding), pool)
        x = F.relu(x)  # it rises, so it may follow the maximum, as on our side
    return F.linear(x.flatten(1), *params[-2:])


def single_passes(
    network: peers.Network, params: peers.Params, x: torch.Tensor, y: torch.Tensor
) -> Iterator[tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...]]]:
    """Yields each example's logits, loss and gradients of all parameters."""
    params = [p.detach().requires_grad_() for p in params]
    for i in range(len(y)):
        logits = network(params, x[i : i + 1])
        loss = F.cross_entropy(logits, y[i : i + 1])
        yield logits.detach(), loss.detach(), torch.autograd.grad(loss, params)


def gradients_by_loop(
    network: peers.Network, params: peers.Params, x: torch.Tensor, y: torch.Tensor
) -> list[list[np.ndarray]]:
    """Every example's gradients of all parameters, copied to the host."""
    return [
        [g.numpy().copy() for g in gradients]
        for _, _, gradients in single_passes(network, params, x, y)
    ]


@torch.enable_grad()
def seen_by_loop(
    network: peers.Network,
    params: peers.Params,
    chosen: Sequence[int],
    x: torch.Tensor,
    y: torch.Tensor,
) -> Seen:
    """The features of a batch as ML Privacy Meter 0.1 computes them (PAPERS section D).

    Args:
      network: the target.
      params: its parameters; every example's pass is over all of them.
      chosen: which of them the attack sees the gradients of.
      x: (B, *D).
      y: (B,).
    """
    logits, losses, copies = [], [], []
    for output, loss, gradients in single_passes(network, params, x, y):
        logits.append(output)
        losses.append(loss)
        copies.append([gradients[i].numpy() for i in chosen])
    logits = torch.cat(logits)
    stacked = [torch.from_numpy(np.stack(g)) for g in zip(*copies, strict=True)]
    return _seen(logits, torch.stack(losses), y, stacked)


def seen_by_vmap(
    network: peers.Network,
    params: peers.Params,
    chosen: Sequence[int],
    x: torch.Tensor,
    y: torch.Tensor,
    microbatch: int,
) -> Iterator[Seen]:
    """Yields the same of one microbatch after another, by torch.func.

    Only the chosen parameters are differentiated with respect to.
    """

    def loss(kept, x, y):
        variables = list(params)
        for i, parameter in zip(chosen, kept, strict=True):
            variables[i] = parameter
        logits = network(variables, x[None])
        value = F.cross_entropy(logits, y[None])
        return value, (logits[0], value)

    gradient = torch.func.grad(loss, has_aux=True)
    batched = torch.func.vmap(gradient, (None, 0, 0))
    kept = tuple(params[i] for i in chosen)
    parts = zip(x.split(microbatch), y.split(microbatch), strict=True)
    for some_x, some_y in parts:
        gradients, (logits, losses) = batched(kept, some_x, some_y)
        yield _seen(logits, losses, some_y, list(gradients))


def _seen(logits, losses, y, gradients):
    label = F.one_hot(y, logits.shape[-1]).float()
    return Seen(label, losses[:, None], logits.softmax(-1), gradients)


def cache(parts: Iterator[Seen]) -> Callable[[torch.Tensor], Seen]:
    """Joins the microbatches, and returns what looks records up among them."""
    labels, losses, outputs, gradients = zip(*parts, strict=True)
    joined = [torch.cat(g) for g in zip(*gradients, strict=True)]
    kept = Seen(*map(torch.cat, (labels, losses, outputs)), joined)

    def look(indices):
        label, loss, output = (a[indices] for a in kept[:-1])
        return Seen(label, loss, output, [g[indices] for g in kept.gradients])

    return look


def attack_from_linen(params: dict, layers: Sequence[Layer]) -> Attack:
    """Converts an `AttackNetwork` that sees loss, output, label and these gradients."""

    def gradient(layer):
        component = params["gradient_" + layer.path.replace("/", "_")]
        kernel = np.asarray(component["kernel"])
        if layer.kind == "conv":  # (h, w, in, k) -> (in, h, w, k), as in the gradient
            kernel = kernel.reshape(*layer.window, -1, kernel.shape[-1])
            kernel = np.moveaxis(kernel, 2, 0).reshape(-1, kernel.shape[-1])
        first = [torch.tensor(kernel), torch.tensor(np.asarray(component["bias"]))]
        return first + peers.from_linen(component["FullyConnected_0"])

    return Attack(
        peers.from_linen(params["loss"]),
        peers.from_linen(params["output"]),
        [gradient(layer) for layer in layers],
        peers.from_linen(params["label"]),
        peers.from_linen(params["encoder"]),
        peers.from_linen({"Dense_0": params["number"]}),
    )


def tensors(attack: Attack) -> Weights:
    """All weights, in the order of the attack's fields."""
    gradients = [w for component in attack.gradients for w in component]
    others = attack.label + attack.encoder + attack.number
    return attack.loss + attack.output + gradients + others


def attack_logits(attack: Attack, seen: Seen) -> torch.Tensor:
    """The attack network without dropout: (B,)."""
    pairs = zip(attack.gradients, seen.gradients, strict=True)
    parts = [
        _dense(attack.loss, seen.loss),
        _dense(attack.output, seen.output),
        *(_gradient_component(*pair) for pair in pairs),
        _dense(attack.label, seen.label),
    ]
    x = _dense(attack.encoder, torch.cat(parts, dim=1))
    return F.linear(x, *attack.number)[:, 0]


def _dense(weights, x):
    for weight, bias in zip(weights[::2], weights[1::2], strict=True):
        x = F.relu(F.linear(x, weight, bias))
    return x


def _gradient_component(weights, gradient):
    """Kernels of 1 x fan-out, or of a convolution's filter, on (B, out, in, ...)."""
    # A matmul, which is what the published convolution of such kernels comes to.
    rows = gradient.flatten(2) if gradient.ndim == 5 else gradient.transpose(1, 2)
    kernel, bias, *dense = weights
    return _dense(dense, F.relu(rows @ kernel + bias).flatten(1))


def squared_error(attack: Attack, seen: Seen) -> torch.Tensor:
    """`whitebox.squared_error` where the first half of the records are members."""
    found = torch.sigmoid(attack_logits(attack, seen))
    is_member = torch.arange(len(found)) < len(found) // 2
    return F.mse_loss(found, is_member.float())


def adam(attack: Attack, rate: float) -> torch.optim.Optimizer:
    """Adam on the attack's weights, of which it demands gradients from now on."""
    weights = [w.requires_grad_() for w in tensors(attack)]
    return torch.optim.Adam(weights, rate, fused=True)


def attack_epoch(
    attack: Attack,
    optimizer: torch.optim.Optimizer,
    look: Callable[[torch.Tensor], Seen],
    examples: Sequence[torch.Tensor],
    selection: Sequence[torch.Tensor],
    half: int,
    order: Callable[[int], torch.Tensor] = torch.randperm,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One epoch of `whitebox.supervised`; trains the attack in place.

    Args:
      attack: its weights.
      optimizer: of these.
      look: indices -> what is seen of the records.
      examples: indices of members and of non-members, as many of each.
      selection: the same of the records that the epoch is judged on.
      half: of a batch.
      order: of the examples.

    Returns:
      The losses on the examples and on the selection.
    """
    trained = [kind[order(len(kind))].split(half) for kind in examples]
    losses = []
    for batch in zip(*trained, strict=True):
        loss = squared_error(attack, look(torch.cat(batch)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    judged = zip(*(kind.split(half) for kind in selection), strict=True)
    with torch.no_grad():
        errors = [squared_error(attack, look(torch.cat(batch))) for batch in judged]
    return torch.stack(losses).mean(), torch.stack(errors).mean()
