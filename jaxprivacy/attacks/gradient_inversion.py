"""Gradient inversion: the records of a batch, from the update that they gave.

The attacker is the server. It knows the model, the parameters that it sent out and how
the participant trains, and searches for records whose update is the one it received.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxprivacy import types

Apply = Callable[[types.Params, jax.Array], jax.Array]
Loss = Callable[[jax.Array, jax.Array], jax.Array]  # (output (K,), label) -> ()
# records (B, *D), labels (B,) or their probabilities (B, K) -> a tree like params
Simulate = Callable[[jax.Array, jax.Array], types.Params]

# Where Geiping et al.'s code divides the rate by ten: shares of the steps.
DROPS = (3 / 8, 5 / 8, 7 / 8)
MEMORY = 10  # pairs of steps and gradients that L-BFGS keeps
SEARCH = 20  # most steps of a line search


class Found(NamedTuple):
    """What a search ended with."""

    x: jax.Array  # (B, *D) the records
    y: jax.Array  # (B,) their labels
    cost: jax.Array  # () of the search, by which the best of several starts is chosen


def cross_entropy(output: jax.Array, label: jax.Array) -> jax.Array:
    """Cross-entropy of one record in nats: logits (K,), label () -> ()."""
    return -jax.nn.log_softmax(output)[label]


def expected(loss: Loss, classes: int) -> Loss:
    """The loss of a record whose label is known by its probabilities only.

    For cross-entropy it is the cross-entropy with a soft label.

    Args:
      loss: (output, label) -> ().
      classes: K.

    Returns:
      (output, probabilities (K,)) -> ().
    """
    of_all = jax.vmap(loss, (None, 0))
    return lambda output, p: jnp.dot(p, of_all(output, jnp.arange(classes)))


def update(
    apply: Apply,
    params: types.Params,
    x: jax.Array,
    y: jax.Array,
    *,
    loss: Loss = cross_entropy,
    rate: float = 1.0,
    steps: int = 1,
    batch_size: int | None = None,
) -> types.Params:
    """What a participant uploads after local SGD: its parameters less those received.

    Differentiable in the records. The steps are summed up, not found as a difference
    of parameters, which would cost digits.

    Args:
      apply: (params, x (B, *D)) -> outputs (B, ...), each record's from it alone.
      params: those received.
      x: (B, *D) the participant's records.
      y: (B, ...) what `loss` takes for labels.
      loss: of one record; a step descends its mean over the batch.
      rate: of local SGD.
      steps: S, local steps.
      batch_size: records in a step, a divisor of B: batches are taken in order, from
        the first again when they are used up. None: all.

    Returns:
      A tree like `params`; for one step -rate times the gradient.
    """
    size = len(x) if batch_size is None else batch_size
    if len(x) % size:
        raise ValueError(f"batch_size={size}: accepted are divisors of {len(x)}")
    parts = len(x) // size
    xs, ys = (a.reshape(parts, size, *a.shape[1:]) for a in (x, y))

    def mean_loss(params, x, y):
        return jax.vmap(loss)(apply(params, x), y).mean()

    def step(moved, index):
        local = jax.tree.map(jnp.add, params, moved)
        gradient = jax.grad(mean_loss)(local, xs[index % parts], ys[index % parts])
        return jax.tree.map(lambda m, g: m - rate * g, moved, gradient), None

    moved = jax.tree.map(jnp.zeros_like, params)
    return lax.scan(step, moved, jnp.arange(steps))[0]


def mean_gradient(
    uploaded: types.Params, *, rate: float = 1.0, steps: int = 1
) -> types.Params:
    """The mean of the gradients of the local steps that an update is the sum of."""
    return jax.tree.map(lambda u: -u / (rate * steps), uploaded)


def recover_label(kernel: jax.Array) -> jax.Array:
    """The label of the one record of a gradient.

    The logits' gradient is negative for the label and positive for all others, and the
    columns of the last kernel's gradient are its multiples of one vector: the label's
    column points away from every other.

    Args:
      kernel: (H, K) gradient of the last layer's kernel, from one record.

    Returns:
      () the label.

    Source: Zhao, Mopuri and Bilen, "iDLG: Improved Deep Leakage from Gradients", 2020,
    section 3.
    """
    chex.assert_rank(kernel, 2)
    products = kernel.T @ kernel
    others = products - jnp.diag(jnp.diag(products))
    # For two classes each points away from the other: no inner product tells which.
    return jnp.argmin(others.sum(axis=1))


def recover_labels(
    bias: jax.Array, count: int, probabilities: jax.Array | None = None
) -> jax.Array:
    """The labels of the records of a gradient, each as often as it occurs.

    The gradient of the last bias is, for the mean cross-entropy of B records, the mean
    probability of each class less the share of records that have it. The label with
    the smallest entry is taken, 1 / B is added there, and so on B times.

    Args:
      bias: (K,) gradient of the last layer's bias.
      count: B.
      probabilities: (K,) what the model gives the classes on average, as the attacker
        estimates it. None: all the same.

    Returns:
      (B,) labels, ascending.

    Source: Wainakh et al., "User-Level Label Leakage from Gradients in Federated
    Learning", PoPETs 2022, Algorithm 1, with the bias in the place of the kernel's row
    sums: there one occurrence changes an entry by exactly 1 / B. For one record it is
    iDLG's rule on the sign of the bias' gradient.
    """
    chex.assert_rank(bias, 1)
    if probabilities is None:
        probabilities = jnp.full_like(bias, 1 / len(bias))
    # One record's label is the only negative entry, whatever the probabilities are.
    left = bias if count == 1 else bias - probabilities

    def take(left, _):
        label = jnp.argmin(left)
        return left.at[label].add(1 / count), label

    return jnp.sort(lax.scan(take, left, length=count)[1])


def total_variation(x: jax.Array) -> jax.Array:
    """Mean absolute difference of neighbouring pixels, down and across, added.

    Args:
      x: (B, H, W, C).

    Source: Geiping et al., NeurIPS 2020, section 4, as their code has it.
    """
    chex.assert_rank(x, 4)
    down = jnp.abs(x[:, 1:] - x[:, :-1]).mean()
    return down + jnp.abs(x[:, :, 1:] - x[:, :, :-1]).mean()


def squared_distance(a: types.Params, b: types.Params) -> jax.Array:
    """Squared Euclidean distance of two trees."""
    squares = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), a, b)
    return sum(jax.tree.leaves(squares))


def cosine_distance(a: types.Params, b: types.Params) -> jax.Array:
    """1 less the cosine between two trees, each taken as one vector: () in [0, 2]."""

    def product(a, b):
        return sum(jax.tree.leaves(jax.tree.map(lambda a, b: jnp.sum(a * b), a, b)))

    # A gradient of 0, which a start can have, must not divide by 0.
    lengths = jnp.sqrt(jnp.maximum(product(a, a) * product(b, b), 1e-30))
    return 1 - product(a, b) / lengths


def best(founds: Found) -> Found:
    """The one with the smallest cost of several, stacked; one that diverged is last."""
    cost = jnp.where(jnp.isfinite(founds.cost), founds.cost, jnp.inf)
    return jax.tree.map(lambda a: a[jnp.argmin(cost)], founds)


def dlg(
    key: jax.Array,
    simulate: Simulate,
    observed: types.Params,
    *,
    shape: tuple[int, ...],
    count: int,
    classes: int,
    steps: int = 300,
    restarts: int = 1,
) -> Found:
    """Deep leakage from gradients: the squared distance of gradients, by L-BFGS.

    Records and labels are searched together, a label as the softmax of K numbers. The
    model must be smooth: where the second derivative is 0, as with ReLU, there is
    nothing to descend.

    Deviation from the source: the distance is relative to the squared norm of the
    observed gradient, so that float32 and the line search see the same numbers
    whatever that norm is.

    Args:
      key: draws the starts.
      simulate: (x (B, *D), probabilities (B, K)) -> the gradient these would give.
      observed: the gradient that was uploaded.
      shape: *D.
      count: B.
      classes: K.
      steps: of L-BFGS.
      restarts: searches from different starts, side by side.

    Returns:
      The records with the smallest distance, not cut to any range.

    Source: Zhu, Liu and Han, "Deep Leakage from Gradients", NeurIPS 2019, Algorithm 1.
    """
    zeros = jax.tree.map(jnp.zeros_like, observed)
    scale = 1 / jnp.maximum(squared_distance(observed, zeros), 1e-30)

    def distance(searched):
        x, logits = searched
        made = simulate(x, jax.nn.softmax(logits))
        return scale * squared_distance(made, observed)

    def descend(key):
        key_x, key_y = jax.random.split(key)
        start = (
            jax.random.normal(key_x, (count, *shape)),
            jax.random.normal(key_y, (count, classes)),
        )
        (x, logits), cost = _lbfgs(distance, start, steps)
        return Found(x, logits.argmax(axis=1), cost)

    return best(jax.vmap(descend)(jax.random.split(key, restarts)))


def _lbfgs(cost: Callable, start: Any, steps: int) -> tuple[Any, jax.Array]:
    """Descends by L-BFGS: of all steps what had the smallest cost, and this cost."""
    search = optax.scale_by_zoom_linesearch(SEARCH)
    optimizer = optax.lbfgs(memory_size=MEMORY, linesearch=search)
    both = optax.value_and_grad_from_state(cost)

    def step(carry, _):
        point, state, kept = carry
        value, gradient = both(point, state=state)
        better = value < kept[1]
        kept = jax.tree.map(lambda a, b: jnp.where(better, a, b), (point, value), kept)
        moves, state = optimizer.update(
            gradient, state, point, value=value, grad=gradient, value_fn=cost
        )
        return (optax.apply_updates(point, moves), state, kept), None

    carry = (start, optimizer.init(start), (start, jnp.inf))
    return lax.scan(step, carry, length=steps)[0][2]


def invert_gradients(
    key: jax.Array,
    simulate: Simulate,
    observed: types.Params,
    y: jax.Array,
    *,
    shape: tuple[int, ...],
    low: float = -1.0,
    high: float = 1.0,
    variation: float = 1e-2,
    rate: float = 0.1,
    steps: int = 1000,
    restarts: int = 1,
) -> Found:
    """Inverting gradients: the angle between gradients and total variation, by Adam.

    The gradient's sign alone goes into Adam, whose rate falls to a tenth after 3/8, 5/8
    and 7/8 of the steps; after each step values are cut to their range.

    Args:
      key: draws the starts.
      simulate: (x (B, *D), y (B,)) -> the gradient these would give.
      observed: the gradient that was uploaded.
      y: (B,) labels, as `recover_labels` finds them.
      shape: *D; (H, W, C), or anything where `variation` is 0.
      low: smallest value of a record.
      high: largest.
      variation: weight of the total variation.
      rate: of Adam at the start, in units of the records' values.
      steps: of Adam.
      restarts: searches from different starts, side by side.

    Returns:
      The records that the search with the smallest cost ended with.

    Source: Geiping et al., "Inverting Gradients: How Easy Is It to Break Privacy in
    Federated Learning?", NeurIPS 2020, equation 4.
    """

    def cost(x):
        distance = cosine_distance(simulate(x, y), observed)
        return distance + (variation * total_variation(x) if variation else 0.0)

    drops = {int(share * steps): 0.1 for share in DROPS}
    optimizer = optax.adam(optax.piecewise_constant_schedule(rate, drops))

    def step(carry, _):
        x, state = carry
        moves, state = optimizer.update(jnp.sign(jax.grad(cost)(x)), state)
        return (jnp.clip(x + moves, low, high), state), None

    def descend(key):
        middle, half = (low + high) / 2, (high - low) / 2
        start = middle + half * jax.random.normal(key, (len(y), *shape))
        x = lax.scan(step, (start, optimizer.init(start)), length=steps)[0][0]
        return Found(x, y, cost(x))

    return best(jax.vmap(descend)(jax.random.split(key, restarts)))
