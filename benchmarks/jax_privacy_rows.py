"""A step of DP-SGD beside jax_privacy: the same model, batch, clipping norm and noise.

Both are one jitted JAX program. Theirs keeps each record's gradient, of all records at
once or of some at a time, whichever is asked for; noise is added by their privatizer.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import jaxprivacy
from benchmarks import private_rows
from benchmarks.measure import Pair, Row, compiled
from jaxprivacy import types
from jaxprivacy.training import losses

MICROBATCH = 32
TOKENS, LENGTH, WIDTH, HEADS, BLOCKS, CLASSES = 256, 64, 128, 4, 2, 10
# Its wheel holds top-level packages `tests` and `docs`, which hide others' of the name.
NEEDS = {"jax_privacy": "pip install jax-privacy==2.0.0, in an environment of its own"}


class Transformer(nn.Module):
    """An encoder of token sequences, its mean classified."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, L) tokens -> (B, K) logits."""
        h = nn.Embed(TOKENS, WIDTH)(x)
        h = h + self.param("positions", nn.initializers.normal(0.02), (LENGTH, WIDTH))
        for _ in range(BLOCKS):
            h = h + nn.MultiHeadDotProductAttention(HEADS)(nn.LayerNorm()(h))
            wide = nn.gelu(nn.Dense(4 * WIDTH)(nn.LayerNorm()(h)))
            h = h + nn.Dense(WIDTH)(wide)
        return nn.Dense(CLASSES)(nn.LayerNorm()(h).mean(axis=1))


def transformer() -> tuple[types.Model, types.Params, types.Batch]:
    """A small encoder, of 0.4 million parameters."""
    draw, records = np.random.default_rng(0), private_rows.RECORDS
    x = draw.integers(0, TOKENS, (records, LENGTH)).astype(np.int32)
    y = draw.integers(0, CLASSES, records).astype(np.int32)
    module = Transformer()
    model = types.Model(
        lambda key: module.init(key, jnp.zeros((1, LENGTH), jnp.int32))["params"],
        lambda params, x: module.apply({"params": params}, x),
    )
    batch = types.Batch(x, y, np.ones(records, np.float32))
    return model, jax.jit(model.init)(jax.random.key(0)), batch


def clipped(model: types.Model, microbatch: int | None, divisor: float = 1.0):
    """The sum of clipped gradients by jax_privacy: (params, x, y) -> like params."""
    import jax_privacy

    def loss(params, x, y):
        return losses.cross_entropy(model.apply(params, x), y)[0]

    return jax_privacy.clipped_grad(
        loss,
        l2_clip_norm=private_rows.MAX_NORM,
        normalize_by=divisor,
        batch_argnums=(1, 2),
        microbatch_size=microbatch,
    )


def theirs(
    model: types.Model,
    params: types.Params,
    batch: types.Batch,
    microbatch: int | None,
    noise: float = private_rows.NOISE,
):
    """A step of DP-SGD by jax_privacy, jitted."""
    import jax_privacy

    gradient = clipped(model, microbatch, float(len(batch.y)))
    deviation = noise * private_rows.MAX_NORM / len(batch.y)

    def step(key, params, batch):
        found = gradient(params, batch.x, batch.y)
        privatizer = jax_privacy.noise_addition.gaussian_privatizer(
            stddev=deviation, prng_key=key
        )
        noised, _ = privatizer.update(found, privatizer.init(params))
        return jax.tree.map(lambda p, g: p - private_rows.RATE * g, params, noised)

    return compiled(step, jax.random.key(1), params, batch)


def _beside(ours: Callable, peer: Callable, what: str, microbatch: int | None) -> Pair:
    at_once = f"{microbatch} at a time" if microbatch else "all at once"
    return Pair(
        ours,
        peer,
        f"jax_privacy {importlib.metadata.version('jax-privacy')}",
        f"{what} of {private_rows.RECORDS} records, theirs {at_once}",
    )


def versus(work_of: Callable, microbatch: int | None) -> Pair:
    """A step of DP-SGD on a network, noise included, beside theirs."""
    model, params, batch = work_of()
    return _beside(
        lambda: private_rows.ours(model, params, batch),
        lambda: theirs(model, params, batch, microbatch),
        "one step of DP-SGD, noise included,",
        microbatch,
    )


def versus_clipping(work_of: Callable) -> Pair:
    """The sum of clipped gradients alone."""
    model, params, batch = work_of()
    norm = private_rows.MAX_NORM

    def ours(params, x, y):
        return jaxprivacy.clipped_gradient(model.apply, params, x, y, max_norm=norm)

    return _beside(
        lambda: compiled(ours, params, batch.x, batch.y),
        lambda: compiled(clipped(model, None), params, batch.x, batch.y),
        "the sum of clipped gradients",
        None,
    )


WORK = {"mlp": private_rows.mlp, "cnn": private_rows.cnn, "transformer": transformer}
ROWS = (
    *(
        Row(
            f"dp_sgd_{name}_vs_jax_privacy{'_microbatches' if microbatch else ''}",
            2 if name == "mlp" else 1,
            functools.partial(versus, work_of, microbatch),
            private_rows.NOISE_LIMIT if name == "mlp" else "",
            NEEDS,
        )
        for name, work_of in WORK.items()
        for microbatch in (None, MICROBATCH)
    ),
    *(
        Row(
            f"clipping_{name}_vs_jax_privacy",
            None,
            functools.partial(versus_clipping, work_of),
            needs=NEEDS,
        )
        for name, work_of in WORK.items()
    ),
)
