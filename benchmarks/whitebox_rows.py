"""Paper B: features of AlexNet, and epochs of the attack on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks import capture_rows, work
from benchmarks.measure import Pair, Row, Run, compiled
from jaxprivacy import types
from jaxprivacy.attacks import features as features_lib, whitebox
from jaxprivacy.models import attack_presets, targets
from jaxprivacy.targets import layers as layers_lib
from jaxprivacy.training import gradients
from jaxprivacy.types import Layer

IMAGE, CLASSES = (32, 32, 3), 100
SIZE, BATCHES = 64, 2  # records whose features are computed at once; how often
LOOPED = 16  # examples that the loop of single passes is timed on
MICROBATCH = 16  # examples whose gradients of AlexNet, 10 MB each, PyTorch holds
METER = dataclasses.replace(attack_presets.ML_PRIVACY_METER, batch_size=128, epochs=1)
# What `launch.whitebox` trains unless told otherwise, without dropout, as the peer.
DEFAULT = dataclasses.replace(
    attack_presets.TABLE_XIV, gradient_kernels=10, dropout=0.0, epochs=1
)
# Records of each kind that the attack is trained on, and that the epoch is judged on.
OF_MLP, OF_ALEXNET = 128, 64


class Target(NamedTuple):
    """A target with made-up records, as both sides take it."""

    model: types.Model
    params: types.Params
    records: types.Batch  # (N, ...)
    layers: tuple[Layer, ...]
    name: str  # of the PyTorch side's network

    def peer(self, count: int | None = None):
        """The same in PyTorch: network, parameters, x (N, ...), y (N,)."""
        from benchmarks import peers, whitebox_peers

        x, y = self.records.x[:count], peers.labels(self.records.y[:count])
        if self.name == "mlp":
            params = peers.from_linen(self.params)
            return peers.mlp, params, peers.torch.from_numpy(x), y
        params = whitebox_peers.alexnet_from_linen(self.params)
        return whitebox_peers.alexnet, params, peers.images(x), y


def alexnet(count: int) -> Target:
    """AlexNet on 32 x 32 x 3 with 100 classes (PAPERS row B2)."""
    model = targets.build("alexnet", IMAGE, CLASSES)
    return _target("alexnet", model, work.records(count, shape=IMAGE, classes=CLASSES))


def mlp(
    count: int,
    widths: Sequence[int] = capture_rows.WIDTHS,
    inputs: int = capture_rows.INPUTS,
    classes: int = capture_rows.CLASSES,
) -> Target:
    """The network of Purchase-100 (PAPERS row B4), unless sizes are given."""
    model = targets.as_model(targets.MLP(tuple(widths), classes), (inputs,))
    return _target("mlp", model, work.records(count, shape=(inputs,), classes=classes))


def _target(name, model, records):
    params = _drawn(jax.eval_shape(model.init, jax.random.key(0)))
    layers = layers_lib.layers(model.apply, params, records.x[:1])
    return Target(model, params, records, layers, name)


def _drawn(shapes):
    """Weights from N(0, 1 / fan-in), biases too: compiles nothing."""
    draw = np.random.default_rng(1)

    def one(a):
        fan_in = max(1, a.size // a.shape[-1])
        return draw.standard_normal(a.shape, np.float32) * np.float32(fan_in**-0.5)

    return jax.tree.map(one, shapes)


def features(target: Target, layers: Sequence[Layer], feature_batch: int) -> Callable:
    """(params, x, y) -> the features as the study keeps them, at one snapshot."""

    def run(params, x, y):
        snapshots = jax.tree.map(lambda a: a[None], params)
        return features_lib.extract(
            target.model,
            snapshots,
            x,
            y,
            hidden=(),
            gradients=layers,
            feature_batch=feature_batch,
        )

    return run


def _capture(target):
    run = features(target, target.layers, SIZE)
    return compiled(run, target.params, target.records.x, target.records.y)


def capture_vs_loop() -> Pair:
    from benchmarks import peers, whitebox_peers

    target = alexnet(SIZE * BATCHES)
    arguments = target.peer(LOOPED)
    return Pair(
        lambda: _capture(target),
        lambda: lambda: whitebox_peers.gradients_by_loop(*arguments),
        peers.VERSION,
        f"one forward and backward pass an example, gradients copied to the host; "
        f"timed on {LOOPED} of the {SIZE * BATCHES} examples and multiplied",
        peer_scale=SIZE * BATCHES / LOOPED,
    )


def capture_vs_torch_func() -> Pair:
    from benchmarks import peers, whitebox_peers

    target = alexnet(SIZE * BATCHES)
    network, params, x, y = target.peer()

    def run():
        parts = whitebox_peers.seen_by_vmap(
            network, params, range(len(params)), x, y, MICROBATCH
        )
        for _ in parts:  # each is dropped: all would take 10 MB an example
            pass

    return Pair(
        lambda: _capture(target),
        lambda: run,
        peers.VERSION,
        f"torch.func.vmap(grad) in microbatches of {MICROBATCH}, each dropped "
        "before the next",
    )


def capture_vs_training_step() -> Pair:
    target = alexnet(SIZE * BATCHES)
    gradient = gradients.plain(target.model)

    def step(params, batch):
        found, loss = gradient(jax.random.key(0), params, batch)
        return jax.tree.map(lambda p, g: p - work.RATE * g, params, found), loss

    batches = jax.tree.map(
        lambda a: a.reshape(BATCHES, SIZE, *a.shape[1:]), target.records
    )
    return Pair(
        lambda: _capture(target),
        lambda: compiled(lambda p, b: lax.scan(step, p, b), target.params, batches),
        f"jax {jax.__version__}",
        "value_and_grad and the update by SGD, in a scan over the same batches",
    )


class Study(NamedTuple):
    """An attack on the gradients of some of a target's layers, loss, output, label.

    Of the target's N records the first quarter are members and the second are not, on
    which the attack is trained; the third and the fourth are those that the epoch is
    judged on.
    """

    target: Target
    layers: tuple[Layer, ...]  # whose gradients are seen
    preset: attack_presets.Preset
    feature_batch: int

    def quarters(self) -> list[np.ndarray]:
        return np.split(np.arange(len(self.target.records.y)), 4)


def attack(study: Study) -> tuple[Callable, whitebox.State]:
    """Our side: features of all records, kept, and an epoch of the attack on them.

    Returns:
      (key, params, x, y, state) -> (state, info), and a state to begin with.
    """
    built = whitebox.supervised(study.layers, study.preset)
    look = features(study.target, study.layers, study.feature_batch)
    quarters = study.quarters()
    examples, selection = (whitebox.Examples(*quarters[i : i + 2]) for i in (0, 2))

    def epoch(key, params, x, y, state):
        seen = look(params, x, y)
        return built.epochs(key, state, seen, examples, selection, jnp.arange(1))

    _, params, (x, y, _), _, _ = study.target
    one = whitebox.Examples(jnp.zeros(1, int), jnp.ones(1, int))
    first = jax.jit(lambda *two: built.init(jax.random.key(1), look(*two), one, one))
    return epoch, first(params, x[:2], y[:2])[0]


def attack_peer(
    study: Study, state: whitebox.State, cached: bool, **options
) -> Callable[[], tuple]:
    """The peer's epoch; each call trains its own copy of `state` further.

    Args:
      study: as for our side.
      state: where it begins.
      cached: whether the features are computed once, in microbatches, and kept, in
        place of anew for each batch.
      **options: of `whitebox_peers.attack_epoch`.
    """
    from benchmarks import peers, whitebox_peers

    network, params, x, y = study.target.peer()
    chosen = [2 * study.target.layers.index(layer) for layer in study.layers]
    weights = whitebox_peers.attack_from_linen(state.params, study.layers)
    optimizer = whitebox_peers.adam(weights, study.preset.learning_rate)
    quarters = [peers.torch.from_numpy(quarter) for quarter in study.quarters()]
    half = study.preset.batch_size // 2

    def now(indices):
        return whitebox_peers.seen_by_loop(
            network, params, chosen, x[indices], y[indices]
        )

    def run():
        look = now
        if cached:
            parts = whitebox_peers.seen_by_vmap(
                network, params, chosen, x, y, study.feature_batch
            )
            look = whitebox_peers.cache(parts)
        return whitebox_peers.attack_epoch(
            weights, optimizer, look, quarters[:2], quarters[2:], half, **options
        )

    return run


def epoch(study: Study, cached: bool) -> Pair:
    from benchmarks import peers

    target = study.target
    run, state = attack(study)
    peer = attack_peer(study, state, cached)

    def ours() -> Run:
        records = target.records
        key = jax.random.key(2)
        return compiled(run, key, target.params, records.x, records.y, state)

    looks = (
        "torch.func.vmap(grad) of the chosen layers, once for all records and kept"
        if cached
        else "one forward and backward pass over all variables an example and batch, "
        "chosen gradients copied to the host"
    )
    note = (
        f"{looks}; then the same attack network, preset {study.preset.name}, over the "
        f"materialised gradients of {', '.join(layer.path for layer in study.layers)}, "
        f"Adam (fused); {len(target.records.y) // 4} records of each kind trained on "
        "and as many judged; our side computes all features anew in every run"
    )
    return Pair(ours, lambda: peer, peers.VERSION, note)


def mlp_study() -> Study:
    """Gradients of all layers, and the attack network of `launch.whitebox`."""
    target = mlp(4 * OF_MLP)
    return Study(target, target.layers, DEFAULT, feature_batch=256)


def meter_study() -> Study:
    """The last layer's gradient: with all layers', 2024 units follow 252,000 inputs."""
    target = mlp(4 * OF_MLP)
    return Study(target, target.layers[-1:], METER, feature_batch=256)


def alexnet_study() -> Study:
    """As `mlp_study`, over five convolutions and the linear layer."""
    target = alexnet(4 * OF_ALEXNET)
    return Study(target, target.layers, DEFAULT, feature_batch=SIZE)


SHARED_COST = (
    "both sides train the same attack network: its first dense layer over the kernels' "
    "outputs, 12,800 x 2024 weights, costs more than our features, and only these are "
    "made faster"
)
ROWS = (
    Row("alexnet_capture_vs_loop", 15, capture_vs_loop),
    Row("alexnet_capture_vs_torch_func", 15, capture_vs_torch_func),
    Row("alexnet_capture_vs_training_step", 0.67, capture_vs_training_step),
    Row("attack_epoch_vs_loop", 60, lambda: epoch(mlp_study(), False)),
    Row("attack_epoch_vs_cache", 60, lambda: epoch(mlp_study(), True)),
    Row(
        "attack_epoch_meter_vs_loop",
        None,
        lambda: epoch(meter_study(), False),
        SHARED_COST,
    ),
    Row(
        "attack_epoch_meter_vs_cache",
        None,
        lambda: epoch(meter_study(), True),
        SHARED_COST,
    ),
    Row("attack_epoch_alexnet_vs_loop", 15, lambda: epoch(alexnet_study(), False)),
)
