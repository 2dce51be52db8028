"""The attacks on one batch's update, compiled once for each row of the study."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import types
from jaxprivacy.attacks import dense_inversion, gradient_inversion as inversion
from jaxprivacy.programs import compilation
from jaxprivacy.studies.inversion_settings import (
    SEARCHES,
    Case,
    InversionSettings,
)


class Known(NamedTuple):
    """What the attacker knows beside the update."""

    apply: inversion.Apply
    params: types.Params  # those that were sent out
    last_bias: Callable[[types.Params], jax.Array]  # of a tree like params
    probabilities: jax.Array  # (K,) what the model gives public records on average
    public: jax.Array  # (N, *D) records of the same distribution
    low: float  # of a record's values
    high: float


# (key, x (B, *D), y (B,)) -> what was found: the update is computed within
Attack = Callable[[jax.Array, np.ndarray, np.ndarray], inversion.Found]


class Release(NamedTuple):
    """A defense of the participant's, whose protocol the attacker knows."""

    # (key, x (B, *D), y (B,), mean gradient) -> what the server sees of it
    observe: Callable[[jax.Array, jax.Array, jax.Array, types.Params], types.Params]
    # (a simulated gradient, what was seen) -> what the two are compared by
    compare: Callable[[types.Params, types.Params], types.Params] | None = None


def attack(
    settings: InversionSettings,
    case: Case,
    known: Known,
    key: jax.Array,
    release: Release | None = None,
) -> Attack:
    """Builds one row's attack.

    Args:
      settings: checked settings.
      case: the row.
      known: what the attacker knows.
      key: draws the trap.
      release: a defense of the participant's; None: the server sees the update.

    Returns:
      (key, x (B, *D), y (B,)) -> what was found. Records and labels enter the update
      that the participant computes, and nothing else.
    """
    trapped = case.attack == "trap"
    apply, params = known.apply, known.params
    if trapped:
        flat = known.public.reshape(len(known.public), -1)
        set_trap = compilation.compiled(dense_inversion.trap, static=("bins",))
        trap = set_trap(key, flat, bins=settings.bins)
        apply = dense_inversion.trapped(known.apply)
        params = {"trap": trap, "model": known.params}
    local = {"rate": settings.learning_rate, "steps": case.local_steps}
    soft = inversion.expected(inversion.cross_entropy, len(known.probabilities))

    def simulate(x, y):
        loss = inversion.cross_entropy if y.ndim == 1 else soft
        made = inversion.update(apply, params, x, y, loss=loss, **local)
        return inversion.mean_gradient(made, **local)

    def find(key, observed):
        def seen_of(x, y):
            made = simulate(x, y)
            compare = None if release is None else release.compare
            return made if compare is None else compare(made, observed)

        bias = known.last_bias(observed["model"] if trapped else observed)
        labels = inversion.recover_labels(bias, case.batch_size, known.probabilities)
        found = _find(settings, case, known, key, seen_of, observed, labels)
        return found._replace(x=jnp.clip(found.x, known.low, known.high))

    def observe(key, x, y):
        seen = simulate(x, y)
        return seen if release is None else release.observe(key, x, y, seen)

    observe, find = map(compilation.compiled, (observe, find))

    def run(key, x, y):
        # The search's own key stays what it is without a defense.
        observed = observe(jax.random.fold_in(key, 1), jnp.asarray(x), jnp.asarray(y))
        return find(key, observed)

    return run


def _find(settings, case, known, key, simulate, observed, labels):
    """What the attack of a row makes of an observed gradient."""
    shape = known.public.shape[1:]
    search = {
        "shape": shape,
        "steps": settings.iterations or SEARCHES.get(case.attack),
        "restarts": settings.restarts,
    }
    if case.attack == "dlg":
        return inversion.dlg(
            key,
            simulate,
            observed,
            count=case.batch_size,
            classes=len(known.probabilities),
            **search,
        )
    if case.attack == "invert_gradients":
        return inversion.invert_gradients(
            key,
            simulate,
            observed,
            labels,
            low=known.low,
            high=known.high,
            variation=settings.total_variation if len(shape) == 3 else 0.0,
            **search,
        )
    if case.attack == "dense":
        layer = observed["Dense_0"]
        read = functools.partial(dense_inversion.recover_dense_inputs, layer["kernel"])
        x, said = read(layer["bias"], case.batch_size)
    else:
        x, said = dense_inversion.recover_trapped(observed["trap"], case.batch_size)
    return inversion.Found(x.reshape(-1, *shape), labels, -said.sum())
