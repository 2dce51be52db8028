"""The names and shapes of weights in PyTorch files, and which model they fit.

The modules of `alexnet`, `residual` and `dense_net` bear the names of
bearpaw/pytorch-classification (PAPERS row B1), so that one rule translates them all.
Nothing here needs PyTorch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import jax

from jaxprivacy import errors, types
from jaxprivacy.models import targets

_LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
# Where PyTorch has the axes of a kernel: of HWIO in OIHW, of (in, out) in (out, in).
AXES = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
_WRAPPER = "module"  # DataParallel's name for what it wraps
_IMAGE = (32, 32, 3)  # what the files' networks were trained on

Shapes = Mapping[str, tuple[int, ...]]  # of a file's weights, by name


def plain_name(name: str) -> str:
    """`features.module.0.weight` -> `features.0.weight`."""
    return ".".join(part for part in name.split(".") if part != _WRAPPER)


def torch_name(path: tuple[jax.tree_util.DictKey, ...]) -> str:
    """`layer1_0/conv1/kernel` -> `layer1.0.conv1.weight`."""
    names = [entry.key for entry in path]
    if names[0] in ("params", targets.STATISTICS):
        names = names[1:]
    modules = [name.replace("_", ".") for name in names[:-1]]
    return ".".join([*modules, _LEAVES[names[-1]]])


def named_shapes(shapes: types.Params) -> dict[str, tuple[int, ...]]:
    """The names and shapes of a model's weights in PyTorch, in the model's order.

    Args:
      shapes: as `jax.eval_shape(model.init, key)` gives them.
    """
    leaves = jax.tree_util.tree_leaves_with_path(shapes)
    return {
        torch_name(path): tuple(a.shape[axis] for axis in AXES[len(a.shape)])
        for path, a in leaves
    }


def mismatch(held: Shapes, wanted: Shapes) -> str:
    """The first thing, in the model's order, in which a file differs; "" if none."""
    for name, shape in wanted.items():
        if name not in held:
            return f"lacks {name}"
        if held[name] != shape:
            return f"holds {name} of shape {held[name]}, where the model has {shape}"
    more = held.keys() - wanted.keys()
    return f"holds {min(more)}, which the model lacks" if more else ""


def fitting(held: Shapes) -> str:
    """Says with which settings a model has exactly the weights of a file.

    What could be is read from the names and tried.

    Args:
      held: the file's weights.

    Returns:
      The flags and the number of classes, or "" where no model here fits.
    """
    for options, last in _candidates(held):
        classes = sum(held.get(last, ()))  # A bias has one axis.
        try:
            model = targets.build(input_shape=_IMAGE, num_classes=classes, **options)
            shapes = named_shapes(jax.eval_shape(model.init, jax.random.key(0)))
        except errors.InputError:
            continue
        if classes and not mismatch(held, shapes):
            flags = {"model": options.pop("name"), **options}.items()
            named = " ".join(f"--{name}={value}" for name, value in flags)
            return f"{named} on data of {classes} classes"
    return ""


def _candidates(held):
    """Options of `targets.build` and the name of their last layer's bias."""
    blocks, layers = _count(held, "layer1"), _count(held, "dense1")
    block, period = "basic", 6
    if "layer1.0.conv3.weight" in held:  # Of a bottleneck's three convolutions.
        block, period = "bottleneck", 9
    growth = held.get("dense1.0.conv2.weight", (0,))[0]
    batch = {"normalisation": "batch"}
    resnet = {"name": "resnet", "depth": period * blocks + 2, "block": block}
    densenet = {"name": "densenet", "depth": 6 * layers + 4, "growth_rate": growth}
    return [
        ({"name": "alexnet"}, "classifier.bias"),
        (resnet | batch, "fc.bias"),
        (densenet | batch, "fc.bias"),
    ]


def _count(held, module):
    """How many layers a sequence of a file's modules has."""
    found = (re.match(rf"{module}\.(\d+)\.", name) for name in held)
    return len({match[1] for match in found if match})
