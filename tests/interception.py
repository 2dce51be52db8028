"""A twin of the capture for Linen: layers are met where a model calls them.

Independent of the jaxpr: `flax.linen.intercept_methods` meets every Dense and Conv.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxprivacy.training import losses


def call(apply, params, x, transform):
    """Runs a model with each layer's output sent through `transform`."""

    def intercept(following, args, kwargs, context):
        out = following(*args, **kwargs)
        module = context.module
        if context.method_name != "__call__" or not isinstance(
            module, nn.Dense | nn.Conv
        ):
            return out
        h = args[0] if args else kwargs["inputs"]
        return transform("/".join(module.path), module, h, out)

    with nn.intercept_methods(intercept):
        return apply(params, x)


def capture(apply, params, x, y):
    """Logits, losses, and by path the modules, inputs and deltas of all layers."""
    modules, zeros = {}, {}

    def record(path, module, h, out):
        strides = module.strides if isinstance(module, nn.Conv) else 1
        window = getattr(module, "kernel_size", (1, 1))
        pair = (strides,) * 2 if isinstance(strides, int) else strides or (1, 1)
        modules[path] = (module.features, module.use_bias, window, pair)
        zeros[path] = jnp.zeros(out.shape, out.dtype)
        return out

    jax.eval_shape(lambda: call(apply, params, x, record))

    def total(perturbations):
        inputs = {}

        def perturb(path, module, h, out):
            inputs[path] = h
            return out + perturbations[path]

        logits = call(apply, params, x, perturb)
        values = losses.cross_entropy(logits, y)
        return values.sum(), (logits, values, inputs)

    zeros = {path: jnp.zeros(a.shape, a.dtype) for path, a in zeros.items()}
    deltas, (logits, values, inputs) = jax.grad(total, has_aux=True)(zeros)
    return logits, values, modules, inputs, deltas
