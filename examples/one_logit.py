"""A bare function with one logit on a table, and how it is trained; audited.

    python examples/one_logit.py

Because the audit is told how the model is trained, it trains eight more like it, and
attacks with LiRA, RMIA and others that compare the model with these.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn import datasets

import jaxprivacy


def logit(params, x):
    """(B, F) -> (B, 1): the log-odds of label 1, from random features."""
    hidden = jnp.tanh(x @ params["in"] + params["shift"])
    return hidden @ params["out"] + params["bias"]


def train(key, records, mask, steps=300, width=256):
    """Trains by Adam on all records at once; returns the parameters."""
    x, y = records
    keys = jax.random.split(key)
    params = {
        "in": jax.random.normal(keys[0], (x.shape[1], width)) / x.shape[1] ** 0.5,
        "shift": jnp.zeros(width),
        "out": jax.random.normal(keys[1], (width, 1)) / width**0.5,
        "bias": jnp.zeros(1),
    }
    optimizer = optax.adam(1e-2)

    def loss(params):
        each = optax.sigmoid_binary_cross_entropy(logit(params, x)[:, 0], y)
        return (each * mask).sum() / mask.sum()

    def step(carry, _):
        params, state = carry
        updates, state = optimizer.update(jax.grad(loss)(params), state)
        return (optax.apply_updates(params, updates), state), None

    carry = params, optimizer.init(params)
    return jax.lax.scan(step, carry, length=steps)[0][0]


def main(records=150, attacks=None, references=8, progress=True):
    """Trains, audits and prints the report."""
    table = datasets.load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(table.target))
    x = table.data[order]
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    y = table.target[order]
    members = x[:records], y[:records]
    params = jax.jit(train)(jax.random.key(0), members, jnp.ones(records))
    report = jaxprivacy.audit(
        logit,
        params,
        members=members,
        non_members=(x[records:], y[records:]),
        train=train,
        references=references,
        attacks=attacks,
        progress=progress,
    )
    print(report)
    return report


if __name__ == "__main__":
    main()
