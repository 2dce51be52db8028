"""The sparse-vector release of clipped or unclipped updates (PAPERS row A4, A-SVT).

Shokri and Shmatikov, "Privacy-Preserving Deep Learning", CCS 2015, Fig. 12; used by
paper A, section 6.4. It is NumericSparse (Dwork and Roth, "The Algorithmic Foundations
of Differential Privacy", 2014, section 3.6, Algorithm 3, delta = 0) with the absolute
values of the bounded parameters of an update as its queries. It is differentially
private for updates that were clipped to gamma before, which the sources do not do.

All functions take flat vectors of n parameters; the caller ravels trees.

What `release` guarantees:
  Provided that |g| <= bound for every parameter of `update`, an upload (values and
  mask) is epsilon-differentially private, with delta = 0. Neighbours are any two
  such updates, so they may differ in anything of the participant's own records,
  all of them included, and nothing is assumed of local training. This holds given
  all that the participant received and sent before, so uploads compose (see
  `account`). Why: the order of the visit does not depend on the update. A bounded
  parameter moves by at most D = 2 gamma. Finding one is AboveThreshold with scales
  2D/e and 4D/e for e = 8/9 epsilon/c; the c of them spend 8/9 epsilon. Its value
  is a Laplace mechanism of scale D/(epsilon/9c); the c of them spend 1/9 epsilon.
  The last bound is post-processing.

  The accounting is the paper's and is not tight: |bound(g)| lies in [0, gamma] and
  moves by at most gamma, so selection spends no more than 4/9 epsilon and an
  upload no more than 5/9 epsilon.

Not guaranteed:
  * Anything about the values where |g| > bound. The listing adds r' to g, not to
    bound(g), so such a value has unbounded sensitivity: at g = +-1000 gamma its
    sign is all but certain. The mask stays private. Who wants the guarantee for
    every update without NaN passes `jnp.clip(update, -bound, bound)`, as
    `dssgd.upload_sparse_vector` does unless it is told not to.
  * Anything, if epsilon, count, threshold or bound were chosen by the records.
  * Anything of use at paper A's budgets: 10 per parameter with c = 105,707 is an
    epsilon of 1.06e6 for each epoch. Class-level information, which the GAN attack
    reconstructs, is protected only as far as the total epsilon is small, and never
    where other participants hold the class too.
  * The ideal mechanism: float32 Laplace samples lie on a grid and within 16 scales
    of 0, so some outputs are possible for one update only (Mironov, "On
    significance of the least significant bits for differential privacy", 2012).
"""

from __future__ import annotations

import numbers
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from jaxprivacy import checks, errors
from jaxprivacy.federated import selection

Scalar = float | jax.Array


class Scales(NamedTuple):
    """Scales of the three Laplace noises, each ()."""

    threshold: Scalar  # of rho, on the threshold
    query: Scalar  # of r, on what is compared with it
    release: Scalar  # of r', on what is released


def noise_scales(epsilon: Scalar, count: Scalar, bound: Scalar) -> Scales:
    """Returns the scales sigma(eps_1), 2 sigma(eps_1) and sigma(eps_2).

    sigma(x) = 2 c 2 gamma / x with eps_1 = 8/9 eps and eps_2 = 2/9 eps (Fig. 12).
    Since sigma(2/9 eps) = 2 gamma / (eps / 9c), a released parameter spends eps / 9c:
    the "1/9" of paper A's text and the "2/9" of the listing are the same mechanism.

    Args:
      epsilon: eps, the budget of one upload; infinity: no noise.
      count: c, the number of parameters that may be released.
      bound: gamma; a bounded parameter moves by at most 2 gamma.
    """

    def sigma(budget):
        return 2 * count * (2 * bound) / budget

    select = sigma(8 / 9 * epsilon)
    return Scales(select, 2 * select, sigma(2 / 9 * epsilon))


def release(
    key: jax.Array,
    update: jax.Array,
    *,
    epsilon: Scalar,
    count: int | jax.Array,
    threshold: Scalar,
    bound: Scalar,
) -> tuple[jax.Array, jax.Array]:
    """Releases up to `count` noisy parameters whose noisy size is above a threshold.

    Parameters g are visited once each, in random order. One is released if
    |bound(g)| + r >= tau + rho; rho is drawn anew after each release, r for each
    parameter. What is released is bound(g + r'). It ends with the c-th release or with
    the last parameter, whichever comes first. With infinite `epsilon` this is the
    random selection above the threshold (row A3). A NaN is never released.

    An upload is epsilon-differentially private provided that |g| <= bound; the head of
    this module says why, and what is not guaranteed.

    Args:
      key: of all draws.
      update: (n,), g.
      epsilon: the budget of this upload, above 0; epsilon per parameter times c.
      count: c, at least 1.
      threshold: tau.
      bound: gamma, above 0; clips to [-gamma, gamma].

    Returns:
      values: (n,), 0 where nothing is released.
      mask: (n,) bool, True where a parameter is released.

    Raises:
      ValueError: a number (not a traced one) is out of its range.
    """
    chex.assert_rank(update, 1)
    _check(epsilon, count, bound)
    size = update.shape[0]
    drawn = _draw(key, size, noise_scales(epsilon, count, bound), update.dtype)
    queries = jnp.abs(jnp.clip(update, -bound, bound)) + drawn.query
    passed = _visit(queries[drawn.order], threshold + drawn.threshold, count)
    mask = jnp.zeros(size, bool).at[drawn.order].set(passed, unique_indices=True)
    released = jnp.clip(update + drawn.release, -bound, bound)
    return jnp.where(mask, released, 0), mask


class _Draws(NamedTuple):
    order: jax.Array  # (n,) of the visit
    threshold: jax.Array  # (n + 1,) rho, of the first search and behind each position
    query: jax.Array  # (n,) r
    release: jax.Array  # (n,) r'


def _draw(key, size, scales, dtype):
    """Draws everything in advance: the same distribution as drawing at need.

    All draws are independent of each other and of the update, and each is used at most
    once: r and r' belong to one parameter, which is visited once; rho to the start of a
    search, and at most one search starts behind each position of the visit.
    """
    key_order, key_threshold, key_query, key_release = jax.random.split(key, 4)

    def noise(key, size, scale):
        return scale * jax.random.laplace(key, (size,), dtype)

    return _Draws(
        jax.random.permutation(key_order, size),
        noise(key_threshold, size + 1, scales.threshold),
        noise(key_query, size, scales.query),
        noise(key_release, size, scales.release),
    )


def _visit(queries, thresholds, count):
    """Marks the positions that pass: (n,) bool.

    A plain `scan`, because it is not what costs: on a CPU it takes 1 ms for
    n = 105,707, and drawing the order of the visit 16 to 45 ms.

    Args:
      queries: (n,) noisy absolute values, in the order of the visit.
      thresholds: (n + 1,) noisy thresholds: the first, and the one that takes over if
        position i passes.
      count: the number of releases that ends the visit.
    """

    def step(carry, position):
        threshold, released = carry
        query, following = position
        passed = (query >= threshold) & (released < count)
        return (jnp.where(passed, following, threshold), released + passed), passed

    start = thresholds[0], jnp.int32(0)
    return lax.scan(step, start, (queries, thresholds[1:]))[1]


def _check(epsilon, count, bound):
    """Refuses numbers out of range; traced ones cannot be looked at."""
    if isinstance(epsilon, numbers.Real):
        _check_budget("epsilon", epsilon)
    if isinstance(count, numbers.Real):
        checks.positive_integer("count", count)
    if isinstance(bound, numbers.Real):
        checks.positive("bound", bound)


def _check_budget(name, value):
    if not value > 0:
        raise errors.InputError(name, value, "are numbers above 0 and infinity")


class Accounting(NamedTuple):
    """What a participant's uploads spend, if they were clipped first: pure epsilon."""

    epsilon_per_parameter: float
    parameters: int  # n, of the model
    uploaded: int  # c, at most so many of them in an upload
    epsilon_per_upload: float
    uploads: int  # of one participant
    epsilon_total: float


def account(
    epsilon_per_parameter: float, parameters: int, upload_fraction: float, uploads: int
) -> Accounting:
    """Adds up what one participant's uploads by `release` spend.

    Pure epsilon and basic composition: c times the budget per parameter for an upload,
    and the sum over uploads. `release` says when this bounds the participant's loss;
    it is charged in full also where fewer than c parameters were released.

    Args:
      epsilon_per_parameter: epsilon / c, above 0; infinity: no noise.
      parameters: n.
      upload_fraction: theta_u, in (0, 1].
      uploads: how many.

    Raises:
      ValueError: an argument is out of its range.
    """
    _check_budget("epsilon_per_parameter", epsilon_per_parameter)
    parameters = checks.positive_integer("parameters", parameters)
    uploads = checks.positive_integer("uploads", uploads)
    fraction = checks.fraction("upload_fraction", upload_fraction)
    uploaded = selection.count_of(fraction, parameters)
    per_upload = float(epsilon_per_parameter) * uploaded
    return Accounting(
        epsilon_per_parameter=float(epsilon_per_parameter),
        parameters=parameters,
        uploaded=uploaded,
        epsilon_per_upload=per_upload,
        uploads=uploads,
        epsilon_total=per_upload * uploads,
    )
