"""Made-up arrays from NumPy: drawing them in JAX would compile each draw."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy.evaluation import neighbours


def normal(seed, *shape, scale=1.0):
    """Draws float32 numbers of mean 0."""
    draws = np.random.default_rng(seed).normal(size=shape)
    return jnp.asarray(scale * draws, jnp.float32)


def params_like(shapes, seed=0, scale=0.5):
    """Fills a tree of shapes: biases too, so that every parameter counts."""
    leaves, tree = jax.tree.flatten(shapes)
    filled = [normal((seed, i), *a.shape, scale=scale) for i, a in enumerate(leaves)]
    return jax.tree.unflatten(tree, filled)


def params_of(model, seed=0, scale=0.5):
    """Made-up parameters of a model, not drawn by its initialiser."""
    return params_like(jax.eval_shape(model.init, jax.random.key(0)), seed, scale)


def near_all(classes, shape):
    """Neighbours that every image (N, *shape) is near to, whatever the class."""
    pixels = np.zeros((classes, int(np.prod(shape))), np.float32)
    unbounded = np.full(classes, np.inf)
    return neighbours.Neighbours(
        pixels, np.arange(classes), unbounded, unbounded, -unbounded
    )
