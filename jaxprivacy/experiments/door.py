"""The audit of one's own model, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import checks
from jaxprivacy.data import Dataset, copies, sources
from jaxprivacy.experiments import target_audit
from jaxprivacy.experiments.settings import Settings
from jaxprivacy.experiments.target_audit import ATTACKS, FEWEST, Given, TargetSettings
from jaxprivacy.report import progress as progress_lib
from jaxprivacy.report.findings import AuditReport
from jaxprivacy.targets import load, target as targets

NAME = "the records that were given"
_LISTED = (
    "; a list or tuple is taken for snapshots: parameters that are one are [params]"
)


def audit(
    target: Any,
    params: Any = None,
    *,
    members: tuple[Any, Any],
    non_members: tuple[Any, Any],
    attacks: Sequence[str] | None = None,
    loss: targets.Loss | None = None,
    preset: str = target_audit.TargetSettings.preset,
    seed: int = 0,
    progress: bool = True,
    command: str = "jaxprivacy.audit(...)",
) -> AuditReport:
    """Attacks a trained model and reports how far its members can be told apart.

    Passive membership inference by whoever holds the model and knows of some records
    whether they are members: paper B's setting with one or more snapshots, and the
    simplest rules beside it. As many records of each kind are attacked as there are
    members, or half as many as non-members, if that is fewer, and at most 10,000: the
    other half stands in for members in the null check. What has an exact copy among the
    records is left out.

    Args:
      target: a `Target`, a Linen module, an NNX module, or a function
        (params, x (B, *D)) -> outputs (B, K), without randomness.
      params: its parameters, or a list or tuple of them, snapshots of one training in
        order; None where the target holds them. Parameters that are a list or tuple
        themselves are given as `[params]`.
      members: records x (N, *D) and labels y that it was trained on; of a classifier
        (N,) or (N, 1), whole numbers of any type, otherwise (N, ...).
      non_members: likewise of M records, drawn as the members were and not trained on.
      attacks: names of attacks; None: all that fit the target. Accepted are
        `white_box` (outputs, loss and the norms of the gradients by each array of the
        parameters), `black_box` (outputs and loss), `loss_threshold`, `confidence` and
        `gradient_norm`.
      loss: of one record, (output, label) -> (); None: cross-entropy for labels 0 to
        K - 1, of one output the logistic loss. With a loss of one's own
        `loss_threshold` and `gradient_norm` are run.
      preset: of the attack network, as in `--preset`.
      seed: of every random choice.
      progress: whether progress is shown, on standard error.
      command: how the report says that it came about.

    Returns:
      The report: `report.findings`, `report.save(folder)`; it shows itself in a
      notebook.

    Raises:
      InputError: an argument is not what it must be, in one line.

    Source: Nasr, Shokri, Houmansadr, S&P 2019, sections II and III; the rules:
    Yeom et al. 2018, section 3.
    """
    if isinstance(attacks, str):
        attacks = (attacks,)
    chosen = tuple(ATTACKS if attacks is None else attacks)
    settings = TargetSettings(chosen, preset, seed)
    target_audit.check(settings)
    given = _given(target, params, members, non_members, loss)
    target_audit.fitting(settings, given)  # Refused before anything is computed.
    shown = progress_lib.progress if progress else progress_lib.silent
    with shown(sum(target_audit.WEIGHTS.values())) as stages:
        return AuditReport(target_audit.run(settings, given, stages, command))


def audit_named(
    target: str, params: str | None, settings: Settings, command: str
) -> AuditReport:
    """The audit of a target that a command line names.

    Args:
      target: `FILE.py:NAME` or `package.module:NAME`.
      params: the path of its parameters; None: the target's own.
      settings: of which `data`, `preset` and `seed` count; the data are members and
        non-members.
      command: how it was started.

    Raises:
      InputError: naming the flag.
    """
    found = load.target(target)
    read = None if params is None else load.parameters(params)
    if read is None and found.params is None:
        raise checks.InputError(
            f"--target={target}: holds no parameters; accepted is then --params=PATH"
        )
    members, non_members = sources.members_and_non_members(settings.data)
    report = audit(
        found,
        read,
        members=members,
        non_members=non_members,
        preset=settings.preset,
        seed=settings.seed,
        command=command,
    ).contents
    named = {"data": settings.data, "target": target, "params": params}
    return AuditReport(
        report._replace(
            result=report.result | {"settings": named | report.result["settings"]},
            settings=[("data", settings.data), *report.settings],
        )
    )


def _given(of, params, members, non_members, loss) -> Given:
    """Checks what was handed over."""
    several = isinstance(params, list | tuple) and not hasattr(params, "_fields")
    first = params[0] if several and len(params) else params
    if several and not len(params):
        raise checks.InputError("params=(): accepted is at least one snapshot")
    target = targets.target(of, first, loss)
    (x, y), (other_x, other_y) = (
        _records("members", members),
        _records("non_members", non_members),
    )
    if x.shape[1:] != other_x.shape[1:]:
        raise checks.InputError(
            f"non_members: records of shape {other_x.shape[1:]}: accepted is the shape "
            f"of the members, {x.shape[1:]}"
        )
    snapshots = _stacked(list(params) if several else [target.params])
    outputs = _outputs(target, x, several)
    classifies = target.loss is None
    if classifies:
        target, count = _classifier(target, outputs, x)
        y = _labels("members", y, count)
        other_y = _labels("non_members", other_y, count)
    if y.shape[1:] != other_y.shape[1:]:
        raise checks.InputError(
            f"non_members: labels of shape {other_y.shape[1:]} each: accepted is the "
            f"shape of the members', {y.shape[1:]}"
        )
    kinds = np.split(np.arange(len(y) + len(other_y)), [len(y)])
    x, y = np.concatenate([x, other_x]), np.concatenate([y, other_y])
    left = copies.leave_out(copies.have_copies(x), kinds)
    _enough(*map(len, left.kinds))
    return Given(
        target,
        snapshots,
        Dataset(NAME, x, y, max(2, count) if classifies else 0),
        *left.kinds,
        (left.left_out, left.kept),
    )


def _records(name: str, pair: Any) -> tuple[np.ndarray, np.ndarray]:
    """Checks records and labels."""
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise checks.InputError(
            f"{name}={type(pair).__name__}: accepted is a pair (x, y) of arrays"
        )
    x, y = _numbers(f"{name}: x", pair[0]), _numbers(f"{name}: y", pair[1])
    if x.ndim < 2 or not y.ndim or len(x) != len(y) or not len(x):
        raise checks.InputError(
            f"{name}: x of shape {x.shape} and y of shape {y.shape}: accepted are "
            "(N, *D) and (N,), N at least 1"
        )
    return x, y


def _numbers(name: str, of: Any) -> np.ndarray:
    """Finite real numbers, of the type in which JAX takes them."""
    accepted = "accepted are arrays of finite real numbers"
    try:
        found = np.asarray(of)
        if found.dtype == object:
            found = np.asarray(found.tolist())
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise checks.InputError(f"{name}: is no array ({said}); {accepted}") from error
    kinds = (np.bool_, np.integer, jnp.floating)
    if not any(jnp.issubdtype(found.dtype, kind) for kind in kinds):
        raise checks.InputError(f"{name} of type {found.dtype}: {accepted}")
    with np.errstate(over="ignore"):  # Becomes infinite, and is refused as such.
        taken = found.astype(jax.dtypes.canonicalize_dtype(found.dtype), copy=False)
    wrong = ~np.isfinite(taken)
    if taken.dtype != found.dtype and found.dtype.kind in "iu":
        wrong = taken != found
    if wrong.any():
        where = tuple(np.argwhere(wrong)[0].tolist())
        raise checks.InputError(
            f"{name} holds {found[where]} at {where}: {accepted} within {taken.dtype}"
        )
    return taken


def _labels(name: str, y: np.ndarray, outputs: int) -> np.ndarray:
    """Labels of classes, whole numbers of whatever type: (N,) int32."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        cure = "; y.argmax(axis=1) makes them of one-hot rows" * (y.ndim == 2)
        raise checks.InputError(
            f"{name}: y of shape {y.shape}: accepted are labels (N,){cure}"
        )
    checks.labels(f"y of {name}", y, outputs)
    return y.astype(np.int32)


def _stacked(snapshots: list[Any]) -> Any:
    """Stacks snapshots, which must be alike: (T, ...)."""
    try:
        arrays = [jax.tree.map(jnp.asarray, params) for params in snapshots]
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise checks.InputError(
            f"params: hold what is no array ({said}); accepted are trees of arrays"
        ) from error
    shapes = [jax.tree.map(np.shape, params) for params in arrays]
    for index, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise checks.InputError(
                f"params: snapshot {index} has other arrays than snapshot 0; accepted "
                f"are snapshots of one model{_LISTED}"
            )
    return jax.tree.map(lambda *parts: jnp.stack(parts), *arrays)


def _outputs(
    target: targets.Target, x: np.ndarray, listed: bool
) -> jax.ShapeDtypeStruct:
    """The form of the outputs of two records."""
    two = jax.ShapeDtypeStruct((2, *x.shape[1:]), x.dtype)
    try:
        found = jax.eval_shape(target.apply, target.params, two)
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise checks.InputError(
            f"target: cannot be applied to its parameters and records {x.dtype} of "
            f"shape {x.shape[1:]} ({said[:200]}); accepted are parameters and records "
            "of the model; options of its call, such as train=False, are given by "
            f"jaxprivacy.linen or jaxprivacy.nnx{_LISTED * listed}"
        ) from error
    if not hasattr(found, "shape") or not found.shape or found.shape[0] != 2:
        raise checks.InputError(
            f"target: gives {getattr(found, 'shape', type(found).__name__)} for 2 "
            "records; accepted is one output a record, (2, ...)"
        )
    return found


def _classifier(
    target: targets.Target, outputs: jax.ShapeDtypeStruct, x: np.ndarray
) -> tuple[targets.Target, int]:
    """The target with outputs (B, K), and K."""
    if outputs.ndim == 1:  # One logit a record, without an axis of its own.
        return target._replace(apply=lambda *of: target.apply(*of)[:, None]), 1
    if outputs.ndim != 2 or not outputs.shape[1]:
        raise checks.InputError(
            f"target: outputs of shape {outputs.shape} for records of shape "
            f"{x.shape[1:]}: accepted are (B, K), or a loss of your own"
        )
    return target, outputs.shape[1]


def _enough(members: int, non_members: int) -> None:
    if members < FEWEST or non_members < 2 * FEWEST:
        raise checks.InputError(
            f"members, non_members: {members} and {non_members} records that can be "
            f"attacked; accepted are at least {FEWEST} and {2 * FEWEST}"
        )
