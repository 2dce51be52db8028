"""What the numbers allow to be said, derived from the intervals alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from jaxprivacy.evaluation import three_way
from jaxprivacy.evaluation.membership import null_holds
from jaxprivacy.evaluation.seeds import seed_groups
from jaxprivacy.report import text
from jaxprivacy.report.threats import distinguishing, label
from jaxprivacy.report.verdict_reconstruction import reconstruction_sentences

# How exposed members are, by the lower end of the AUC interval of the best attack; of
# several attacks, of the interval that holds for all of them together, or the best of
# many would seem exposed by chance.
STRENGTHS = ((0.8, "severe"), (0.6, "clear"), (0.5, "slight"))
# A larger total epsilon allows probabilities to differ by a factor above 22,000.
MOST_EPSILON = 10


def verdict(result: dict) -> list[str]:
    """Returns plain sentences on a result, the most important one first.

    Args:
      result: the content of result.json; any of its lists may be empty, and `privacy`
        null or absent.
    """
    membership, checks = result["membership"], result.get("null_checks", [])
    reconstruction = reconstruction_sentences(result["reconstruction"])
    sentences = [] if _all_hold(checks) else _null_checks(checks)
    if membership:
        sentences += _membership(membership)
    sentences += _three_way(result.get("three_way", []))
    sentences += reconstruction
    sentences += _privacy(result.get("privacy"))
    if checks and _all_hold(checks):
        sentences += _null_checks(checks)
    if membership and not checks:
        sentences.append(
            "No null check was run: nothing shows that these attacks find nothing "
            "where there is nothing to find."
        )
    if not membership:
        sentences.append("No membership inference attack was run.")
    if not reconstruction:
        sentences.append("No reconstruction attack was run.")
    return sentences


def strength(result: dict) -> str:
    """Returns one or two words for the exposure of members, empty if none was measured.

    They are 'not to be trusted' (a null check failed), a word of `STRENGTHS`, or
    'no evidence'.
    """
    if not _all_hold(result.get("null_checks", [])):
        return "not to be trusted"
    if not result["membership"]:
        return ""
    return _word(_best(_over_seeds(result["membership"]))) or "no evidence"


def _all_hold(checks: list[dict]) -> bool:
    return all(null_holds(row) for row in checks)


def _null_checks(checks: list[dict]) -> list[str]:
    failed = [row for row in checks if not null_holds(row)]
    if not failed:
        subject = (
            "the AUC interval covers"
            if len(checks) == 1
            else (f"all {len(checks)} AUC intervals cover")
        )
        return [
            f"The null check holds: on records none of which was trained on, {subject} "
            "0.5."
        ]
    keys = distinguishing(checks)
    return [_failed(row, label(row, keys)) for row in failed]


def _failed(row: dict, name: str) -> str:
    auc = text.number_interval(row["auc"])
    if row.get("target") == "untrained":
        return (
            f"The null check fails for {name}: through a model that was trained on "
            f"nothing its AUC is {auc} and not 0.5. Members and non-members differ by "
            "how they were sampled, so the other numbers are not to be trusted."
        )
    return (
        f"The null check fails for {name}: on records none of which was trained on, "
        f"its AUC is {auc} and not 0.5. The other numbers are not to be trusted."
    )


def _over_seeds(rows: list[dict]) -> list[dict]:
    """Returns one row for those that differ in the seed alone.

    Its values are means, its intervals run from the lowest low to the highest high: a
    statement that rests on their ends holds for the model of each seed. Student's t
    over two or three seeds would be so wide that it denies what each of them shows.
    """
    if not text.several_seeds(rows):
        return rows
    return [_envelope_row(group) for group in seed_groups(rows)]


def _envelope_row(group: list[dict]) -> dict:
    if len(group) == 1:
        return group[0]
    entries = zip(*(row["tpr_at_fpr"] for row in group), strict=True)
    first, *others = group
    # A rate chosen anew with each seed is of none of them.
    shared = {
        key: value
        for key, value in first.items()
        if all(row.get(key) == value for row in others)
    }
    return shared | {
        "auc": _envelope([row["auc"] for row in group]),
        "auc_simultaneous": _envelope([_simultaneous(row) for row in group]),
        "tpr_at_fpr": [
            {"fpr": e[0]["fpr"], "above_guessing": all(map(_above_guessing, e))}
            | _envelope(e)
            for e in entries
        ],
        "seeds": len(group),
        **_gain_of(group),
    }


def _above_guessing(entry: dict) -> bool:
    known = entry["value"] is not None and entry["low"] > entry["fpr"]
    return entry.get("above_guessing", known)


def _gain_of(group: list[dict]) -> dict:
    gains = [row["auc_over_black_box"] for row in group if "auc_over_black_box" in row]
    return {"auc_over_black_box": _envelope(gains)} if gains else {}


def _envelope(intervals: Sequence[dict]) -> dict:
    known = [interval for interval in intervals if interval["value"] is not None]
    if not known:
        return {"value": None, "low": None, "high": None}
    return {
        "value": sum(interval["value"] for interval in known) / len(known),
        "low": min(interval["low"] for interval in known),
        "high": max(interval["high"] for interval in known),
    }


def _best(rows: list[dict]) -> dict:
    """Returns the row with the highest AUC, among those shown above 0.5 if any is."""
    shown = [row for row in rows if _simultaneous(row)["low"] > 0.5]
    return max(shown or rows, key=lambda row: row["auc"]["value"])


def _word(row: dict) -> str:
    low = _simultaneous(row)["low"]
    words = [word for least, word in STRENGTHS if low > least]
    return words[0] if words else ""


def _simultaneous(row: dict) -> dict:
    """Returns the interval that holds together with those of the other attacks."""
    return row.get("auc_simultaneous", row["auc"])


def _kinds(row: dict) -> tuple[str, str]:
    """Returns what a row's two kinds of record are called."""
    first, slash, second = (row.get("pair") or "").partition(" / ")
    if not slash:
        return "members", "non-members"
    return tuple(k if "member" in k else f"{k} records" for k in (first, second))


def _auc(row: dict) -> str:
    """Returns e.g. 'an AUC of 0.7 [0.6, 0.8]', saying what it is of several seeds."""
    shown = text.number_interval(row["auc"])
    if "seeds" not in row:
        return f"an AUC of {shown}"
    seeds = f"{row['seeds']} seeds (in brackets the ends of all their intervals)"
    return f"a mean AUC of {shown} over {seeds}"


def _membership(rows: list[dict]) -> list[str]:
    rows = _over_seeds(rows)
    keys, best = distinguishing(rows), _best(rows)
    name, (members, non_members) = label(best, keys), _kinds(best)
    if _word(best):
        first = (
            f"{members.capitalize()} can be told apart from {non_members}, and their "
            f"exposure is {_word(best)}: {name}, the best of {len(rows)}, reaches "
            f"{_auc(best)}, 0.5 being chance."
        )
    else:
        first = (
            f"No evidence at this sample size that {members} can be told apart from "
            f"{non_members}: the strongest attack, {name}, reaches {_auc(best)}, "
            f"not shown to be above chance, 0.5{_widened(rows)}."
        )
    rest = _over_black_box(rows, keys), _reversed(rows, keys), _low_fpr(rows, keys)
    return [first, *itertools.chain(*rest)]


def _widened(rows: list[dict]) -> str:
    """Says that an interval alone may be above 0.5 and, of the best of many, is not."""
    together = any("auc_simultaneous" in row for row in rows)
    return f", once widened for all {len(rows)} attacks" if together else ""


def _over_black_box(rows: list[dict], keys: Sequence[str]) -> list[str]:
    """Says whether the parameters give away more than the outputs."""
    known = [
        row
        for row in rows
        if row["attack"] == "white_box" and "auc_over_black_box" in row
    ]
    if not known:
        return []
    # The intervals hold together, so the best of them may be picked.
    best = max(known, key=lambda row: row["auc_over_black_box"]["low"])
    gain, name = best["auc_over_black_box"], label(best, keys)
    by = text.number_interval(gain) + (" on average" if "seeds" in best else "")
    if gain["low"] > 0:
        return [
            "Who holds the parameters learns more than who sees the outputs: on the "
            f"same records the AUC of {name} is higher than the black-box attack's by "
            f"{by}."
        ]
    if all(row["auc_over_black_box"]["high"] < 0 for row in known):
        return [
            "Every white-box attack falls short of the black-box attack: on the same "
            f"records the AUC of {name} differs by {by}."
        ]
    return [
        "That who holds the parameters learns more than who sees the outputs is not "
        f"shown: on the same records the AUC of {name} differs from the black-box "
        f"attack's by {by}."
    ]


def _reversed(rows: list[dict], keys: Sequence[str]) -> list[str]:
    sentences = []
    for row in rows:
        if _simultaneous(row)["high"] < 0.5:
            members, non_members = _kinds(row)
            sentences.append(
                f"{label(row, keys)} ranks {non_members} above {members}, AUC "
                f"{text.number_interval(row['auc'])}: {members} and {non_members} "
                "differ, but not in the way that the attack expects."
            )
    return sentences


def _low_fpr(rows: list[dict], keys: Sequence[str]) -> list[str]:
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
    _, best, row = max(at_lowest, key=lambda entry: entry[1]["value"])
    judged = "more than" if _above_guessing(best) else "not shown to be more than"
    mean = " on average" if "seeds" in row else ""
    return [
        f"At a false positive rate of {text.rate(fpr)}, {label(row, keys)} finds "
        f"{text.percent_interval(best)} of the {_kinds(row)[0]}{mean}, {judged} the "
        f"{text.rate(fpr)} of guessing."
    ]


def _three_way(rows: list[dict]) -> list[str]:
    """Says how often the best attack knows which of the kinds a record is."""
    if not rows:
        return []
    shown = three_way.summarise(rows)
    best = max(shown, key=lambda row: row["accuracy"]["value"])
    *kinds, last = best["kinds"]
    mean = " on average over the seeds" if "seeds" in best else ""
    return [
        f"Asked whether a record is {', '.join(kinds)} or {last}, "
        f"{label(best, distinguishing(shown))} is right on "
        f"{text.percent_interval(best['accuracy'])}{mean}, "
        f"{text.percent(1 / len(best['kinds']))} % being chance."
    ]


def _privacy(privacy: dict | None) -> list[str]:
    if not privacy:
        return []
    total = privacy["epsilon_total"]
    said = (
        "The uploads are differentially private with an epsilon of "
        f"{text.epsilon(privacy['epsilon_per_parameter'])} per parameter, which is "
        f"{text.epsilon(privacy['epsilon_per_upload'])} per epoch and participant and "
        f"{text.epsilon(total)} in total"
    )
    if total > MOST_EPSILON:
        said += f"; a total above {MOST_EPSILON} is no meaningful guarantee"
    return [said + "."]
