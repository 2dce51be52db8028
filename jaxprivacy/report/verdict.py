"""What the numbers allow to be said, derived from the intervals alone."""

from __future__ import annotations

from jaxprivacy.evaluation.membership import null_holds
from jaxprivacy.report import text
from jaxprivacy.report.threats import label, threat

# How exposed members are, by the lower end of the AUC interval of the best attack.
STRENGTHS = ((0.8, "severe"), (0.6, "clear"), (0.5, "slight"))


def verdict(result: dict) -> list[str]:
    """Returns plain sentences on a result, the most important one first.

    Args:
      result: the content of result.json; any of its lists may be empty.
    """
    membership, checks = result["membership"], result.get("null_checks", [])
    reconstruction = _reconstruction(result["reconstruction"])
    sentences = [] if _all_hold(checks) else _null_checks(checks)
    if membership:
        sentences += _membership(membership)
    sentences += reconstruction
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
    return _word(_best(result["membership"])) or "no evidence"


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
    return [
        f"The null check fails for {label(row)}: on records none of which was trained "
        f"on, its AUC is {text.number_interval(row['auc'])} and not 0.5. The other "
        "numbers are not to be trusted."
        for row in failed
    ]


def _best(rows: list[dict]) -> dict:
    """Returns the row with the highest AUC, among those shown above 0.5 if any is."""
    shown = [row for row in rows if row["auc"]["low"] > 0.5]
    return max(shown or rows, key=lambda row: row["auc"]["value"])


def _word(row: dict) -> str:
    words = [word for least, word in STRENGTHS if row["auc"]["low"] > least]
    return words[0] if words else ""


def _membership(rows: list[dict]) -> list[str]:
    best = _best(rows)
    name, interval = label(best), text.number_interval(best["auc"])
    if _word(best):
        first = (
            "Members can be told apart from non-members, and their exposure is "
            f"{_word(best)}: {name}, the best of {len(rows)}, reaches an AUC of "
            f"{interval}, 0.5 being chance."
        )
    else:
        first = (
            "No evidence at this sample size that members can be told apart from "
            f"non-members: the strongest attack, {name}, reaches an AUC of {interval}, "
            "not shown to be above chance, 0.5."
        )
    return [first, *_reversed(rows), *_low_fpr(rows)]


def _reversed(rows: list[dict]) -> list[str]:
    return [
        f"{label(row)} ranks non-members above members, AUC "
        f"{text.number_interval(row['auc'])}: members and non-members differ, but not "
        "in the way that the attack expects."
        for row in rows
        if row["auc"]["high"] < 0.5
    ]


def _low_fpr(rows: list[dict]) -> list[str]:
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
    judged = "more than" if best["low"] > fpr else "not shown to be more than"
    return [
        f"At a false positive rate of {text.rate(fpr)}, {label(row)} finds "
        f"{text.percent_interval(best)} of the members, {judged} the {text.rate(fpr)} "
        "of guessing."
    ]


def _reconstruction(rows: list[dict]) -> list[str]:
    sentences = []
    for target in dict.fromkeys(row["target_class"] for row in rows):
        by_attack = {
            row["attack"]: row for row in rows if row["target_class"] == target
        }
        sentences += _one_class(target, by_attack)
    return sentences


def _one_class(target: int, rows: dict[str, dict]) -> list[str]:
    attacks = ("gan", "gan_no_influence", "model_inversion")
    attack = next((name for name in attacks if name in rows), None)
    if attack is None:
        return []
    judged, untrained = rows[attack], rows.get("untrained")
    baselines = [
        f"{threat(name).title}: {text.percent_interval(rows[name]['hit_rate'])}"
        for name in ("untrained", "model_inversion")
        if name in rows and name != attack
    ]
    beside = f" ({'; '.join(baselines)})" if baselines else ""
    first = (
        f"Class {target}: an independent classifier takes "
        f"{text.percent_interval(judged['hit_rate'])} of the samples of "
        f"{threat(attack).title} for the class{beside}."
    )
    if untrained is None:
        rest = ["Without an untrained generator beside it, this cannot be judged."]
    else:
        rest = [_recognised(judged, untrained)]
        rest += _nearer(attack, judged, untrained, rows.get("real"))
    return [" ".join([first, *rest])]


def _recognised(judged: dict, untrained: dict) -> str:
    if judged["hit_rate"]["low"] > untrained["hit_rate"]["high"]:
        return (
            "The samples are recognised as the class: the interval lies above that of "
            "an untrained generator."
        )
    return (
        "The reconstruction is not recognisable: its hit rate cannot be told from that "
        "of an untrained generator."
    )


def _nearer(attack: str, judged: dict, untrained: dict, real: dict | None) -> list[str]:
    if judged["frechet"] is None or untrained["frechet"] is None:
        return []
    word = "nearer" if judged["frechet"] < untrained["frechet"] else "not nearer"
    ours, theirs = (text.significant(row["frechet"]) for row in (judged, untrained))
    sentence = (
        f"By the Frechet distance to the victim's images, {threat(attack).title} "
        f"({ours}) is {word} than an untrained generator ({theirs})"
    )
    if real is not None and real["frechet"] is not None:
        sentence += f"; real images lie at {text.significant(real['frechet'])}"
    return [sentence + "."]
