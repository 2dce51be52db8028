"""Weights of PyTorch files in the layout of bearpaw/pytorch-classification.

Paper B attacks networks that others trained and published (PAPERS row B1). The modules
of `alexnet`, `residual` and `dense_net` bear that repository's names, so that one rule
translates them all.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import checks, types
from jaxprivacy.models import targets

# The inputs that bearpaw's training scripts for CIFAR-10 and CIFAR-100 make, of the
# pixels in [0, 1]; red, green, blue.
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)

_LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
# Where PyTorch has the axes of a kernel: of HWIO in OIHW, of (in, out) in (out, in).
_AXES = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
_IGNORED = "num_batches_tracked"  # Counts training steps; evaluation has no use for it.


def standardise(x: jax.Array) -> jax.Array:
    """Turns colour images of pixels in [-1, 1] into what bearpaw's networks take.

    For `targets.as_model(..., preprocess=standardise)`: (B, H, W, 3) -> the same shape,
    of about mean 0 and standard deviation 1 on CIFAR.
    """
    return ((x + 1) / 2 - jnp.array(MEAN)) / jnp.array(STD)


def load(path: str, model: types.Model) -> types.Params:
    """Reads the weights of a model from a file of `torch.save`.

    The file holds a `state_dict`, or bearpaw's checkpoint: a dictionary with one under
    "state_dict". Names may begin with "module.", as DataParallel has them. The tensors
    alone are read (`weights_only=True`): a file that wants to run code is refused.

    Args:
      path: of the file, as the user named it.
      model: an AlexNet, ResNet or DenseNet of `targets.build`, the latter two with
        normalisation "batch".

    Returns:
      Parameters as `model.init` gives, float32.

    Raises:
      InputError: naming `--import_target`: PyTorch is not installed, the file cannot be
        read, or it lacks a weight, holds one too many or one of another shape.
    """
    found = _state_dict(path)
    shapes = jax.eval_shape(model.init, jax.random.key(0))

    def take(names, wanted):
        return _take(path, found, _torch_name(names), wanted.shape)

    params = jax.tree_util.tree_map_with_path(take, shapes)
    if found:
        raise _refused(path, f"holds {min(found)}, which the model lacks")
    return params


def _state_dict(path: str) -> dict[str, Any]:
    """The tensors of a file by name, without DataParallel's prefix."""
    try:
        import torch
    except ImportError as error:
        raise checks.InputError(
            f"--import_target={path}: PyTorch, which reads it, is not installed; "
            "accepted after pip install 'jaxprivacy-attacks[torch]'"
        ) from error
    # What torch.load raises on a file of another kind is of many types.
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _refused(
            path, f"cannot be read as weights alone ({type(error).__name__})"
        ) from error
    if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
        held = held["state_dict"]
    if not isinstance(held, dict) or not held:
        raise _refused(path, "holds no state_dict")
    for name, value in held.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise _refused(path, f"holds {name}, which is no tensor")
    return {
        name.removeprefix("module."): value
        for name, value in held.items()
        if not name.endswith(_IGNORED)
    }


def _torch_name(path: tuple[jax.tree_util.DictKey, ...]) -> str:
    """`layer1_0/conv1/kernel` -> `layer1.0.conv1.weight`."""
    names = [entry.key for entry in path]
    if names[0] in ("params", targets.STATISTICS):
        names = names[1:]
    modules = [name.replace("_", ".") for name in names[:-1]]
    return ".".join([*modules, _LEAVES[names[-1]]])


def _take(path: str, found: dict[str, Any], name: str, shape: tuple[int, ...]):
    """Takes a tensor out of those found, its axes in Linen's order."""
    if name not in found:
        raise _refused(path, f"lacks {name}")
    tensor = found.pop(name)
    axes = _AXES[len(shape)]
    wanted = tuple(shape[axis] for axis in axes)
    if tuple(tensor.shape) != wanted:
        shapes = f"of shape {tuple(tensor.shape)}, where the model has {wanted}"
        raise _refused(path, f"holds {name} {shapes}")
    return jnp.asarray(tensor.float().numpy().transpose(np.argsort(axes)))


def _refused(path: str, why: str) -> checks.InputError:
    return checks.InputError(
        f"--import_target={path}: {why}; accepted are state_dicts of "
        "bearpaw/pytorch-classification, of the same model and settings"
    )
