"""How an attack network fares where there is little to learn, or little to learn from.

python -m benchmarks.attack_signals --out=docs/attack_signals

Trained attacks on signals of several strengths, learned from several numbers of
records, beside the best simple rule on the same features. The signals are those of
networks trained for several numbers of epochs on made data with wrong labels, of which
they learn more by heart the longer they are trained. Rows are written as they come, and
what is there is not run again.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import app, flags

from jaxprivacy.attacks import features as features_lib, threshold, whitebox
from jaxprivacy.evaluation import membership
from jaxprivacy.models import attack_presets, targets
from jaxprivacy.studies import attack_training, provenance
from jaxprivacy.studies.attack_training import Positions
from jaxprivacy.targets import layers as layers_lib
from jaxprivacy.training import losses

_OUT = flags.DEFINE_string("out", "docs/attack_signals", "Folder of the result.")

N = 12_500  # members, and as many non-members
DIMENSIONS, CLASSES, WIDTHS, BATCH = 32, 10, (256, 128), 128
# (share of wrong labels, epochs): loss thresholds of AUC 0.53, 0.61, 0.83 and 0.96.
SIGNALS = ((0.3, 6), (0.3, 20), (0.3, 120), (0.7, 120))
RECORDS = (100, 1_000, 10_000)  # members and non-members that the attack learns from
SELECTION, EVALUATION = 0.375, 3_000  # of as many, as the studies have it; of each kind
SEEDS = range(5)
ATTACKS = ("black_box", "white_box")  # the second with the last layer's gradient
PRESETS = {
    "anchored": attack_presets.ANCHORED,
    "table-xiv": dataclasses.replace(attack_presets.TABLE_XIV, gradient_kernels=10),
}


def records(wrong: float) -> tuple[np.ndarray, np.ndarray]:
    """Classes around their means, some of the labels drawn at random."""
    rng = np.random.default_rng(0)
    means = rng.normal(size=(CLASSES, DIMENSIONS)) / 2
    y = rng.integers(0, CLASSES, 2 * N)
    x = means[y] + rng.normal(size=(2 * N, DIMENSIONS))
    y = np.where(rng.random(2 * N) < wrong, rng.integers(0, CLASSES, 2 * N), y)
    return x.astype(np.float32), y.astype(np.int32)


@functools.cache
def target(wrong: float, epochs: int):
    """The network, its parameters and its records; the first half trained it."""
    x, y = map(jnp.asarray, records(wrong))
    network = targets.build("mlp", (DIMENSIONS,), CLASSES, widths=WIDTHS)
    descent = optax.adam(1e-3)

    def loss(params, where):
        return losses.cross_entropy(network.apply(params, x[where]), y[where]).mean()

    def step(carry, where):
        params, state = carry
        updates, state = descent.update(jax.grad(loss)(params, where), state)
        return (optax.apply_updates(params, updates), state), None

    @jax.jit
    def epoch(carry, key):
        steps = N // BATCH
        order = jax.random.permutation(key, N)[: steps * BATCH].reshape(steps, BATCH)
        return jax.lax.scan(step, carry, order)[0]

    params = network.init(jax.random.key(0))
    carry = params, descent.init(params)
    for number in range(epochs):
        carry = epoch(carry, jax.random.fold_in(jax.random.key(1), number))
    return network, carry[0], x, y


@functools.cache
def observed(wrong: float, epochs: int):
    """Features of all records: outputs, and the last layer's gradient."""
    network, params, x, y = target(wrong, epochs)
    last = layers_lib.layers(network.apply, params, x[:1])[-1:]
    extract = jax.jit(
        lambda snapshots, x, y: features_lib.extract(
            network, snapshots, x, y, hidden=(), gradients=last
        )
    )
    return last, extract(jax.tree.map(lambda a: a[None], params), x, y)


@functools.cache
def fit(attack: str, preset: str, layers: tuple) -> attack_training.Fit:
    """The attack's jitted training: compiled once for each number of records."""
    network = PRESETS[preset]
    gradients = layers if attack == "white_box" else ()
    return attack_training.make_fit(whitebox.supervised(gradients, network), network)


def row(signal, size, attack, preset, seed):
    """One attack's AUC, beside the best simple rule's on the same features."""
    layers, seen = observed(*signal)
    half = size // 2
    sets = half, max(4, round(SELECTION * half)), EVALUATION
    rng = np.random.default_rng(seed)
    drawn = [
        np.split(start + rng.permutation(N)[: sum(sets)], np.cumsum(sets)[:-1])
        for start in (0, N)
    ]
    # The same shapes for every seed and signal: compiled once.
    everyone = np.concatenate([part for kind in drawn for part in kind])
    taken = features_lib.take(seen, everyone)
    if attack == "black_box":
        taken = taken._replace(hidden={}, gradients={})
    total = sum(sets)
    members, others = (
        Positions(*np.split(np.arange(total) + start, np.cumsum(sets)[:-1]))
        for start in (0, total)
    )
    found = attack_training.train_attack(
        fit(attack, preset, layers),
        jax.random.key(seed),
        taken,
        members,
        others,
        lambda share: None,
    )
    rules = {"confidence": threshold.confidence(taken)}
    if attack == "white_box":
        rules["gradient_norm"] = -taken.layer_norms[-1, :, -1]

    def auc(scores):
        scores = np.asarray(scores, np.float64)
        parts = scores[members.evaluation], scores[others.evaluation]
        return membership.auc(*parts).value

    rule, reached = max(map(auc, rules.values())), auc(found.scores)
    return {
        "wrong_labels": signal[0],
        "epochs": signal[1],
        "records": size,
        "attack": attack,
        "preset": preset,
        "seed": seed,
        "rule": rule,
        "reached": reached,
        "gain_over_rule": reached - rule,
        "trained": found.trained,
        "learned": found.learned,
    }


def main(argv: list[str]) -> None:
    """Runs what is not there yet, the small cases first."""
    del argv
    out = pathlib.Path(_OUT.value) / "result.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    head = {
        "schema": 2,
        "command": "python -m benchmarks.attack_signals",
        "commit": provenance.commit(),
        "machine": provenance.machine(),
    }
    rows = json.loads(out.read_text())["signals"] if out.exists() else []
    names = ("records", "wrong_labels", "epochs", "attack", "preset", "seed")
    known = {tuple(r[name] for name in names) for r in rows}
    for case in itertools.product(RECORDS, SIGNALS, ATTACKS, PRESETS, SEEDS):
        size, signal, attack, preset, seed = case
        if (attack, preset) == ("white_box", "table-xiv"):
            continue  # What the paper's network does shows on the black box.
        if (size, *signal, attack, preset, seed) in known:
            continue
        rows.append(row(signal, size, attack, preset, seed))
        print(json.dumps(rows[-1]), flush=True)
        out.write_text(json.dumps(head | {"signals": rows}, indent=1) + "\n")


if __name__ == "__main__":
    app.run(main)
