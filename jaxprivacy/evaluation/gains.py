"""What an attack gains over the best one that sees a model's outputs only."""

from __future__ import annotations

from collections.abc import Sequence

from jaxprivacy import cards
from jaxprivacy.evaluation import membership, seeds, tpr

OUTPUT_ONLY = tuple(
    card.name for card in cards.MEMBERSHIP if set(card.sees) <= {"loss", "outputs"}
)
# What says of a row which attack it is of, and not which target was attacked.
_OF_ATTACK = ("attack", "supervision", "layers", "gradients")
# How many records an attack learned from, which a rule that learns nothing lacks.
_SIZES = ("attack_members", "attack_non_members")


def gains(
    rows: Sequence[dict], scores: Sequence[membership.MembershipScores]
) -> list[dict]:
    """Adds to rows what their attacks gain over the best output-only attack.

    That is whether gradients and hidden outputs give away more than the outputs do,
    paper B's main claim, measured on the same records of the same target. The best of
    `OUTPUT_ONLY`, and of trained attacks whose row has `outputs_only`, is that with the
    largest AUC on the selection records; an attack that did not train is neither
    compared nor compared with, and one that is no better than its start, which may be
    a rule on the outputs, has no gain of its own.

    Args:
      rows: of `membership_row`, with their conditions and `trained`.
      scores: theirs.

    Returns:
      The rows. Those of other attacks that have an output-only attack beside them get
      `over_outputs`: `against`, the name of that attack (`black_box` for one that sees
      what the black box sees); `auc`, the `value`, `low` and
      `high` of `membership.auc_difference` with the `confidence` at which all of them
      hold together with 95 %; and `tpr_at_fpr`, of `tpr.difference` with the same
      confidence.

    Raises:
      ValueError: two rows of one output-only attack are not told apart.
    """
    pairs = list(zip(rows, scores, strict=True))
    known = [
        pair
        for pair in pairs
        # Who must train shadows knows less, and is none to compare with.
        if sees_outputs_only(pair[0]) and pair[0]["attack"] != "shadow"
    ]
    cases = [(row["attack"], _case(row), _case(row, _SIZES)) for row, _ in known]
    if len(set(cases)) < len(cases):
        raise ValueError("rows: two output-only attacks whose conditions are the same")
    ranked = sorted(
        (pair for pair in known if pair[0].get("trained") is not False),
        key=lambda pair: -membership.auc(*pair[1][:2]).value,
    )
    against = [_against(row, ranked) for row in rows]
    compared = sum(best is not None for best in against)
    confidence = membership.simultaneous_confidence(max(1, compared))
    return [
        row if best is None else row | {"over_outputs": _gain(s, *best, confidence)}
        for (row, s), best in zip(pairs, against, strict=True)
    ]


def _case(row, keys=None):
    keys = keys or [
        k for k in (*seeds.CONDITIONS, "seed") if k not in _OF_ATTACK + _SIZES
    ]
    return repr([row.get(key) for key in keys])


def sees_outputs_only(row: dict) -> bool:
    """Whether a row's attack sees a model's outputs alone, or uses no more of it."""
    return row["attack"] in OUTPUT_ONLY or row.get("outputs_only", False)


def _against(row, ranked):
    """The first of ranked output-only attacks on what this row's attack was run on."""
    unlearned = row.get("trained") is False or row.get("learned") is False
    if sees_outputs_only(row) or unlearned:
        return None
    for other, scores in ranked:
        sizes = all(other.get(key) in (None, row.get(key)) for key in _SIZES)
        if sizes and _case(other) == _case(row):
            name = other["attack"]
            return (name if name in OUTPUT_ONLY else "black_box"), scores
    return None


def _gain(scores, against, other, confidence):
    area = membership.auc_difference(scores[2:], other[2:], confidence)
    return {
        "against": against,
        "auc": area._asdict() | {"confidence": confidence},
        "tpr_at_fpr": tpr.difference(scores[2:], other[2:], confidence=confidence),
    }


def auc_gain(row: dict) -> dict | None:
    """Returns a row's gain in AUC, None if it has none.

    Of results of schema 1 it is over the black-box attack, whether or not that was the
    best one.

    Args:
      row: of `membership` in result.json, or a mean of such rows.
    """
    gain = row.get("over_outputs")
    return gain["auc"] if gain else row.get("auc_over_black_box")
