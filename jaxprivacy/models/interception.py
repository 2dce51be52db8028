"""Interception of Linen layers: which ones a function calls, and what passes through.

`flax.linen.intercept_methods` meets every Dense and Conv call inside a function,
whatever modules and scopes it is nested in, without a change to the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
from jax.extend.core import Var

from jaxprivacy import types
from jaxprivacy.models import convolution

Apply = Callable[[types.Params, jax.Array], jax.Array]
# (path, layer's input, layer's output) -> what the model goes on with
Transform = Callable[[str, jax.Array, jax.Array], jax.Array]


class Layer(NamedTuple):
    """A captured layer; hashable, static under jit."""

    path: str  # the module's path, "Block_0/Dense_1"; "" for a bare layer
    kind: str  # "dense" or "conv"
    features: int
    use_bias: bool
    window: tuple[int, int] = (1, 1)  # the following are those of a Conv
    strides: tuple[int, int] = (1, 1)
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


def call(
    apply: Apply, params: types.Params, x: jax.Array, transform: Transform
) -> jax.Array:
    """Runs `apply` with each Dense and Conv layer's output sent through `transform`."""

    def run(module, h, out):
        return transform("/".join(module.path), h, out)

    with nn.intercept_methods(_interceptor(run)):
        return apply(params, x)


def layers(apply: Apply, params: types.Params, x: jax.Array) -> tuple[Layer, ...]:
    """Lists the Dense and Conv layers that `apply` calls, in order of their calls.

    Args:
      apply: any function that calls Linen modules: (params, x (B, *D)) -> logits.
      params: parameters, or their shapes.
      x: a batch, or its shape; nothing is computed.

    Raises:
      ValueError: a layer is called twice, or has a form that is not captured.
    """
    return tuple(layer for layer, _ in trace(apply, params, x))


def receivers(
    apply: Apply, params: types.Params, x: jax.Array
) -> dict[str, str | None]:
    """Finds the first later layer that each layer's output reaches, if there is one.

    That layer's input is what the model makes of the output: after normalisation and
    activation, and where paths join, of the other paths too. It need not be the next
    one that is called: a shortcut's convolution takes the block's input.

    Args:
      apply: as `layers` takes it.
      params: as `layers` takes them.
      x: as `layers` takes it.

    Returns:
      Path -> path; None for the last layer, whose output is the model's.
    """
    outputs = {layer.path: out for layer, out in trace(apply, params, x)}

    def inputs(perturbations, params, x):
        seen = {}

        def perturb(path, h, out):
            seen[path] = h
            return out + perturbations[path]

        call(apply, params, x, perturb)
        return [seen[path] for path in outputs]

    program = jax.make_jaxpr(inputs)(outputs, params, x).jaxpr
    # What each value of the program depends on. Dictionaries are flattened by name.
    first = program.invars[: len(outputs)]
    of = {v: {path} for v, path in zip(first, sorted(outputs), strict=True)}
    for step in program.eqns:
        # Literals are unhashable and depend on nothing.
        known = [of.get(v, set()) for v in step.invars if isinstance(v, Var)]
        of |= dict.fromkeys(step.outvars, set().union(*known))
    reached = [
        (path, of.get(v, set()) if isinstance(v, Var) else set())
        for path, v in zip(outputs, program.outvars, strict=True)
    ]
    return {
        path: next((later for later, by in reached if path in by), None)
        for path in outputs
    }


def trace(
    apply: Apply, params: types.Params, x: jax.Array
) -> list[tuple[Layer, jax.ShapeDtypeStruct]]:
    """Like `layers`, each with the shape of its output."""
    found = {}

    def record(module, h, out):
        path = "/".join(module.path)
        if path in found:
            raise ValueError(
                f"layer {path!r} is called twice: capture needs one call per layer, "
                "shared weights are not supported"
            )
        shape = jax.ShapeDtypeStruct(out.shape, out.dtype)
        found[path] = (_describe(path, module, h.shape), shape)
        return out

    def run(params, x):
        with nn.intercept_methods(_interceptor(record)):
            return apply(params, x)

    jax.eval_shape(run, params, x)
    if not found:
        raise ValueError("the model calls no Linen Dense or Conv layer to capture")
    return list(found.values())


def _interceptor(record):
    def intercept(next_function, args, kwargs, context):
        out = next_function(*args, **kwargs)
        module = context.module
        if context.method_name != "__call__" or not isinstance(
            module, (nn.Dense, nn.Conv)
        ):
            return out
        h = args[0] if args else kwargs["inputs"]
        return record(module, h, out)

    return intercept


def _describe(path: str, module: nn.Module, shape: tuple[int, ...]) -> Layer:
    """Reads a module's hyperparameters; refuses the forms that are not captured."""
    if isinstance(module, nn.Dense):
        return Layer(path, "dense", module.features, module.use_bias)

    def pair(value):
        return (value,) * 2 if isinstance(value, int) else tuple(value or (1, 1))

    window = module.kernel_size
    supported = (
        len(shape) == 4
        and not isinstance(window, int)
        and len(window) == 2
        and pair(module.input_dilation) == (1, 1)
        and module.mask is None
        and module.padding not in ("CIRCULAR", "CAUSAL", "REFLECT")
    )
    if not supported:
        raise ValueError(
            f"layer {path!r}: only 2-d convolutions of (B, H, W, C) without input "
            f"dilation, mask or circular padding are captured, not {module}"
        )
    strides, dilation = pair(module.strides), pair(module.kernel_dilation)
    padding = module.padding
    if isinstance(padding, int):
        padding = [padding] * 2
    if not isinstance(padding, str):
        padding = [pair(p) for p in padding]
    spans = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    return Layer(
        path,
        "conv",
        module.features,
        module.use_bias,
        tuple(window),
        strides,
        convolution.explicit_padding(padding, shape[1:3], spans, strides),
        dilation,
        module.feature_group_count,
    )
