"""A Linen transformer that reads sequences of tokens, trained here and audited.

    python examples/linen_transformer.py

The sequences are made up: a label follows from how often two tokens stand side by
side, with a fifth of the labels wrong, which the model learns by heart.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxprivacy

TOKENS, LENGTH, CLASSES = 12, 16, 2


class Transformer(nn.Module):
    """One block of attention over embedded tokens, then a mean over the positions."""

    width: int = 32

    @nn.compact
    def __call__(self, tokens, *, train: bool):
        """(B, LENGTH) integers -> (B, CLASSES) logits."""
        positions = self.param(
            "positions", nn.initializers.normal(0.1), (LENGTH, self.width)
        )
        x = nn.Embed(TOKENS, self.width)(tokens) + positions
        y = nn.MultiHeadDotProductAttention(num_heads=4)(nn.LayerNorm()(x))
        x = x + nn.Dropout(0.1, deterministic=not train)(y)
        x = x + nn.Dense(self.width)(nn.gelu(nn.Dense(64)(nn.LayerNorm()(x))))
        return nn.Dense(CLASSES)(x.mean(axis=1))


def sequences(count, seed=0):
    """Draws token sequences (count, LENGTH) and labels (count,)."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, TOKENS, (count, LENGTH))
    pairs = ((x[:, :-1] < 4) & (x[:, 1:] >= 8)).sum(axis=1)
    y = (pairs > np.median(pairs)).astype(np.int32)
    return x, np.where(rng.random(count) < 0.2, 1 - y, y)


def train(model, x, y, epochs):
    """Trains by Adam on all records at once; returns the variables."""
    key = jax.random.key(0)
    variables = model.init(key, x[:1], train=False)
    optimizer = optax.adam(3e-3)

    @jax.jit
    def step(carry, key):
        variables, state = carry

        def loss(variables):
            logits = model.apply(variables, x, train=True, rngs={"dropout": key})
            labels = optax.softmax_cross_entropy_with_integer_labels(logits, y)
            return labels.mean()

        updates, state = optimizer.update(jax.grad(loss)(variables), state)
        return (optax.apply_updates(variables, updates), state), None

    carry = variables, optimizer.init(variables)
    return jax.lax.scan(step, carry, jax.random.split(key, epochs))[0][0]


def main(records=200, epochs=150, attacks=None, progress=True):
    """Trains, audits and prints the report."""
    x, y = sequences(3 * records)
    model = Transformer()
    variables = train(model, jnp.asarray(x[:records]), y[:records], epochs)
    report = jaxprivacy.audit(
        jaxprivacy.linen(model, variables, train=False),
        members=(x[:records], y[:records]),
        non_members=(x[records:], y[records:]),
        attacks=attacks,
        progress=progress,
    )
    print(report)
    return report


if __name__ == "__main__":
    main()
