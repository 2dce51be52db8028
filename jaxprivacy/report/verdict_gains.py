"""What is said of gains: what holding the parameters adds to seeing the outputs."""

from __future__ import annotations

from collections.abc import Sequence

from jaxprivacy.evaluation import gains
from jaxprivacy.report import text, threats, verdict_rows

LOW_FPRS = (0.01, 0.001)  # at which a gain is spoken of


def gain_sentences(rows: Sequence[dict]) -> list[str]:
    """Returns whether the parameters give away more than the outputs, in sentences.

    Args:
      rows: of `membership`, one for all seeds, none of an attack that did not train.
    """
    known = [row for row in rows if verdict_rows.gain(row)]
    if not known:
        return []
    keys = threats.distinguishing(rows)
    rivals = any(gains.sees_outputs_only(row) and _learns(row) for row in rows)
    by_auc = _by_auc(known, keys, rivals)
    return [by_auc, *(said for fpr in LOW_FPRS for said in _at_fpr(known, keys, fpr))]


def _learns(row: dict) -> bool:
    """Whether a row's attack learns from records or models, and is no mere rule."""
    return threats.card(row["attack"]).learns or bool(threats.card(row["attack"]).needs)


def _by_auc(rows: Sequence[dict], keys: Sequence[str], rivals: bool) -> str:
    # The intervals hold together, so the best of them may be picked.
    row = max(rows, key=lambda row: verdict_rows.gain(row)["auc"]["low"])
    over, mean = verdict_rows.gain(row)["auc"], " on average" if "seeds" in row else ""
    name, against = threats.label(row, keys), _against(row)
    compared = f"the AUC of {name} minus that of {against} is"
    by = text.number_interval(over) + mean
    if not rivals:
        return (
            f"On the same records, {compared} {by}. No trained attack that sees only "
            "the outputs was run, so this does not say whether the parameters give "
            "away more than the outputs."
        )
    if over["low"] > 0:
        return (
            "An attacker who holds the parameters learns more than one who sees only "
            f"the outputs: on the same records, {compared} {by}."
        )
    if all(verdict_rows.gain(row)["auc"]["high"] < 0 for row in rows):
        return (
            "No attack that holds the parameters comes up to the best one that sees "
            f"only the outputs: on the same records, {compared} {by}."
        )
    return (
        "It is not shown that an attacker who holds the parameters learns more than "
        f"one who sees only the outputs: on the same records, {compared} {by}."
    )


def _against(row: dict) -> str:
    against = verdict_rows.gain(row)["against"]
    if against is None:  # Not the same attack with each seed.
        return "the best attack that sees outputs only, under the same conditions,"
    return f"{threats.card(against).title} under the same conditions"


def _at_fpr(rows: Sequence[dict], keys: Sequence[str], fpr: float) -> list[str]:
    """Says what the parameters add where few non-members may be taken for members."""
    entries = [(text.at_fpr(verdict_rows.gain(row), fpr), row) for row in rows]
    entries = [pair for pair in entries if pair[0]["value"] is not None]
    if not entries:
        return []
    entry, row = max(entries, key=lambda pair: pair[0]["low"])
    if entry["low"] > 0:
        judged = "which is more"
    elif entry["high"] < 0:
        judged = "which is less"
    else:
        judged = "so that no gain is shown"
    return [
        f"At a false positive rate of {text.rate(fpr)}, the share of the members that "
        f"{threats.label(row, keys)} finds minus that of {_against(row)} is "
        f"{text.points_interval(entry)}, {judged}."
    ]
