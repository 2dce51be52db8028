"""Losses and measures by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import errors, types
from jaxprivacy.training import losses


def test_cross_entropy_by_hand():
    # softmax of (log 1, log 2, log 5) is (1, 2, 5) / 8.
    logits = jnp.log(jnp.array([[1.0, 2.0, 5.0]] * 3))
    got = losses.cross_entropy(logits, jnp.array([0, 1, 2]))
    np.testing.assert_allclose(got, np.log([8, 4, 1.6]), rtol=1e-6)


def test_one_output_is_the_softmax_of_a_logit_and_zero():
    z, y = jnp.array([-90.0, -2.0, 0.3, 2.0, 90.0] * 2), jnp.repeat(jnp.arange(2), 5)
    two = jnp.stack([jnp.zeros_like(z), z], axis=1)

    def gradient(loss):
        return jax.grad(lambda z: loss(z).sum())(z)

    def one(z):
        return losses.cross_entropy(z[:, None], y)

    def both(z):
        return losses.cross_entropy(jnp.stack([jnp.zeros_like(z), z], axis=1), y)

    np.testing.assert_allclose(one(z), both(z), rtol=1e-6)
    np.testing.assert_allclose(gradient(one), gradient(both), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        losses.probabilities(z[:, None])[:, 0], losses.probabilities(two)[:, 1]
    )
    np.testing.assert_array_equal(losses.predicted(z[:, None]), losses.predicted(two))


def test_accuracy_of_one_output():
    model = types.Model(None, lambda params, x: x)
    batch = types.Batch(jnp.array([[-1.0], [2.0], [3.0]]), jnp.array([0, 1, 0]), 1.0)
    batch = batch._replace(mask=jnp.ones(3))
    assert float(losses.accuracy(model, (), batch)) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("outputs", "label"), [(3, -1), (3, 3), (1, 2), (1, -1)])
def test_a_label_that_no_output_stands_for(outputs, label):
    """Outside jit it is refused; inside, loss and gradient are NaN: never a class."""
    logits, y = jnp.ones((2, outputs)), jnp.array([0, label])
    with pytest.raises(errors.InputError, match=f"^y: holds {label} at record 1; acc"):
        losses.cross_entropy(logits, y)
    got = jax.jit(losses.cross_entropy)(logits, y)
    np.testing.assert_array_equal(np.isnan(got), [False, True])
    gradient = jax.jit(jax.grad(lambda a, y: losses.cross_entropy(a, y).sum()))
    bad = np.isnan(gradient(logits, y))
    assert bad[1].all() and not bad[0].any()


def test_labels_from_one_on_are_told_the_cure():
    with pytest.raises(errors.InputError, match="labels from 1 on become such by y - "):
        losses.cross_entropy(jnp.zeros((3, 3)), jnp.array([1, 2, 3]))


def test_cross_entropy_refuses_other_ranks():
    with pytest.raises(AssertionError):
        losses.cross_entropy(jnp.zeros(3), jnp.array(0))


@pytest.mark.parametrize(
    ("values", "mask", "want"),
    [
        ([1.0, 2.0, 6.0], [1, 1, 1], 3),
        ([1.0, 2.0, 6.0], [1, 0, 1], 3.5),
        ([1.0, 2.0, 6.0], [0, 1, 0], 2),
        ([1.0, 2.0, 6.0], [0, 0, 0], 0),
    ],
)
def test_masked_mean_by_hand(values, mask, want):
    got = losses.masked_mean(jnp.array(values), jnp.array(mask, jnp.float32))
    assert float(got) == pytest.approx(want)


@pytest.mark.parametrize(
    ("mask", "want"),
    [([1, 1, 1, 1], 0.75), ([1, 1, 0, 1], 1), ([0, 0, 1, 1], 0.5), ([0] * 4, 0)],
)
def test_accuracy_by_hand(mask, want):
    model = types.Model(lambda key: None, lambda params, x: x)
    logits = jnp.array([[2.0, 1, 0], [0, 0, 1], [3, 2, 1], [-3, -2, -1]])
    batch = types.Batch(logits, jnp.array([0, 2, 1, 2]), jnp.array(mask, jnp.float32))
    assert float(losses.accuracy(model, None, batch)) == pytest.approx(want)


def passing_through(widths):
    """A model that puts out its input and writes down how many it is given at once."""

    def apply(params, x):
        widths.append(len(x))
        return x

    return types.Model(lambda key: None, apply)


@pytest.mark.parametrize(
    ("count", "at_once", "width"),
    [(12, 12, 12), (12, 100, 12), (12, 5, 4), (12, 4, 4), (11, 4, 4), (7, 6, 4)],
)
@pytest.mark.parametrize("masked", [False, True])
def test_accuracy_in_chunks_is_that_of_all_at_once(count, at_once, width, masked):
    rng = np.random.default_rng(count)
    # Filling up chunks with zeros would be right on label 0, if it counted.
    x, y = rng.normal(size=(count, 3)), rng.integers(0, 2, count)
    mask = rng.integers(0, 2, count) if masked else np.ones(count)
    batch = types.Batch(*map(jnp.asarray, (x, y, mask.astype(np.float32))))
    right = x.argmax(axis=1) == y
    widths = []
    got = losses.accuracy(passing_through(widths), None, batch, at_once=at_once)
    assert float(got) == pytest.approx(right[mask > 0].mean())
    assert set(widths) == {width}
    assert 0 < right[mask > 0].mean() < 1


def test_accuracy_of_nothing_is_0_in_chunks_too():
    batch = types.Batch(jnp.ones((5, 3)), jnp.zeros(5, int), jnp.zeros(5))
    got = losses.accuracy(passing_through([]), None, batch, at_once=2)
    assert float(got) == 0


@pytest.mark.parametrize("at_once", [3, 100])
def test_classifiers_in_one_pass_have_the_accuracy_of_each(at_once):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(11, 3)), rng.integers(0, 3, 11)
    batch = types.Batch(*map(jnp.asarray, (x, y, np.float32(y != 1))))
    whole = passing_through([])
    fewer = types.Model(whole.init, lambda params, x: x[:, :2])
    got = losses.accuracies([whole, fewer], None, batch, at_once=at_once)
    kept = y != 1
    want = [(x[:, :n].argmax(axis=1) == y)[kept].mean() for n in (3, 2)]
    np.testing.assert_allclose(got, want, rtol=1e-6)
    assert want[0] != want[1]


def test_label_smoothing_by_hand():
    # -log p of (1, 2, 5) / 8 is log 8, log 4, log 1.6; their mean is log(51.2) / 3.
    logits = jnp.log(jnp.array([[1.0, 2.0, 5.0]] * 2))
    y = jnp.array([0, 2])
    got = losses.smoothed(0.3)(logits, y)
    want = 0.7 * np.log([8, 1.6]) + 0.3 * np.log(51.2) / 3
    np.testing.assert_allclose(got, want, rtol=1e-6)
    none = losses.smoothed(0.0)(logits, y)
    np.testing.assert_array_equal(none, losses.cross_entropy(logits, y))


def test_label_smoothing_of_one_output_is_that_of_two():
    z, y = jnp.array([-2.0, 0.3, 4.0]), jnp.array([0, 1, 0])
    two = jnp.stack([jnp.zeros_like(z), z], axis=1)
    smoothed = losses.smoothed(0.2)
    got, want = smoothed(z[:, None], y), smoothed(two, y)
    np.testing.assert_allclose(got, want, rtol=1e-6)


def test_label_smoothing_out_of_range_is_refused():
    with pytest.raises(errors.InputError, match="label_smoothing=1"):
        losses.smoothed(1.0)
