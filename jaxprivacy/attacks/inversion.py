"""Model inversion: ascend the target class's probability in the input.

Fredrikson, Jha, Ristenpart 2015, "Model inversion attacks that exploit confidence
information", Algorithm 1 (PAPERS row A20).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from jaxprivacy import types


def cost(model: types.Model, params: types.Params, x: jax.Array, target_class: int):
    """1 - f_target(x), without the auxiliary term: (B, *D) -> (B,)."""
    return 1 - jax.nn.softmax(model.apply(params, x))[:, target_class]


def invert(
    key: jax.Array,
    model: types.Model,
    params: types.Params,
    target_class: int,
    *,
    shape: tuple[int, ...],
    count: int,
    steps: int = 300,
    rate: float = 0.003,
    enough: float = 0.001,
) -> jax.Array:
    """Reconstructs inputs of the target class from a trained model.

    What the attacker sees: the final shared model, white-box.

    Deviations from the source: gradients are scaled to unit L2 norm an image, because
    the probability's gradient vanishes where the model is far from the class; starts
    are uniform noise in [-1, -0.9] (the source starts from zeros, which are -1 here) so
    that several reconstructions differ; no denoising between the steps.

    Args:
      key: draws the starting images.
      model: the shared model.
      params: its parameters.
      target_class: the class to reconstruct.
      shape: (H, W, C) of an image.
      count: reconstructions B.
      steps: descent steps.
      rate: length of a step, relative to the square root of the number of pixels.
      enough: the cost at which an image is left as it is (gamma of the source):
        beyond it, steps only add what raises a probability that is 1 already.

    Returns:
      (B, *shape) in [-1, 1]; of all steps the image with the smallest cost.
    """
    start = jax.random.uniform(key, (count, *shape), minval=-1.0, maxval=-0.9)
    axes = tuple(range(1, 1 + len(shape)))
    pixels = jnp.sqrt(jnp.prod(jnp.array(shape)))

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
        going_on = jnp.expand_dims(costs > enough, axes)
        x = jnp.where(going_on, jnp.clip(moved, -1, 1), x)
        return (x, best, jnp.minimum(costs, best_cost)), None

    carry = (start, start, jnp.full(count, jnp.inf, start.dtype))
    (x, best, best_cost), _ = lax.scan(step, carry, length=steps)
    return better(x, cost(model, params, x, target_class), best, best_cost)
