"""Rows as the verdict reads them: those that count, one for all seeds, and intervals.

Every statement rests on an interval that holds for all attacks together, or the best of
many would seem exposed by chance; that interval is the one which is printed.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxprivacy.evaluation import membership, null_checks, seeds
from jaxprivacy.report import text

BAD_CHECKS = ("fails", "missed")  # of what `check_word` says


def checks(result: dict) -> list[dict]:
    """Returns null checks, then positive controls: the same with a planted leak."""
    return [*result.get("null_checks", []), *result.get("positive_controls", [])]


def failed_checks(checks: Sequence[dict]) -> list[dict]:
    """Returns the null checks that find something where there is nothing."""
    return [
        row
        for row in null_checks.counted(checks)
        if not row.get("control") and not membership.null_holds(row)
    ]


def control_found(row: dict) -> bool | None:
    """Whether the leak of a positive control was found; None: too few records to."""
    return row.get("found", row["auc"]["low"] > 0.5)


def check_word(row: dict) -> str:
    """Returns what a row of `null_checks` came to, in a word or two."""
    if row.get("trained") is False:
        return "not trained"
    if row.get("control"):
        return {True: "found", False: "missed", None: "too few"}[control_found(row)]
    return "holds" if membership.null_holds(row) else "fails"


def together(row: dict) -> dict:
    """Returns the AUC with the interval that holds with those of the other attacks."""
    return row["auc"] | row.get("auc_simultaneous", {})


def rate_at(row: dict, fpr: float) -> dict:
    """Returns the rate of `tpr_at_fpr` at a false positive rate."""
    (found,) = (entry for entry in row["tpr_at_fpr"] if entry["fpr"] == fpr)
    return found


def rate_together(entry: dict) -> dict:
    """Returns a rate of `tpr_at_fpr` with the interval that decides.

    Results from before these intervals were kept say what was decided, without it.
    """
    if "simultaneous" in entry:
        return entry | entry["simultaneous"]
    if entry["low"] is None:
        return entry
    own = entry["low"] > entry["fpr"]
    if entry.get("above_guessing", own) != own:
        return entry | {"low": None, "high": None}
    return entry


def above_guessing(entry: dict) -> bool:
    """Whether a rate of `tpr_at_fpr` is shown to be more than its false positives'."""
    low = rate_together(entry)["low"]
    if low is None:
        return bool(entry.get("above_guessing", False))
    return low > entry["fpr"]


def gain(row: dict) -> dict | None:
    """Returns what a row adds to the best attack that sees outputs only, or None."""
    if "over_outputs" in row:
        return {"against": None, "tpr_at_fpr": []} | row["over_outputs"]
    # Results from before others were compared hold it of simple rules too.
    if "auc_over_black_box" in row and row["attack"] == "white_box":
        over = row["auc_over_black_box"]
        return {"against": "black_box", "auc": over, "tpr_at_fpr": []}
    return None


def over_seeds(rows: list[dict]) -> list[dict]:
    """Returns one row for those that differ in the seed alone.

    Its values are means, its intervals run from the lowest low to the highest high: a
    statement that rests on their ends holds for the model of each seed. Student's t
    over two or three seeds would be so wide that it denies what each of them shows.
    """
    if not text.several_seeds(rows):
        return rows
    return [_envelope_row(group) for group in seeds.seed_groups(rows)]


def _envelope_row(group: list[dict]) -> dict:
    if len(group) == 1:
        return group[0]
    first, *others = group
    # A rate chosen anew with each seed is of none of them.
    shared = {
        key: value
        for key, value in first.items()
        if all(row.get(key) == value for row in others)
    }
    for key in ("over_outputs", "auc_over_black_box"):
        shared.pop(key, None)
    gains = [known for known in map(gain, group) if known]
    more = {"over_outputs": _envelope_gain(gains)} if gains else {}
    return shared | {
        "members": min(row["members"] for row in group),
        "non_members": min(row["non_members"] for row in group),
        "auc": _envelope([row["auc"] for row in group]),
        "auc_simultaneous": _envelope([together(row) for row in group]),
        "tpr_at_fpr": _envelope_rates([row["tpr_at_fpr"] for row in group]),
        "seeds": len(group),
        **more,
    }


def _envelope_rates(of_rows: Sequence[list[dict]]) -> list[dict]:
    return [
        {"fpr": entries[0]["fpr"], "above_guessing": all(map(above_guessing, entries))}
        | _envelope([rate_together(entry) for entry in entries])
        for entries in zip(*of_rows, strict=True)
    ]


def _envelope_gain(gains: Sequence[dict]) -> dict:
    against = {known["against"] for known in gains}
    return {
        "against": against.pop() if len(against) == 1 else None,
        "auc": _envelope([known["auc"] for known in gains]),
        "tpr_at_fpr": [
            {"fpr": entries[0]["fpr"]} | _envelope(entries)
            for entries in zip(*(known["tpr_at_fpr"] for known in gains), strict=True)
        ],
    }


def _envelope(intervals: Sequence[dict]) -> dict:
    known = [interval for interval in intervals if interval["value"] is not None]
    if not known:
        return {"value": None, "low": None, "high": None}
    ends = [i for i in known if i["low"] is not None]
    whole = len(ends) == len(known)
    return {
        "value": sum(interval["value"] for interval in known) / len(known),
        "low": min(interval["low"] for interval in ends) if whole else None,
        "high": max(interval["high"] for interval in ends) if whole else None,
    }
