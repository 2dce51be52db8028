"""The audit of one's own model, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxprivacy import errors
from jaxprivacy.data import sources
from jaxprivacy.report import findings, progress as progress_lib
from jaxprivacy.studies import (
    settings as settings_lib,
    streams,
    target_audit,
    target_given,
    target_references,
)
from jaxprivacy.targets import load, target as targets


def audit(
    target: Any,
    params: Any = None,
    *,
    members: Any,
    non_members: Any,
    attacks: Sequence[str] | None = None,
    loss: targets.Loss | None = None,
    train: targets.Train | None = None,
    references: int = 0,
    preset: str = target_audit.TargetSettings.preset,
    seed: int = 0,
    progress: bool = True,
    command: str = "jaxprivacy.audit(...)",
) -> findings.AuditReport:
    """Attacks a trained model and reports how far its members can be told apart.

    Passive membership inference by whoever holds the model and knows of some records
    whether they are members: paper B's setting with one or more snapshots, and the
    simplest rules beside it. As many records of each kind are attacked as there are
    members, or half as many as non-members, if that is fewer: the other half stands in
    for members in the null check. What has an exact copy among the records is left out.

    What outputs are taken for, and the loss with it, follows from their form and from
    the labels:

    | a record's output | its label | loss |
    |---|---|---|
    | (K,) | one of 0 to K - 1 | cross-entropy |
    | () or (1,) | 0 or 1 | logistic |
    | () or (*D) | floats of this shape | `squared_error` |
    | (L,) or (*D) | 0 or 1 of this shape | `logistic_losses`, independent |
    | (T, V) | (T,) integers, below 0 for padding | `token_loss`, the mean |

    Args:
      target: a `Target`, a Linen module, an NNX module, or a function
        (params, x (B, *D)) -> outputs (B, ...), without randomness.
      params: its parameters; or several, a `Transcript`, or a list or tuple that are
        snapshots of one training in order; None where the target holds them.
        Parameters that are a list or tuple themselves are given as `[params]`.
      members: records that it was trained on: a pair of x (N, *D) and y (N, ...), or a
        list, generator or another iterable of such pairs, batch by batch, of which no
        more than a few are held at a time. x may be a mapping of names to arrays
        (N, ...), which the target is given as a dictionary.
      non_members: likewise M records, drawn as the members were and not trained on.
      attacks: names of attacks; None: all that are defined for the outputs. Accepted
        are `white_box` (outputs, loss, the norms of the gradients by each array of the
        parameters, hidden outputs and the gradient of the last layers), `black_box`
        (outputs and loss), `loss_threshold`, `gradient_norm` and, where a record has
        one class, `confidence`; with `references` and one class also `entropy`,
        `modified_entropy`, `population`, `quantile`, `lira_online`, `lira_offline`,
        `rmia_online`, `rmia_offline`, `bavaria` and `combined`, the sum, with learned
        weights, of those that are asked for.
      loss: of one record, (output, label) -> (); one of the table's, such as
        `jaxprivacy.squared_error` or `jaxprivacy.summed_token_loss`, says what outputs
        are taken for. With one of your own `loss_threshold` and `gradient_norm` are
        run.
      train: how the target is trained, (key, (x, y), mask) -> params, see `Target`; in
        place of the target's own.
      references: S, 0 or an even number of at least 4: models that are trained by
        `train` like the target, each on half of the attacked members and non-members,
        and on the members that are not attacked. Records are then held in memory,
        given as a pair or a list of pairs.
      preset: of the attack network, as in `preset`.
      seed: of every random choice.
      progress: whether progress is shown, on standard error.
      command: how the report says that it came about.

    Returns:
      The report: `report.findings`, `report.save(folder)`; it shows itself in a
      notebook.

    Raises:
      InputError: an argument is not what it must be, in one line.

    Source: Nasr, Shokri, Houmansadr, S&P 2019, sections II and III; the rules:
    Yeom et al. 2018, section 3; the others: see `cards`.
    """
    if isinstance(attacks, str):
        attacks = (attacks,)
    target_audit.check(attacks, preset, seed, references)
    if references:
        members = streams.whole("members", members)
        non_members = streams.whole("non_members", non_members)
    given = target_given.given(target, params, members, non_members, loss, train)
    chosen, notes = target_audit.fitting(attacks, given.task, references)
    if references:
        target_references.check_training(given)
    compares = bool(set(chosen) & set(target_references.ATTACKS))
    settings = target_audit.TargetSettings(chosen, preset, seed, references * compares)
    shown = progress_lib.progress if progress else progress_lib.silent
    with shown(target_audit.weight(settings)) as stages:
        return findings.AuditReport(
            target_audit.run(settings, given, notes, stages, command)
        )


def audit_named(
    target: str, params: str | None, settings: settings_lib.Settings, command: str
) -> findings.AuditReport:
    """The audit of a target that a command line names.

    Args:
      target: `FILE.py:NAME` or `package.module:NAME`.
      params: the path of its parameters; None: the target's own.
      settings: of which `data`, `attacks`, `references`, `preset` and `seed` count; the
        data are members and non-members.
      command: how it was started.

    Raises:
      InputError: naming the flag.
    """
    attacks = None if settings.attacks in ((), ("all",)) else settings.attacks
    references = settings.references
    target_audit.check(attacks, settings.preset, settings.seed, references)
    found, read = named(target, params)
    if references and found.train is None:
        raise errors.InputError(
            "references",
            references,
            found=f"`target`={target} does not say how it is trained",
            accepted="beside it is a jaxprivacy.Target with train",
        )
    members, non_members = sources.members_and_non_members(settings.data)
    report = audit(
        found,
        read,
        members=members,
        non_members=non_members,
        attacks=attacks,
        references=references,
        preset=settings.preset,
        seed=settings.seed,
        command=command,
    ).contents
    told = {"data": settings.data, "target": target, "params": params}
    return findings.AuditReport(
        report._replace(
            result=report.result | {"settings": told | report.result["settings"]},
            settings=[("data", settings.data), *report.settings],
        )
    )


def named(target: str, params: str | None) -> tuple[targets.Target, Any]:
    """The target that a command line names, and its parameters; None: its own.

    Args:
      target: `FILE.py:NAME` or `package.module:NAME`.
      params: the path of its parameters; None: the target's own.

    Raises:
      InputError: naming the flag.
    """
    found = load.target(target)
    read = None if params is None else load.parameters(params)
    if read is None and found.params is None:
        raise errors.InputError(
            "target",
            target,
            found="holds no parameters",
            accepted="is then `params`=PATH",
        )
    return found, read
