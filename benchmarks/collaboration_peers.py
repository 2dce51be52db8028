"""Paper A's collaborative training in PyTorch, written as `peers` is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - PyTorch's own convention

from benchmarks import peers
from jaxprivacy.studies.settings import GanSettings

AT_ONCE = 100  # records that are measured together; 1,000 take half as long again
NOISE_SIZE = 100

Records = tuple[torch.Tensor, torch.Tensor]  # x (N, ...), y (N,)
Batches = Callable[[int, int], Iterable[torch.Tensor]]  # count, batch size -> epoch
Noise = Callable[[int], torch.Tensor]  # count -> (count, 100)


def generator_from_linen(params: dict) -> peers.Params:
    """Converts the parameters of a `generators.Generator` of square images.

    The first layer's weights (100, out, h, w), then of each layer: scale and bias of
    the normalisation before it, weights (in, out, 4, 4) and bias of the convolution.
    """
    dense = np.asarray(params["Dense_0"]["kernel"])
    channels = len(params["BatchStandardize_0"]["bias"])
    side = math.isqrt(dense.shape[1] // channels)
    arrays = [dense.reshape(-1, side, side, channels).transpose(0, 3, 1, 2)]
    for i in range(len(params) // 2):  # as many of each, beside the Dense layer
        normalise, layer = params[f"BatchStandardize_{i}"], params[f"ConvTranspose_{i}"]
        kernel = np.asarray(layer["kernel"]).transpose(2, 3, 0, 1)
        arrays += [normalise["scale"], normalise["bias"], kernel, layer["bias"]]
    return [torch.tensor(np.ascontiguousarray(a)) for a in arrays]


def one_epoch(count: int, batch_size: int) -> Iterable[torch.Tensor]:
    return peers.shuffled(count, batch_size, 1)


def uniform(count: int) -> torch.Tensor:
    return torch.rand(count, NOISE_SIZE) * 2 - 1


def generate(
    params: peers.Params, z: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    """(B, 100) -> (B, C, H, W): `generators.Generator`, cropped to `size`."""
    x = F.conv_transpose2d(z[:, :, None, None], params[0])
    for layer in range(1, len(params), 4):
        scale, shift, weight, bias = params[layer : layer + 4]
        x = torch.relu(F.batch_norm(x, None, None, scale, shift, training=True))
        x = F.conv_transpose2d(x, weight, bias, stride=2, padding=1)
    top, left = (x.shape[2] - size[0]) // 2, (x.shape[3] - size[1]) // 2
    return torch.tanh(x[..., top : top + size[0], left : left + size[1]])


def train_generator(
    settings: GanSettings,
    discriminator: peers.Params,
    params: peers.Params,
    size: tuple[int, int],
    noise: Noise,
) -> peers.Params:
    """Descends the cross-entropy of the target class under the shared model."""
    params = [p.detach().clone().requires_grad_() for p in params]
    target = torch.full((settings.generator_batch,), settings.target_class)
    rate = settings.generator_learning_rate
    for _ in range(settings.generator_steps):
        images = generate(params, noise(settings.generator_batch), size)
        loss = F.cross_entropy(peers.mnist(discriminator, images), target)
        gradients = torch.autograd.grad(loss, params)
        with torch.no_grad():
            torch._foreach_add_(params, gradients, alpha=-rate)
    return [p.detach() for p in params]


@torch.no_grad()
def accuracy(params: peers.Params, x: torch.Tensor, y: torch.Tensor) -> float:
    hits = [
        (peers.mnist(params, some).argmax(1) == labels).sum()
        for some, labels in zip(x.split(AT_ONCE), y.split(AT_ONCE), strict=True)
    ]
    return float(sum(hits)) / len(y)


class Epoch(NamedTuple):
    """What a collaborative epoch leaves behind."""

    shared: peers.Params
    generator: peers.Params
    samples: torch.Tensor  # (S, C, H, W)
    accuracies: list[float]  # of the shared model on each of the measured sets


def collaborative_epoch(
    settings: GanSettings,
    shared: peers.Params,
    generator: peers.Params,
    seats: Sequence[Records],
    measured: Sequence[Records],
    *,
    logged: int,
    batches: Batches = one_epoch,
    noise: Noise = uniform,
) -> Epoch:
    """Algorithm 1 of one victim and one adversary that share everything.

    With fractions 1 the shared model is the local one of whoever was last, so neither
    replicas nor counters are kept.
    """

    def train(params, x, y):
        order = batches(len(y), settings.batch_size)
        rate, decay = settings.learning_rate, settings.learning_rate_decay
        with peers.one_thread():
            return peers.sgd(peers.mnist, params, x, y, order, rate, decay)

    victim, (x, y) = seats
    size = tuple(x.shape[-2:])
    shared = train(shared, *victim)
    generator = train_generator(settings, shared, generator, size, noise)
    with torch.no_grad():
        fakes = generate(generator, noise(settings.injected), size)
        samples = generate(generator, noise(logged), size)
    fake_class = len(shared[-1]) - 1
    labels = torch.full((settings.injected,), fake_class)
    shared = train(shared, torch.cat([x, fakes]), torch.cat([y, labels]))
    accuracies = [accuracy(shared, *records) for records in measured]
    return Epoch(shared, generator, samples, accuracies)


class Selective(NamedTuple):
    """Distributed selective SGD between two rounds."""

    params: torch.Tensor  # (n,), the server's
    counters: torch.Tensor  # (n,) float32, how often each was uploaded
    replicas: torch.Tensor  # (P, n)


def flat(params: peers.Params) -> torch.Tensor:
    return torch.cat([p.reshape(-1) for p in params])


def selective_round(
    settings: GanSettings,
    network: peers.Network,
    state: Selective,
    like: peers.Params,
    x: torch.Tensor,
    y: torch.Tensor,
    uploads: int,
    downloads: int,
    *,
    batches: Batches = one_epoch,
) -> Selective:
    """Each downloads the most updated, trains, and uploads what changed most.

    Args:
      settings: batch size and rate.
      network: the model.
      state: of server and participants; left as it is.
      like: tensors of the model's shapes.
      x: records, (P, N, ...).
      y: labels, (P, N).
      uploads: how many parameters each uploads.
      downloads: how many each downloads.
      batches: draws an epoch's order.
    """
    params, counters, replicas = (a.clone() for a in state)
    sizes = [p.numel() for p in like]
    for replica, *records in zip(replicas, x, y, strict=True):
        ties = torch.rand(len(counters)) * 0.999
        sent = (counters + ties).topk(downloads, sorted=False).indices
        replica[sent] = params[sent]
        parts = zip(replica.split(sizes), like, strict=True)
        local = peers.sgd(
            network,
            [part.view(p.shape) for part, p in parts],
            *records,
            batches(len(records[1]), settings.batch_size),
            settings.learning_rate,
            settings.learning_rate_decay,
        )
        update = flat(local) - replica
        sent = update.abs().topk(uploads, sorted=False).indices
        params[sent] += update[sent]
        counters[sent] += 1
        replica += update
    return Selective(params, counters, replicas)
