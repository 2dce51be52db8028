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
from jaxprivacy.targets import load
from jaxprivacy.targets import target as targets

NAME = "the records that were given"


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
    members, or half as many as non-members, if that is fewer: the other half stands in
    for members in the null check.

    Args:
      target: a `Target`, a Linen module, an NNX module, or a function
        (params, x (B, *D)) -> outputs (B, K), without randomness.
      params: its parameters, or a sequence of them, snapshots of one training in order;
        None where the target holds them.
      members: records x (N, *D) and labels y (N,) that it was trained on.
      non_members: likewise (M, *D), (M,), drawn as the members were and not trained on.
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
    chosen = tuple(ATTACKS if attacks is None else attacks)
    settings = TargetSettings(chosen, preset, seed)
    target_audit.check(settings)
    given = _given(target, params, members, non_members, loss)
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
    members, non_members = sources.members_and_non_members(settings.data)
    return audit(
        found,
        read,
        members=members,
        non_members=non_members,
        preset=settings.preset,
        seed=settings.seed,
        command=command,
    )


def _given(of, params, members, non_members, loss) -> Given:
    """Checks what was handed over."""
    several = isinstance(params, list | tuple) and not hasattr(params, "_fields")
    first = params[0] if several and len(params) else params
    if several and not len(params):
        raise checks.InputError("params=(): accepted is at least one snapshot")
    target = targets.target(of, first, loss)
    records = _records("members", members), _records("non_members", non_members)
    (x, y), (other_x, other_y) = records
    if x.shape[1:] != other_x.shape[1:]:
        raise checks.InputError(
            f"non_members: records of shape {other_x.shape[1:]}: accepted is the shape "
            f"of the members, {x.shape[1:]}"
        )
    snapshots = _stacked(list(params) if several else [target.params])
    outputs = _outputs(target, x)
    classifies = target.loss is None
    x, y = np.concatenate([x, other_x]), np.concatenate([y, other_y])
    if classifies:
        if outputs.ndim != 2:
            raise checks.InputError(
                f"target: outputs of shape {outputs.shape} for records of shape "
                f"{x.shape[1:]}: accepted are (B, K), or a loss of your own"
            )
        checks.labels("labels", y, outputs.shape[1])
    kinds = np.split(np.arange(len(y)), [len(records[0][1])])
    left = copies.leave_out(copies.have_copies(x), kinds)
    _enough(*map(len, left.kinds))
    classes = max(2, outputs.shape[-1]) if classifies else 0
    return Given(
        target,
        snapshots,
        Dataset(NAME, x, y, classes),
        *left.kinds,
        (left.left_out, left.kept),
        classifies,
    )


def _records(name: str, pair: Any) -> tuple[np.ndarray, np.ndarray]:
    """Checks records and labels."""
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise checks.InputError(
            f"{name}={type(pair).__name__}: accepted is a pair (x, y) of arrays"
        )
    x, y = (np.asarray(part) for part in pair)
    if x.ndim < 2 or len(x) != len(y) or not len(x):
        raise checks.InputError(
            f"{name}: x of shape {x.shape} and y of shape {y.shape}: accepted are "
            "(N, *D) and (N,), N at least 1"
        )
    if not np.issubdtype(x.dtype, np.number) or not np.isfinite(x).all():
        raise checks.InputError(
            f"{name}: x of type {x.dtype}: accepted are finite numbers"
        )
    return x, y


def _stacked(snapshots: list[Any]) -> Any:
    """Stacks snapshots, which must be alike: (T, ...)."""
    shapes = [jax.tree.map(np.shape, params) for params in snapshots]
    for index, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise checks.InputError(
                f"params: snapshot {index} has other arrays than snapshot 0; accepted "
                "are snapshots of one model"
            )
    return jax.tree.map(lambda *parts: jnp.stack(parts), *snapshots)


def _outputs(target: targets.Target, x: np.ndarray) -> jax.ShapeDtypeStruct:
    """The form of the outputs of two records."""
    try:
        found = jax.eval_shape(target.apply, target.params, jnp.asarray(x[:2]))
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise checks.InputError(
            f"target: cannot be applied to its parameters and records of shape "
            f"{x.shape[1:]} ({said[:200]}); accepted are parameters and records of the "
            "model"
        ) from error
    if not hasattr(found, "shape") or not found.shape or found.shape[0] != 2:
        raise checks.InputError(
            f"target: gives {getattr(found, 'shape', type(found).__name__)} for 2 "
            "records; accepted is one output a record, (2, ...)"
        )
    return found


def _enough(members: int, non_members: int) -> None:
    if members < FEWEST or non_members < 2 * FEWEST:
        raise checks.InputError(
            f"members, non_members: {members} and {non_members} records that can be "
            f"attacked; accepted are at least {FEWEST} and {2 * FEWEST}"
        )
