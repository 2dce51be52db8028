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

from jaxprivacy import errors, types
from jaxprivacy.models import torch_layout

# The inputs that bearpaw's training scripts for CIFAR-10 and CIFAR-100 make, of the
# pixels in [0, 1]; red, green, blue.
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)

# Counts of training steps and, by a profiler, of operations: no weights.
_IGNORED = ("num_batches_tracked", "total_ops", "total_params")


def standardise(x: jax.Array) -> jax.Array:
    """Turns colour images of pixels in [-1, 1] into what bearpaw's networks take.

    For `targets.as_model(..., preprocess=standardise)`: (B, H, W, 3) -> the same shape,
    of about mean 0 and standard deviation 1 on CIFAR.
    """
    return ((x + 1) / 2 - jnp.array(MEAN)) / jnp.array(STD)


def load(path: str, model: types.Model) -> types.Params:
    """Reads the weights of a model from a file of `torch.save`.

    The file holds a `state_dict`, or a checkpoint: a dictionary with one under
    "state_dict" and whatever else. `module`, which DataParallel puts into names, is
    dropped wherever it stands (bearpaw's AlexNet has `features.module.0.weight`), and
    what is no weight is passed by. The tensors alone are read (`weights_only=True`): a
    file that wants to run code is refused.

    Args:
      path: of the file, as the user named it.
      model: an AlexNet, ResNet or DenseNet of `targets.build`, the latter two with
        normalisation "batch".

    Returns:
      Parameters as `model.init` gives, float32.

    Raises:
      InputError: naming `import_target`: PyTorch is not installed, the file cannot be
        read, a weight is no number, or it lacks a weight, holds one too many or one of
        another shape; then with the model that the file fits, if there is one.
    """
    found = _state_dict(path)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    held = {name: tuple(tensor.shape) for name, tensor in found.items()}
    if problem := torch_layout.mismatch(held, torch_layout.named_shapes(shapes)):
        fit = torch_layout.fitting(held)
        raise _refused(path, problem + (f"; the file fits {fit}" if fit else ""))

    def take(names, wanted):
        name = torch_layout.torch_name(names)
        array = found[name].float().numpy()
        if not np.isfinite(array).all():
            raise _refused(
                path,
                f"holds {name} with {np.sum(~np.isfinite(array))} of {array.size} "
                "values that are NaN or infinite",
            )
        axes = torch_layout.AXES[len(wanted.shape)]
        return jnp.asarray(array.transpose(np.argsort(axes)))

    return jax.tree_util.tree_map_with_path(take, shapes)


def _state_dict(path: str) -> dict[str, Any]:
    """The tensors of a file that are weights, by name without DataParallel's part."""
    try:
        import torch
    except ImportError as error:
        raise errors.InputError(
            "import_target",
            path,
            found="PyTorch, which reads it, is not installed",
            accepted="after pip install 'jaxprivacy-attacks[torch]'",
        ) from error
    # What torch.load raises on a file of another kind is of many types.
    try:
        with torch.serialization.safe_globals(_numbers()):
            held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise _refused(
            path, f"cannot be read as weights alone ({type(error).__name__})"
        ) from error
    if isinstance(held, dict) and isinstance(held.get("state_dict"), dict):
        held = held["state_dict"]
    found = {
        torch_layout.plain_name(name): value
        for name, value in (held.items() if isinstance(held, dict) else ())
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }
    found = {n: v for n, v in found.items() if n.split(".")[-1] not in _IGNORED}
    if not found:
        raise _refused(path, "holds no state_dict")
    return found


def _numbers() -> list:
    """The types of NumPy scalars, which old checkpoints hold as `best_acc`."""
    kinds = [np.dtype(name) for name in ("float32", "float64", "int64")]
    scalar = np.float64(0).__reduce__()[0]
    # The second is the name under which NumPy 1 wrote the same function.
    named = [scalar, (scalar, "numpy.core.multiarray.scalar")]
    return [*named, np.dtype, *map(type, kinds)]


def _refused(path: str, why: str) -> errors.InputError:
    return errors.InputError(
        "import_target",
        path,
        found=why,
        accepted=(
            "are state_dicts of bearpaw/pytorch-classification, of the same model "
            "and settings"
        ),
    )
