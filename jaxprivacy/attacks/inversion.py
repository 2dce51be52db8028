"""Model inversion: ascend the target class's probability in the input.

Fredrikson, Jha, Ristenpart 2015, "Model inversion attacks that exploit confidence
information", Algorithm 1 (PAPERS row A20).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxprivacy import types
from jaxprivacy.training import local


class Setting(NamedTuple):
    """Where the descent starts and how long its steps are."""

    low: float  # starts are uniform noise in [low, high]
    high: float
    rate: float  # length of a step, relative to the square root of the number of pixels


# Black, grey and noise; the source starts from zeros, which are -1 here.
TRIED = tuple(
    Setting(low, high, rate)
    for low, high in ((-1.0, -0.9), (-0.05, 0.05), (-1.0, 1.0))
    for rate in (0.01, 0.03)
)
STEPS = 300


def cost(
    model: types.Model,
    params: types.Params,
    x: jax.Array,
    target_class: int | jax.Array,
) -> jax.Array:
    """-log f_target(x), without the auxiliary term: (B, *D) -> (B,), at least 0.

    The source descends 1 - f_target(x), which rises with it and is 0 to rounding long
    before this is.
    """
    return -jax.nn.log_softmax(model.apply(params, x))[:, target_class]


def invert(
    key: jax.Array,
    model: types.Model,
    params: types.Params,
    target_class: int | jax.Array,
    *,
    shape: tuple[int, ...],
    count: int,
    setting: Setting = TRIED[0],
    steps: int = STEPS,
) -> tuple[jax.Array, jax.Array]:
    """Reconstructs inputs of the target class from a trained model.

    What the attacker sees: the final shared model, white-box.

    Deviations from the source: gradients are scaled to unit L2 norm an image, because
    the probability's gradient vanishes where the model is far from the class; starts
    are noise, so that several reconstructions differ; all steps are taken, none
    denoised.

    Args:
      key: draws the starting images.
      model: the shared model.
      params: its parameters.
      target_class: the class to reconstruct.
      shape: (H, W, C) of an image.
      count: reconstructions B.
      setting: start and rate; may be traced.
      steps: descent steps.

    Returns:
      (B, *shape) in [-1, 1], of all steps the image with the smallest cost, and these
      costs (B,).
    """
    low, high, rate = setting
    start = low + (high - low) * jax.random.uniform(key, (count, *shape))
    axes = tuple(range(1, 1 + len(shape)))
    pixels = math.sqrt(math.prod(shape))

    def total(x):
        costs = cost(model, params, x, target_class)
        return costs.sum(), costs

    def better(x, costs, best, best_cost):
        return jnp.where(jnp.expand_dims(costs < best_cost, axes), x, best)

    def step(carry, _):
        x, best, best_cost = carry
        gradient, costs = jax.grad(total, has_aux=True)(x)
        best = better(x, costs, best, best_cost)
        norm = jnp.sqrt(jnp.sum(gradient**2, axis=axes, keepdims=True))
        moved = x - rate * pixels * gradient / jnp.maximum(norm, 1e-12)
        return (jnp.clip(moved, -1, 1), best, jnp.minimum(costs, best_cost)), None

    carry = (start, start, jnp.full(count, jnp.inf, start.dtype))
    (x, best, best_cost), _ = lax.scan(step, carry, length=steps)
    costs = cost(model, params, x, target_class)
    return better(x, costs, best, best_cost), jnp.minimum(costs, best_cost)


def best_setting(
    key: jax.Array,
    model: types.Model,
    params: types.Params,
    target_class: int | jax.Array,
    *,
    shape: tuple[int, ...],
    count: int = 8,
    steps: int = STEPS,
) -> Setting:
    """Chooses where to start, and the rate, by the attacker's own criterion.

    Args:
      key: draws the starting images.
      model: the shared model.
      params: its parameters.
      target_class: the class to reconstruct.
      shape: (H, W, C) of an image.
      count: reconstructions tried of each of `TRIED`.
      steps: descent steps.

    Returns:
      That of the smallest mean cost, traced.
    """
    each = Setting(*map(jnp.array, zip(*TRIED, strict=True)))

    def mean_cost(setting):
        return invert(
            key,
            model,
            params,
            target_class,
            shape=shape,
            count=count,
            setting=setting,
            steps=steps,
        )[1].mean()

    costs = local.side_by_side(mean_cost, each)
    best = jnp.argmin(jnp.where(jnp.isfinite(costs), costs, jnp.inf))
    return jax.tree.map(lambda a: a[best], each)
