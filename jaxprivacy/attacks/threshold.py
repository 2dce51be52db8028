"""The simplest attacks: one number of a record, higher where it is a member."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxprivacy.attacks.features import Features

NEWTON_STEPS = 25
RIDGE = 1e-3  # of the slope; without it that of separable records is infinite
LEAST_SLOPE = 0.01  # keeps the rule's order where the records do not speak for it


class Anchor(NamedTuple):
    """A simple rule as a logit of membership: one of R rules, scaled and shifted."""

    slopes: jax.Array  # (R,), positive for the rule that is taken, else 0
    intercept: jax.Array  # ()


def loss_threshold(features: Features) -> jax.Array:
    """Scores records by minus their loss at the last snapshot: (N,).

    Yeom et al. 2018, "Privacy risk in machine learning", section 3: membership is
    predicted where the loss is below a threshold; the evaluation sets the threshold on
    the selection records.
    """
    return -features.loss[-1, :, 0]


def confidence(features: Features) -> jax.Array:
    """Scores records by the log-odds of their class at the last snapshot: (N,).

    In exact arithmetic this ranks as the loss does. In float32 a small loss has few
    digits and ties at 0; the log-odds have all of theirs.
    """
    return features.statistics.confidence[-1, :, 0]


def gradient_norm(features: Features) -> jax.Array:
    """Scores records by minus their gradient's norm at the last snapshot: (N,)."""
    return -features.norm[-1]


def anchor(members: jax.Array, non_members: jax.Array) -> Anchor:
    """Takes the best of some rules and fits the logit of membership to it.

    The best is the one with the largest AUC among these records. Its logistic
    regression, in which the two kinds weigh the same, keeps the rule's direction: that
    members score higher is known beforehand, and not learned from few records.

    Args:
      members: values of R rules, standardised, of records known to be members, (M, R).
      non_members: likewise (N, R).
    """
    best = jnp.argmax(jax.vmap(auc, in_axes=1)(members, non_members))
    slope, intercept = _logistic(members[:, best], non_members[:, best])
    slopes = jnp.where(jnp.arange(members.shape[1]) == best, slope, 0.0)
    return Anchor(slopes, intercept)


def auc(members: jax.Array, non_members: jax.Array) -> jax.Array:
    """The share of pairs of a member and a non-member in order, ties half: ().

    What `evaluation.membership.auc` reports, inside a program, to choose an epoch by.
    """
    below = jnp.searchsorted(jnp.sort(non_members), members, side="left")
    up_to = jnp.searchsorted(jnp.sort(non_members), members, side="right")
    return jnp.mean(below + up_to) / (2 * len(non_members))


def _logistic(members, non_members):
    """Slope, positive, and intercept of a logistic regression, by Newton's method."""
    values = jnp.concatenate([members, non_members])
    target = jnp.arange(len(values)) < len(members)
    weight = jnp.where(target, 0.5 / len(members), 0.5 / len(non_members))
    design = jnp.stack([values, jnp.ones_like(values)], axis=1)
    ridge = jnp.array([RIDGE, 0.0])

    def step(_, coefficients):
        p = jax.nn.sigmoid(design @ coefficients)
        gradient = design.T @ (weight * (p - target)) + ridge * coefficients
        curvature = design.T @ (design * (weight * p * (1 - p) + 1e-6)[:, None])
        found = coefficients - jnp.linalg.solve(curvature + jnp.diag(ridge), gradient)
        return found.at[0].max(LEAST_SLOPE)

    return lax.fori_loop(0, NEWTON_STEPS, step, jnp.zeros(2))
