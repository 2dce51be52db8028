"""What a target shows of its records."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax.core import FrozenDict

import jaxprivacy
from jaxprivacy import types
from jaxprivacy.studies import target_signals
from jaxprivacy.targets import target as targets, tasks

SIZE, CLASSES, RECORDS = 5, 3, 7


class Normed(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dense(4)(x)
        x = nn.BatchNorm(use_running_average=not train)(x)
        return nn.Dense(CLASSES)(nn.relu(x))


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(RECORDS, SIZE)).astype(np.float32)
    y = rng.integers(0, CLASSES, RECORDS).astype(np.int32)
    return types.Batch(jnp.asarray(x), jnp.asarray(y), jnp.ones(RECORDS))


def extract(target, snapshots, batch):
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *snapshots)
    out = jax.eval_shape(target.apply, snapshots[0], batch.x)
    task = tasks.task(target.loss, out.shape[1:], [np.asarray(batch.y)])
    look = target_signals.extractor(target, task, stacked, np.asarray(batch.y))
    parts = [
        look(*(np.asarray(a)[where] for a in batch[:2]), number)
        for where, number in (([0, 1, 2, 3], 4), ([4, 5, 6, 4], 3))
    ]
    found = target_signals.joined(parts)
    if task.classifies:
        np.testing.assert_array_equal(found.labels, batch.y)
    return found.features


@pytest.mark.parametrize("form", [dict, FrozenDict])
def test_a_running_mean_is_not_learned(form, batch):
    """Its gradient is no part of the norm, as `vmap(grad)` by `params` has it."""
    variables = Normed().init(jax.random.key(0), batch.x)
    target = targets.linen(Normed(), form(variables))
    found = extract(target, [form(variables)] * 2, batch)

    def loss(params, x, y):
        logits = Normed().apply({**variables, "params": params}, x[None])[0]
        return -jax.nn.log_softmax(logits)[y]

    by_record = jax.vmap(jax.grad(loss), (None, 0, 0))
    leaves = jax.tree.leaves(by_record(variables["params"], batch.x, batch.y))
    want = jnp.sqrt(sum((g.reshape(RECORDS, -1) ** 2).sum(axis=1) for g in leaves))
    np.testing.assert_allclose(found.norm, jnp.stack([want] * 2), rtol=1e-5)
    assert all(n.startswith("params/") for n in found.statistics.log_norms)
    whole = jaxprivacy.gradient_norms(target.apply, variables, batch.x, batch.y)
    assert (whole > 1.001 * want).any()  # So the means have gradients.


def test_outputs_of_one_s_own_loss_are_not_kept(batch):
    """They may be large, and no attack on any loss takes them."""
    target = targets.function(
        lambda params, x: x[:, :, None] * params["w"],
        loss=lambda output, label: output.sum() - label,
    )
    params = [{"w": jnp.float32(1)}, {"w": jnp.float32(2)}]
    found = extract(target, params, batch)
    np.testing.assert_allclose(
        found.loss[1, :, 0], 2 * batch.x.sum(axis=1) - batch.y, rtol=1e-5
    )
    assert found.output.shape == (2, RECORDS, 1)


def test_snapshots_are_measured_by_one_program(batch):
    """Each of them is traced anew where it is not."""
    traced = []

    def apply(params, x):
        traced.append(1)
        return x @ params["w"]

    params = {"w": jnp.ones((SIZE, CLASSES))}
    extract(targets.function(apply), [params] * 2, batch)
    few = len(traced)
    traced.clear()
    extract(targets.function(apply), [params] * 6, batch)
    assert len(traced) <= few
