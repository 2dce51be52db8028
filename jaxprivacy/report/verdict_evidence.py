"""Why an audit that found nothing could not have found anything, where that is so."""

from __future__ import annotations

from collections.abc import Sequence

from jaxprivacy.evaluation import intervals, membership as evaluation, null_checks
from jaxprivacy.report import text, verdict_rows as rows_lib

# An audit that would only have found a larger AUC than this has no power to speak of.
MOST_DETECTABLE = 0.9


def learned_nothing(accuracy: float, records: int, largest_class: float) -> bool:
    """Whether a training accuracy does not show that anything was learned.

    It does where the lower end of its 95 % Clopper-Pearson interval is above what
    saying the largest class of every record would reach.

    Args:
      accuracy: on the records that were trained on, in [0, 1].
      records: how many they are.
      largest_class: the share of the largest class among them.
    """
    right = intervals.clopper_pearson(round(accuracy * records), records)
    return right.low <= largest_class


def detectable(rows: Sequence[dict]) -> float | None:
    """Returns the smallest AUC that each of the attacks would have found, or None.

    Args:
      rows: of `membership`, those that count; the intervals that decide hold for all of
        them together.
    """
    together = evaluation.simultaneous_confidence(max(1, len(rows)))
    found = [
        null_checks.detectable_auc(row["members"], row["non_members"], together)
        for row in rows
    ]
    known = [auc for auc in found if auc is not None]
    return max(known) if known and len(known) == len(found) else None


def could_have_found(auc: float | None) -> str:
    """Returns what would have been found, in a sentence of its own."""
    if auc is None:
        return "So few records were attacked that no leak would have been found surely."
    return (
        f"With so many records an attack whose true AUC is {text.number(auc, 2)} or "
        "more would have been noticed with a probability of at least 0.8, a weaker one "
        "less often; a leak that none of these attacks can use would not have been."
    )


def blind_targets(result: dict, least: float | None) -> tuple[list[str], list[str]]:
    """Returns why no target could have shown its members, and what holds for some.

    Args:
      result: the content of result.json: its `evidence` has the facts of each target;
        what is not there decides nothing.
      least: the smallest AUC that would have been found.

    Returns:
      Reasons, where each target has one, and sentences, where only some have.
    """
    targets = result.get("evidence", [])
    reasons = [_blind(target, least) for target in targets]
    known = list(dict.fromkeys(reason for reason in reasons if reason))
    if all(reasons):
        return known, []
    count = sum(map(bool, reasons))
    some = f"For {count} of the {len(targets)} models: "
    return [], [some + reason + "." for reason in known]


def not_two_kinds(result: dict, least: float | None) -> bool:
    """Whether non-members are copies of members, so that even an AUC says nothing.

    Of such records an attack can only find out how often each was trained on.

    Args:
      result: as `blind_targets` takes it.
      least: as `blind_targets` takes it.
    """
    targets = result.get("evidence", [])
    return bool(targets) and all(_one_kind(target, least) for target in targets)


def _blind(target: dict, least: float | None) -> str:
    """Returns why nothing could have been found through a target, or nothing."""
    same = _one_kind(target, least)
    if same:
        return same
    if target.get("constant_outputs"):
        return (
            "the model gives every attacked record the same output, so that its "
            "outputs tell nothing of a record"
        )
    return untaught(target)


def _one_kind(target: dict, least: float | None) -> str:
    if target.get("constant_inputs"):
        return (
            "all attacked records are equal, members and non-members alike, so no "
            "attack can tell them apart"
        )
    copies, others = target.get("copies", 0), target.get("attacked_non_members", 0)
    # An AUC beyond which none can go but by how often a record was trained on: what is
    # no copy may all be told apart, of the copies half is right by guessing.
    if copies and 1 - copies / others / 2 <= (least or 1):
        return (
            f"{copies:,} of the {others:,} attacked non-members are exact copies of "
            "records that the model was trained on, so it is not wrong to take these "
            "for members, and an attack can only find how often a record was trained on"
        )
    return ""


def untaught(target: dict) -> str:
    """Returns that a model is not shown to have learned anything, or nothing.

    Args:
      target: its `train_accuracy`, `train_records` and `largest_class`, if known; of
        one that names no class its `train_loss` and `constant_loss`; `measured_on`,
        which records these are of.
    """
    of = target.get("measured_on", "training records")
    if "constant_loss" in target:
        return _no_better_than_constant(target, of)
    accuracy, records = target.get("train_accuracy"), target.get("train_records")
    if accuracy is None or not records:
        return ""
    if not learned_nothing(accuracy, records, target["largest_class"]):
        return ""
    return (
        "the model is not shown to have learned anything: it is right on "
        f"{text.percent(accuracy)} % of its {records:,} {of}, and always "
        "naming their largest class would be right on "
        f"{text.percent(target['largest_class'])} %, so there may have been nothing to "
        "find"
    )


def _no_better_than_constant(target: dict, of: str) -> str:
    loss, constant = target["train_loss"], target["constant_loss"]
    if loss < constant:
        return ""
    return (
        "the model is not shown to have learned anything: its mean loss on "
        f"{target['train_records']:,} {of} is {text.significant(loss)}, and one that "
        f"gives all records the same answer reaches {text.significant(constant)}, so "
        "there may have been nothing to find"
    )


def without_power(
    rows: Sequence[dict], trained: Sequence[dict], checks: Sequence[dict]
) -> list[str]:
    """Returns why attacks that found nothing say nothing, as parts of a sentence.

    Args:
      rows: of `membership`, those that count.
      trained: all rows of `membership`.
      checks: null checks and positive controls.
    """
    reasons = []
    states = {row.get("trained") for row in trained}
    if False in states and True not in states:
        reasons.append("none of the attacks that need training did train")
    least = detectable(rows)
    if rows and (least is None or least > MOST_DETECTABLE):
        reasons.append(
            "so few records were attacked that only an AUC above "
            f"{text.number(least or MOST_DETECTABLE, 2)} would have been found"
        )
    return reasons + _checks_without_power(checks)


def _checks_without_power(checks: Sequence[dict]) -> list[str]:
    known = null_checks.counted(checks)
    planted = [row for row in known if row.get("control")]
    plain = [row for row in known if not row.get("control")]
    if not plain:
        return ["no null check could be counted" if checks else "no null check was run"]
    reasons = []
    powers = [row["detectable_auc"] for row in plain if "detectable_auc" in row]
    if powers and all(auc is None or auc > MOST_DETECTABLE for auc in powers):
        reasons.append(
            "the null checks would have found nothing below an AUC of "
            f"{text.number(MOST_DETECTABLE, 1)}"
        )
    if any(rows_lib.control_found(row) is False for row in planted):
        reasons.append("a positive control, a leak planted for the purpose, was missed")
    return reasons
