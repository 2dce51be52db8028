"""What is attacked: a model as a pure function, and how well it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

from jaxprivacy import checks, errors, types

# (params, x (B, *D)) -> outputs (B, ...)
Apply = Callable[[types.Params, jax.Array], jax.Array]
# (output of one record, its label) -> ()
Loss = Callable[[jax.Array, jax.Array], jax.Array]
# (key, (x (N, *D), y (N, ...)), mask (N,)) -> params
Train = Callable[[jax.Array, tuple[Any, jax.Array], jax.Array], types.Params]

_ACCEPTED = (
    "are a jaxprivacy.Target, a Linen module, an NNX module, or a function "
    "(params, x) -> outputs"
)


class Target(NamedTuple):
    """A model that can be attacked.

    Attributes:
      apply: (params, x (B, *D)) -> outputs (B, ...), without randomness, each record's
        output from that record alone.
      params: its parameters, a tree of arrays; None where they are given by themselves.
        Beside a collection `params` others, such as Linen's `batch_stats`, are not
        learned by gradients: an audit takes no norms by them.
      loss: of one record, (output, label) -> (); None: cross-entropy, of one output the
        logistic loss.
      name: what reports call it.
      train: how it is trained: (key, (x, y), mask) -> params, a tree like `params`. The
        key is one of `jax.random.key`; x (N, *D), or the dictionary of arrays that
        stands for it, and y (N, ...) are as `apply` and `loss` take them, integers (N,)
        for classes; mask (N,) is 1.0 where there is a record and 0.0 where there is
        padding, which must change nothing. Pure, and traceable by `jax.jit` and
        `jax.vmap`: loops over steps are those of `jax.lax`. None: it is not told.
    """

    apply: Apply
    params: types.Params | None = None
    loss: Loss | None = None
    name: str = "target"
    train: Train | None = None


def function(
    apply: Apply,
    params: types.Params | None = None,
    *,
    loss: Loss | None = None,
    name: str = "target",
    train: Train | None = None,
) -> Target:
    """A target from a pure function (params, x (B, *D)) -> outputs (B, ...)."""
    return Target(apply, params, loss, name, train)


def linen(
    module: Any,
    params: Any = None,
    *,
    loss: Loss | None = None,
    train: Train | bool | None = None,
    **options: Any,
) -> Target:
    """A target from a Flax Linen module.

    Args:
      module: the module; `module.apply(variables, x, **options)` gives the outputs.
      params: its variables ({"params": ..., "batch_stats": ...}), or the collection
        `params` alone.
      loss: see `Target`.
      train: a function is the training of `Target`, and returns what `params` is. True
        or False is an option of the module's call, as many modules have it; beside one
        the training is given by `._replace(train=function)` or to `audit`.
      **options: of its call that switch off randomness and updates, such as
        `train=False` or `deterministic=True`.
    """
    training, options = _training(train, options)

    def apply(params, x):
        named = isinstance(params, Mapping) and "params" in params
        variables = params if named else {"params": params}
        return module.apply(variables, x, **options)

    return Target(apply, params, loss, type(module).__name__, training)


def nnx(
    module: Any,
    *,
    loss: Loss | None = None,
    train: Train | bool | None = None,
    **options: Any,
) -> Target:
    """A target from a Flax NNX module, which holds its parameters.

    Dropout and the like are switched off, on a copy. What is no `nnx.Param`, such as
    the means of a BatchNorm, stays as it is in the module, with every snapshot.

    Args:
      module: the module; `module(x, **options)` gives the outputs.
      loss: see `Target`.
      train: as in `linen`; it returns the state of the `nnx.Param`s, as
        `nnx.state(module, nnx.Param)` has it.
      **options: of its call.
    """
    from flax import nnx as flax_nnx

    training, options = _training(train, options)
    quiet = flax_nnx.clone(module)
    quiet.eval()
    graph, params, rest = flax_nnx.split(quiet, flax_nnx.Param, ...)

    def apply(params, x):
        return flax_nnx.merge(graph, params, rest)(x, **options)

    return Target(apply, params, loss, type(module).__name__, training)


def target(of: Any, params: Any = None, loss: Loss | None = None) -> Target:
    """A target from whatever stands for one.

    Args:
      of: a target, a Linen or NNX module, or a function.
      params: its parameters, where it does not hold them.
      loss: see `Target`; in place of the target's own.

    Raises:
      InputError: it is none of these, or its parameters are missing.
    """
    made = _made(of, params)
    if params is not None:
        made = made._replace(params=params)
    if made.params is None:
        raise errors.InputError(
            "params", "None", "are the target's parameters, a tree of arrays"
        )
    return made if loss is None else made._replace(loss=loss)


def tempered(of: Target, temperature: float) -> Target:
    """A target whose outputs, as logits, are divided by a temperature.

    Above 1 its probabilities are flatter, and none changes its place among the others.
    It hides nothing from whoever knows the temperature and sees all logits, or holds
    the parameters.

    Args:
      of: the target; its outputs are logits.
      temperature: above 0; 1 changes nothing.

    Raises:
      InputError: `temperature` is out of its range.

    Source: Shokri et al., S&P 2017, section VIII, coarse predictions by temperature.
    """
    checks.positive("temperature", temperature)

    def apply(params, x):
        return jax.tree.map(lambda a: a / temperature, of.apply(params, x))

    return of._replace(apply=apply)


def learned(params: types.Params, of_leaves: dict[str, Any]) -> dict[str, Any]:
    """What is given by the path of an array, of those arrays that are learned.

    Of Linen's collections that is `params` alone: a BatchNorm's running mean has a
    gradient too, but no step of training goes by it.

    Args:
      params: a target's.
      of_leaves: anything by the path of an array in them, "params/Dense_0/kernel".
    """
    from flax.core import FrozenDict

    if not isinstance(params, dict | FrozenDict) or "params" not in params:
        return of_leaves
    named = {k: v for k, v in of_leaves.items() if k.startswith("params/")}
    return named or of_leaves


def _training(train: Any, options: dict[str, Any]) -> tuple[Train | None, dict]:
    """The training, and options of a module's call, among which `train` may be."""
    if train is None or callable(train):
        return train, options
    return None, options | {"train": train}


def _made(of: Any, params: Any) -> Target:
    from flax import linen as flax_linen, nnx as flax_nnx

    if isinstance(of, Target):
        return of
    if isinstance(of, flax_linen.Module):
        return linen(of, params)
    if isinstance(of, flax_nnx.Module):
        return nnx(of)
    if isinstance(of, type) or not callable(of):
        kind = of.__name__ if isinstance(of, type) else type(of).__name__
        raise errors.InputError("target", kind, _ACCEPTED)
    return function(of, params, name=getattr(of, "__name__", "target"))
