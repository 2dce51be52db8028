"""Records read off the gradient of a dense layer, without any search.

A neuron's gradients by its weights and by its bias are sum_n d_n x_n and sum_n d_n: of
a neuron that one record alone activates, their ratio is that record.
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
from jax import lax

from jaxprivacy import types
from jaxprivacy.attacks.gradient_inversion import Apply

LEAST = 1e-6  # of a bias' gradient, relative to the largest: below, it is rounding


class Trap(NamedTuple):
    """A layer that a malicious server puts before a model."""

    kernel: jax.Array  # (D, M) the same functional for each of M bins
    bias: jax.Array  # (M,) the ends of the bins, ascending, with a minus
    out: jax.Array  # (M, D) the same for each bin: what it adds to the record


def ratios(kernel: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array]:
    """What each neuron says a record is.

    Args:
      kernel: (D, H) gradient of a dense layer's kernel.
      bias: (H,) gradient of its bias.

    Returns:
      (H, D) ratios, 0 where the bias' gradient is rounding, and (H,) whether it is not.

    Source: Phong et al., "Privacy-Preserving Deep Learning via Additively Homomorphic
    Encryption", IEEE TIFS 2018, section III; Geiping et al., NeurIPS 2020, Proposition
    3.1.
    """
    chex.assert_rank([kernel, bias], [2, 1])
    usable = jnp.abs(bias) > LEAST * jnp.abs(bias).max()
    return jnp.where(usable, kernel / jnp.where(usable, bias, 1.0), 0.0).T, usable


def recover_dense_inputs(
    kernel: jax.Array, bias: jax.Array, count: int, tolerance: float = 1e-3
) -> tuple[jax.Array, jax.Array]:
    """The inputs of a model's first dense layer, from its gradients.

    Exact for one record. Of a batch, a neuron that one record alone activates gives
    that record, others a mixture. Different neurons give the same vector only for a
    record, so the vectors that most neurons agree on come first; those that are as good
    as one that was taken are passed over.

    Args:
      kernel: (D, H) gradient of the layer's kernel.
      bias: (H,) gradient of its bias.
      count: B records.
      tolerance: up to which root mean square two vectors are the same one.

    Returns:
      (B, D) records, and (B,) how many neurons say so: of one neuron's vector nothing
      shows that it is a record and no mixture, and 0 stands for no vector.

    Source: as `ratios`; neurons that single records pass: Boenisch et al., "When the
    Curious Abandon Honesty: Federated Learning Is Not Private", EuroS&P 2023. That
    neurons agree is asked for by this project alone.
    """
    vectors, usable = ratios(kernel, bias)

    def same_as(vector):
        return usable & (jnp.mean((vectors - vector) ** 2, axis=1) <= tolerance**2)

    agree = lax.map(lambda v: same_as(v).sum(), vectors)
    # Among those with as many, the neuron with the largest gradient has most digits.
    order = agree + 0.5 * jnp.abs(bias) / jnp.maximum(jnp.abs(bias).max(), 1e-30)

    def take(left, _):
        index = jnp.argmax(jnp.where(left, order, -1.0))
        found = jnp.where(left[index], vectors[index], 0.0)
        return left & ~same_as(found), (found, jnp.where(left[index], agree[index], 0))

    return lax.scan(take, usable, length=count)[1]


def trap(key: jax.Array, public: jax.Array, bins: int) -> Trap:
    """Sets a trap: a linear functional of the record, cut at its quantiles.

    Args:
      key: draws the functional and what the bins add.
      public: (N, D) records of the same distribution, whose quantiles are taken.
      bins: M; with many more than records in a batch, most records have a bin alone.

    Source: Fowl et al., "Robbing the Fed: Directly Obtaining Private Data in Federated
    Learning with Modified Models", ICLR 2022, section 3.
    """
    chex.assert_rank(public, 2)
    key_functional, key_out = jax.random.split(key)
    size = public.shape[1]
    functional = jax.random.normal(key_functional, (size,)) / jnp.sqrt(size)
    ends = jnp.quantile(public @ functional, jnp.arange(bins) / bins)
    # Below the lowest public record lies room for lower ones.
    ends = ends.at[0].set(2 * ends[0] - ends[-1])
    added = jax.random.normal(key_out, (size,)) / bins
    return Trap(
        jnp.tile(functional[:, None], (1, bins)), -ends, jnp.tile(added, (bins, 1))
    )


def trapped(apply: Apply) -> Apply:
    """A model with a trap before it: ({"trap": Trap, "model": params}, x) -> outputs.

    A bin is active for all records above its end, and adds the same vector to them.
    """

    def both(params: types.Params, x: jax.Array) -> jax.Array:
        layer = params["trap"]
        flat = x.reshape(len(x), -1)
        added = jax.nn.relu(flat @ layer.kernel + layer.bias) @ layer.out
        return apply(params["model"], x + added.reshape(x.shape))

    return both


def recover_trapped(gradient: Trap, count: int) -> tuple[jax.Array, jax.Array]:
    """The records that fell into bins of their own.

    As every bin passes the same gradient back, what a bin and the next one say differs
    by the records between their ends: for one record, the ratio is the record.

    Args:
      gradient: of the mean loss by the trap.
      count: B.

    Returns:
      (B, D) the records of the B bins with the largest bias' gradient, 0 for bins
      without records, and (B,) that gradient, relative to the largest.

    Source: Fowl et al., ICLR 2022, section 3.
    """
    # The last bin has no next one.
    kernel = jnp.diff(gradient.kernel, axis=1, append=0.0)
    bias = jnp.diff(gradient.bias, append=0.0)
    vectors, usable = ratios(kernel, bias)
    size = jnp.where(usable, jnp.abs(bias), 0.0)
    values, index = lax.top_k(size, count)
    kept = jnp.where(values[:, None] > 0, vectors[index], 0.0)
    return kept, values / jnp.maximum(size.max(), 1e-30)
