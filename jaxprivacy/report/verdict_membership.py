"""What is said of membership: how far members can be told apart, and by whom."""

from __future__ import annotations

from collections.abc import Sequence

from jaxprivacy.evaluation import null_checks
from jaxprivacy.report import (
    text,
    threats,
    verdict_evidence,
    verdict_gains,
    verdict_rows as rows_lib,
)

# How exposed members are, by the lower end of the AUC interval of the best attack.
STRENGTHS = ((0.8, "severe"), (0.6, "clear"), (0.5, "slight"))
_NAMED = 3  # Up to so many attacks that did not train are named.


def membership(result: dict) -> tuple[str, list[str]]:
    """Returns the level of exposure of members and sentences on it.

    Args:
      result: the content of result.json with at least one row of `membership`.
    """
    everyone, checks = result["membership"], rows_lib.checks(result)
    rows = rows_lib.over_seeds(null_checks.counted(everyone))
    failed = rows_lib.failed_checks(checks)
    least = verdict_evidence.detectable(rows) if rows else None
    word = _word(best(rows)) if rows else ""
    if failed:
        level = "cannot_tell"
        first = _failed_checks(failed, threats.distinguishing(checks))
        first += _face_value(rows)
    elif word and not verdict_evidence.not_two_kinds(result, least):
        level, first = word, [_found(rows, word)]
    else:
        level, first = _nothing_found(result, rows, least)
    return level, [
        *first,
        *_untrained(everyone),
        *verdict_gains.gain_sentences(rows),
        *([] if level == "cannot_tell" and not failed else _reversed(rows)),
        *_low_fpr(rows),
        *_checks(checks, failed),
    ]


def best(rows: Sequence[dict]) -> dict:
    """Returns the row with the highest AUC, among those shown above 0.5 if any is."""
    shown = [row for row in rows if rows_lib.together(row)["low"] > 0.5]
    return max(shown or rows, key=lambda row: row["auc"]["value"])


def _word(row: dict) -> str:
    low = rows_lib.together(row)["low"]
    words = [word for least, word in STRENGTHS if low > least]
    return words[0] if words else ""


def _kinds(row: dict) -> tuple[str, str]:
    """Returns what a row's two kinds of record are called."""
    first, slash, second = (row.get("pair") or "").partition(" / ")
    if not slash:
        return "members", "non-members"
    return tuple(k if "member" in k else f"{k} records" for k in (first, second))


def _reaches(rows: Sequence[dict]) -> str:
    """Returns e.g. 'White-box, the best of 3, reaches an AUC of 0.7 [0.6, 0.8]'."""
    row = best(rows)
    shown = text.number_interval(rows_lib.together(row))
    of_all = any("auc_simultaneous" in row for row in rows)
    notes = []
    if "seeds" in row:
        notes.append("in brackets the lowest and the highest end of all seeds")
    if of_all:
        notes.append("widened to hold for all attacks together")
    reached = (
        f"a mean AUC of {shown} over {row['seeds']} seeds"
        if "seeds" in row
        else (f"an AUC of {shown}")
    )
    of = f", the best of {len(rows)} attacks," if len(rows) > 1 else ""
    note = f" ({'; '.join(notes)})" if notes else ""
    label = threats.label(row, threats.distinguishing(rows))
    return f"{label}{of} reaches {reached}{note}"


def _found(rows: Sequence[dict], word: str) -> str:
    members, non_members = _kinds(best(rows))
    return (
        f"{members.capitalize()} can be told apart from {non_members}, and their "
        f"exposure is {word}: {_reaches(rows)}, where 0.5 is chance."
    )


def _nothing_found(
    result: dict, rows: list[dict], least: float | None
) -> tuple[str, list[str]]:
    """Nothing was found; whether anything could have been decides what that means."""
    blind, some = verdict_evidence.blind_targets(result, least)
    checks = rows_lib.checks(result)
    reasons = blind or verdict_evidence.without_power(
        rows, result["membership"], checks
    )
    reversed_ = _reversed(rows)
    if not reasons and not reversed_:
        members, non_members = _kinds(best(rows))
        return "none_found", [
            f"No sign was found that {members} can be told apart from {non_members}: "
            f"{_reaches(rows)}, where 0.5 is chance. "
            + verdict_evidence.could_have_found(least),
            *some,
        ]
    why = f": {'; and '.join(reasons)}" if reasons else ""
    first = [f"Whether members are exposed cannot be determined{why}.", *reversed_]
    if rows and _word(best(rows)):
        first += _face_value(rows)
    elif rows:
        first.append(
            f"Nothing was found: {_reaches(rows)}, where 0.5 is chance. "
            + verdict_evidence.could_have_found(least)
        )
    return "cannot_tell", first + some


def _face_value(rows: Sequence[dict]) -> list[str]:
    if not rows:
        return []
    return [
        f"At face value, which should not be trusted for this reason, {_reaches(rows)}."
    ]


def _failed_checks(failed: Sequence[dict], keys: Sequence[str]) -> list[str]:
    lead = "Whether members are exposed cannot be determined: t"
    said = [_failed(row, threats.label(row, keys)) for row in failed]
    return [lead + said[0][1:], *said[1:]]


def _failed(row: dict, name: str) -> str:
    auc = text.number_interval(row["auc"])
    if row.get("target") == "untrained":
        return (
            f"The null check fails for {name}: through a model that was trained on "
            f"nothing its AUC is {auc} and not 0.5. Members and non-members differ by "
            "how they were sampled, so the other numbers are not to be trusted."
        )
    where = _WHERE.get(row.get("target"), _WHERE[None])
    return (
        f"The null check fails for {name}: {where}, its AUC is {auc} and not 0.5. The "
        "other numbers are not to be trusted."
    )


# Of null checks, by their `target`.
_WHERE = {
    None: "on records none of which was trained on",
    "stand-in": "through the uploads of a participant that holds none of the members",
    "untrained": "through a model that was trained on nothing",
}


def _checks(checks: Sequence[dict], failed: Sequence[dict]) -> list[str]:
    """Says that the checks hold and what they could have seen, unless one fails."""
    counted = null_checks.counted(checks)
    plain = [row for row in counted if not row.get("control")]
    planted = [row for row in counted if row.get("control")]
    sentences = []
    if not checks:
        sentences.append(
            "No null check was run: nothing shows that these attacks find nothing "
            "where there is nothing to find."
        )
    elif plain and not failed:
        sentences.append(_hold(plain))
    if planted:
        states = list(map(rows_lib.control_found, planted))
        found, unsure = states.count(True), states.count(None)
        more = f"; {unsure} had too few records for it" if unsure else ""
        sentences.append(
            f"Of {len(planted)} positive {_plural('control', len(planted))}, in which "
            f"a leak was planted to be found, {found or 'none'} "
            f"{'was' if found < 2 else 'were'} found{more}."
        )
    return sentences


def _hold(plain: Sequence[dict]) -> str:
    kinds = {row.get("target") for row in plain}
    where = [said for kind, said in _WHERE.items() if kind in kinds]
    subject = (
        "the AUC interval covers"
        if len(plain) == 1
        else f"all {len(plain)} AUC intervals cover"
    )
    said = f"The null check holds: {' and '.join(where)}, {subject} 0.5."
    known = [row["detectable_auc"] for row in plain if "detectable_auc" in row]
    if not known:
        return said
    if None in known:
        return said + " Some of them have too few records to have found anything."
    return said + (
        f" An AUC of {text.number(max(known), 2)} or more would have been found with a "
        "probability of at least 0.8 in each."
    )


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _untrained(rows: Sequence[dict]) -> list[str]:
    """Names the attacks that did not train."""
    left_out = [row for row in rows if row.get("trained") is False]
    if not left_out:
        return []
    keys = threats.distinguishing(rows)
    names = list(dict.fromkeys(threats.label(row, keys) for row in left_out))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [
        f"{len(left_out)} of {len(rows)} attack runs did not train: their networks "
        "learned nothing, and they count in none of these sentences: "
        f"{'; '.join(names[:_NAMED])}{more}."
    ]


def _reversed(rows: Sequence[dict]) -> list[str]:
    sentences, keys = [], threats.distinguishing(rows)
    for row in rows:
        if rows_lib.together(row)["high"] < 0.5:
            members, non_members = _kinds(row)
            sentences.append(
                f"{threats.label(row, keys)} ranks {non_members} above {members}, AUC "
                f"{text.number_interval(rows_lib.together(row))}: {members} and "
                f"{non_members} differ, but not in the way that the attack expects."
            )
    return sentences


def _low_fpr(rows: Sequence[dict]) -> list[str]:
    entries = [
        (entry["fpr"], entry, row)
        for row in rows
        for entry in row["tpr_at_fpr"]
        if entry["value"] is not None
    ]
    if not entries:
        return []
    fpr = min(entry[0] for entry in entries)
    at_lowest = [entry for entry in entries if entry[0] == fpr]
    shown = [entry for entry in at_lowest if rows_lib.above_guessing(entry[1])]
    _, found, row = max(shown or at_lowest, key=lambda entry: entry[1]["value"])
    mean = " on average" if "seeds" in row else ""
    return [
        f"At a false positive rate of {text.rate(fpr)}, "
        f"{threats.label(row, threats.distinguishing(rows))} finds the most "
        f"{_kinds(row)[0]}{mean}, {_judged(found)}."
    ]


def _judged(entry: dict) -> str:
    """Returns a rate, the interval that decides, and what it decides."""
    shown, fpr = rows_lib.rate_together(entry), text.rate(entry["fpr"])
    if shown["low"] is None:
        more = "more than" if rows_lib.above_guessing(entry) else "not shown to be more"
        than = "" if rows_lib.above_guessing(entry) else " than"
        return f"{text.percent(shown['value'])} %, {more}{than} the {fpr} of guessing"
    rate = text.percent_interval(shown)
    if rows_lib.above_guessing(entry):
        return f"{rate}, more than the {fpr} of guessing"
    if shown["high"] < entry["fpr"]:
        return f"{rate}, less than the {fpr} of guessing"
    return (
        f"{rate}, which is not shown to be more than the {fpr} of guessing, since the "
        "interval includes that"
    )
