"""A small convolutional network in NNX on scikit-learn's digits, trained and audited.

python examples/nnx_cnn.py
"""

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from sklearn import datasets

import jaxprivacy


class Network(nnx.Module):
    """Two convolutions, dropout, a linear layer."""

    def __init__(self, rngs):
        """Makes the layers."""
        self.first = nnx.Conv(1, 16, (3, 3), rngs=rngs)
        self.second = nnx.Conv(16, 32, (3, 3), strides=2, rngs=rngs)
        self.norm = nnx.LayerNorm(32, rngs=rngs)
        self.dropout = nnx.Dropout(0.2, rngs=rngs)
        self.last = nnx.Linear(4 * 4 * 32, 10, rngs=rngs)

    def __call__(self, x):
        """(B, 8, 8, 1) -> (B, 10) logits."""
        x = nnx.relu(self.first(x))
        x = nnx.relu(self.norm(self.second(x)))
        return self.last(self.dropout(x.reshape(x.shape[0], -1)))


def train(model, x, y, steps):
    """Trains in place, by Adam on all records at once."""
    optimizer = nnx.Optimizer(model, optax.adam(3e-3), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer):
        def loss(model):
            labels = optax.softmax_cross_entropy_with_integer_labels(model(x), y)
            return labels.mean()

        optimizer.update(model, nnx.grad(loss)(model))

    model.train()
    for _ in range(steps):
        step(model, optimizer)


def main(records=200, steps=60, attacks=None, progress=True):
    """Trains, audits and prints the report."""
    digits = datasets.load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    x = (digits.images[order, ..., None] / 8 - 1).astype(np.float32)
    y = digits.target[order]
    model = Network(nnx.Rngs(0))
    train(model, jnp.asarray(x[:records]), y[:records], steps)
    report = jaxprivacy.audit(
        model,
        members=(x[:records], y[:records]),
        non_members=(x[records : 3 * records], y[records : 3 * records]),
        attacks=attacks,
        progress=progress,
    )
    print(report)
    return report


if __name__ == "__main__":
    main()
