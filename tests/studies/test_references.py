"""Reference models: each on its own records, resumed, and the same in any pool."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import errors, types
from jaxprivacy.attacks import membership
from jaxprivacy.data import reference_sets
from jaxprivacy.programs.checkpoint import Checkpoint
from jaxprivacy.studies import references

N = 21
RECORDS = types.Batch(
    np.arange(2.0 * N).reshape(N, 2), np.arange(N) % 3, np.ones(N, np.float32)
)


def mean_of_records(key, records):
    """Stands for a training: what it was given, and noise of its own."""
    weight = records.mask[:, None]
    mean = (records.x * weight).sum(0) / weight.sum()
    return {"mean": mean, "noise": jax.random.normal(key, (3,))}


def held(models=6):
    labels = np.arange(N) % 3
    return reference_sets.halves(labels, models, np.random.default_rng(0))


def train(
    which, kept=lambda name: None, advance=lambda share: None, of=mean_of_records
):
    return references.train(of, RECORDS, which, jax.random.key(1), advance, kept)


def test_each_model_is_trained_on_its_own_records():
    which = held()
    found = train(which)
    for i, own in enumerate(which):
        np.testing.assert_allclose(found["mean"][i], RECORDS.x[own].mean(0), rtol=1e-6)
    assert len(np.unique(found["noise"][:, 0])) == len(which)


def test_a_model_is_the_same_in_a_larger_pool():
    small, large = train(held(4)), train(held(8))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b[:4]), small, large)


def test_lots_of_another_size_are_not_taken_for_these(monkeypatch):
    """As where a killed run goes on with more cores, and trains more models at once."""
    stored = {}

    def kept(name):
        def save(done, tree):
            stored[name] = done, jax.tree.map(np.asarray, tree)

        return Checkpoint(lambda shapes: stored.get(name), save)

    which = held(6)
    for together in (1, 2, 4):
        monkeypatch.setitem(references.AT_ONCE, "cpu", together)
        jax.tree.map(np.testing.assert_array_equal, train(which, kept), train(which))


def test_a_killed_run_trains_no_lot_twice_and_ends_in_the_same_numbers():
    stored, saved = {}, []

    def kept(name):
        def save(done, tree):
            saved.append(name)
            stored[name] = done, jax.tree.map(np.asarray, tree)

        return Checkpoint(lambda shapes: stored.get(name), save)

    def killed(share):
        del share
        if len(saved) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(held(), kept, killed)
    assert len(saved) == 2
    found = train(held(), kept)
    assert len(saved) == len(set(saved)) == -(-6 // jax.device_count())
    jax.tree.map(np.testing.assert_array_equal, found, train(held()))


def test_a_training_that_diverges_is_named():
    def diverges(key, records):
        mean = mean_of_records(key, records)["mean"]
        return jnp.where(records.mask.sum() > 10, jnp.nan, mean)

    with pytest.raises(errors.InputError, match="the training of model [01] diverges"):
        train(held(), of=diverges)


def test_what_is_said_is_of_each_model_and_each_record():
    params = train(held())

    def apply(p, x):
        return x @ jnp.outer(p["mean"], p["noise"])

    said = references.ask(apply, params, RECORDS.x, RECORDS.y)
    logits = RECORDS.x @ np.outer(params["mean"][3], params["noise"][3])
    np.testing.assert_allclose(
        said.of(3).log_odds, membership.scaled_logit(logits, RECORDS.y), rtol=1e-4
    )
    np.testing.assert_array_equal(said.right[3], logits.argmax(1) == RECORDS.y)
    one = jax.tree.map(lambda a: a[3], params)
    np.testing.assert_allclose(
        references.outputs(apply, one, RECORDS.x), logits, rtol=1e-5
    )
