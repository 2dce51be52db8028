"""Which layers' hidden outputs and gradients an audit of one's own model takes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxprivacy.studies import target_layers
from jaxprivacy.targets import target as targets, tasks

RECORDS, INPUTS, CLASSES = 6, 5, 3


class Mlp(nn.Module):
    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, x):
        for width in self.widths:
            x = jnp.tanh(nn.Dense(width)(x))
        return nn.Dense(CLASSES)(x)


def example(widths, records=100):
    module = Mlp(widths)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(RECORDS, INPUTS)).astype(np.float32)
    y = rng.integers(0, CLASSES, RECORDS).astype(np.int32)
    target = targets.linen(module, module.init(jax.random.key(0), x[:1]))
    task = tasks.task(None, (CLASSES,), [y])
    return target, task, x, y, target_layers.taken(target, task, x, y, records, 2)


def names(taken):
    return taken.hidden, tuple(layer.path for layer in taken.gradients)


def test_the_last_two_layers_are_taken():
    *_, taken = example((4, 4, 4))
    assert names(taken) == (("Dense_3", "Dense_2"), ("Dense_3",))
    told = target_layers.told(taken)
    assert "hidden output before Dense_2" in told and "gradient of Dense_3" in told
    assert "Too large" not in told


def test_the_record_itself_is_no_hidden_output():
    *_, taken = example((4,))
    assert names(taken) == (("Dense_1",), ("Dense_1",))
    *_, taken = example(())
    assert names(taken) == ((), ("Dense_0",))


@pytest.mark.parametrize(
    ("limits", "records", "expected", "said"),
    [
        ({"LARGEST": 10}, 100, (("Dense_2",), ("Dense_2",)), "20 numbers a record"),
        (
            {"LARGEST": 6},
            100,
            (("Dense_2",), ()),
            "(7 numbers a record, 5,600 bytes in all)",
        ),
        # Of 11 numbers a record 7 are the gradient's, 4 the last hidden output's.
        ({"MOST": 8 * 1100}, 100, (("Dense_2",), ("Dense_2",)), "16,000 bytes"),
        ({"MOST": 8 * 1100, "UNKNOWN": 1100}, None, ((), ()), "61,600 bytes"),
    ],
)
def test_what_is_too_large_is_left_and_told(
    limits, records, expected, said, monkeypatch
):
    for name, value in limits.items():
        monkeypatch.setattr(target_layers, name, value)
    *_, taken = example((20, 4), records)
    assert names(taken) == expected
    assert said in target_layers.told(taken)


def test_of_one_s_own_loss_nothing_is_taken():
    target, task, x, y, _ = example((4, 4))
    own = task._replace(kind=tasks.OWN)
    assert target_layers.taken(target, own, x, y, 10, 1) == target_layers.Taken()


def test_features_are_hidden_outputs_and_gradients():
    target, task, x, y, taken = example((7, 4))

    @jax.jit
    def both(params, x, y):
        found = target_layers.features(target, task, taken, params, x, y)

        def loss(params, x, y):
            return task.loss(target.apply(params, x[None])[0], y)

        return found, jax.vmap(jax.grad(loss), (None, 0, 0))(params, x, y)

    found, whole = both(target.params, x, y)
    params = target.params["params"]
    h = x
    for name in ("Dense_0", "Dense_1"):
        h = np.tanh(h @ params[name]["kernel"] + params[name]["bias"])
        after = {"Dense_0": "Dense_1", "Dense_1": "Dense_2"}[name]
        np.testing.assert_allclose(found["hidden"][after], h, rtol=1e-5, atol=1e-6)
    kept = found["gradients"]["Dense_2"]
    product = jnp.einsum("bi,bo->bio", kept["h"], kept["delta"])
    want = whole["params"]["Dense_2"]["kernel"]
    np.testing.assert_allclose(product, want, rtol=1e-4, atol=1e-6)
