"""Model inversion finds what a softmax regression takes for the target class."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import types
from jaxprivacy.attacks import inversion
from tests import arrays

SHAPE = (3, 2, 1)
MODEL = types.Model(lambda key: None, lambda w, x: x.reshape(len(x), -1) @ w)
WEIGHTS = arrays.normal(0, 6, 4, scale=3)


def test_cost_by_hand():
    model = types.Model(lambda key: None, lambda params, x: jnp.log(x))
    x = jnp.array([[1.0, 1.0, 2.0], [1.0, 3.0, 4.0]])
    for target, want in ((0, [1 / 4, 1 / 8]), (2, [1 / 2, 1 / 2])):
        got = inversion.cost(model, None, x, target)
        np.testing.assert_allclose(got, -np.log(want), rtol=1e-6)


@functools.partial(jax.jit, static_argnames="steps")
def invert(target, steps):
    return inversion.invert(
        jax.random.key(1),
        MODEL,
        WEIGHTS,
        target,
        shape=SHAPE,
        count=5,
        steps=steps,
        setting=inversion.Setting(-1.0, -0.9, 0.1),
    )[0]


@pytest.mark.parametrize("target", [0, 3])
def test_the_target_class_is_reached(target):
    start = invert(target, steps=0)
    images = invert(target, steps=50)
    assert images.shape == (5, *SHAPE)
    assert start.min() >= -1
    assert start.max() <= -0.9
    assert np.abs(images).max() <= 1
    cost = jax.jit(lambda x: inversion.cost(MODEL, WEIGHTS, x, target))
    before, after = np.exp(-cost(start)), np.exp(-cost(images))
    assert (after > before).all()
    assert (after > 0.99).all()
    # The reconstructions start, and stay, apart.
    assert (images[0] != images[1]).any()


def test_a_step_goes_down_the_gradient_by_the_rate():
    start = np.asarray(invert(2, steps=0)).reshape(5, 6)
    got = invert(2, steps=1).reshape(5, 6)
    # d p_2 / d logits = p_2 (e_2 - p); the logits are x W.
    p = np.asarray(jax.nn.softmax(start @ WEIGHTS))
    gradient = p[:, 2:3] * ((np.eye(4)[2] - p) @ np.asarray(WEIGHTS).T)
    unit = gradient / np.linalg.norm(gradient, axis=1, keepdims=True)
    want = np.clip(start + 0.1 * np.sqrt(6) * unit, -1, 1)
    assert np.mean(want > -1) > 0.3
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_the_best_setting_is_that_of_the_smallest_mean_cost():
    def mean_cost(setting):
        return inversion.invert(
            jax.random.key(3),
            MODEL,
            WEIGHTS,
            1,
            shape=SHAPE,
            count=4,
            steps=3,
            setting=setting,
        )[1].mean()

    costs = [float(jax.jit(mean_cost)(setting)) for setting in inversion.TRIED]
    found = jax.jit(
        lambda: inversion.best_setting(
            jax.random.key(3), MODEL, WEIGHTS, 1, shape=SHAPE, count=4, steps=3
        )
    )()
    np.testing.assert_allclose(found, inversion.TRIED[np.argmin(costs)], rtol=1e-6)
    assert len(set(costs)) > 2


def test_the_best_image_of_all_steps_is_kept():
    """A rate that always jumps over the peak at -0.65 leaves the closest image seen."""
    peak = types.Model(
        lambda key: None,
        lambda params, x: jnp.stack(
            [-50 * ((x + 0.65) ** 2).sum((1, 2, 3)), jnp.zeros(len(x))], axis=1
        ),
    )

    def run(steps):
        return inversion.invert(
            jax.random.key(0),
            peak,
            None,
            0,
            shape=(1, 1, 1),
            count=2,
            steps=steps,
            setting=inversion.Setting(-1.0, -0.9, 0.4),
        )

    @jax.jit
    def runs():
        images = [run(steps)[0] for steps in range(4)]
        return images, [inversion.cost(peak, None, x, 0) for x in images]

    images, costs = runs()
    # From about -0.95 to -0.55, then back, and so on: the first step was the best.
    assert (costs[1] < costs[0]).all()
    np.testing.assert_array_equal(images[2], images[1])
    np.testing.assert_array_equal(images[3], images[1])
