"""Attacks' scores as rows of `result.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxprivacy.evaluation import membership, tpr
from jaxprivacy.evaluation.seeds import CONDITIONS


class Scored(NamedTuple):
    """An attack's scores, and those where no record was trained on."""

    # What distinguishes it, with `attack`, `attacker` and `mode`.
    row: dict[str, Any]
    scores: membership.MembershipScores
    null: membership.MembershipScores | None  # of the null check; None: not run
    threshold: float | None = None  # None: chosen on the selection records
    # The unsupervised attack's numbers of evaluation members and non-members.
    embeddings: tuple[np.ndarray, np.ndarray] | None = None
    everyone: np.ndarray | None = None  # scores of all records that are observed
    trained: bool | None = None  # None: a rule that learns nothing


def rows(
    scored: Sequence[Scored], setting: str, untrained: Sequence[Scored] = ()
) -> tuple[list[dict], list[dict]]:
    """The rows of `membership` and of `null_checks` in result.json.

    The intervals of null checks are widened (Bonferroni), so that all of them cover
    what they estimate together.

    Args:
      scored: the attacks.
      setting: what is trained, e.g. `federated`.
      untrained: attacks on a model that was trained on nothing: further null checks.
    """
    null = [(s, s.null) for s in scored if s.null is not None]
    null += [(s, s.scores) for s in untrained]
    confidence = membership.simultaneous_confidence(max(1, len(null)))

    def row(s, which, **options):
        keys = dict(s.row)
        fixed = {name: keys.pop(name) for name in ("attack", "attacker", "mode")}
        made = membership_row(
            which, setting=setting, threshold=s.threshold, **fixed, **options
        )
        return made | {"trained": s.trained} | keys

    found = gains(
        [row(s, s.scores, attacks=len(scored)) for s in scored],
        [s.scores for s in scored],
    )
    return found, [row(*pair, confidence=confidence) for pair in null]


def membership_row(
    scores: membership.MembershipScores,
    *,
    attack: str,
    setting: str,
    attacker: str,
    mode: str,
    confidence: float = 0.95,
    threshold: float | None = None,
    attacks: int = 1,
) -> dict:
    """Returns one attack's row of `result.json`.

    Args:
      scores: selection and evaluation scores.
      attack: name of the attack, as in `report.threats`.
      setting: what is trained, e.g. `federated`.
      attacker: where the attacker sits, e.g. `global`.
      mode: what it does, e.g. `passive`.
      confidence: coverage of each interval.
      threshold: above which a record is called a member; None: the best on the
        selection set, for attacks that may see its labels.
      attacks: how many there are in the study. Of several the row has other intervals
        too, `auc_simultaneous` and `simultaneous` in each of `tpr_at_fpr`: together
        they all hold with `confidence`, and so does that of the attack which turns out
        to be the best.

    Raises:
      ValueError: a set is empty, not a vector, or holds NaN or infinity.
    """
    scores = membership.MembershipScores(
        *(np.asarray(part, np.float64) for part in scores)
    )
    for name, part in scores._asdict().items():
        if part.ndim != 1 or not part.size or not np.isfinite(part).all():
            raise ValueError(
                f"{name} scores of {attack}, shape {part.shape}: accepted is a "
                "non-empty vector of finite numbers"
            )
    if threshold is None:
        threshold = membership.best_threshold(
            scores.selection_members, scores.selection_non_members
        )
    sets = scores.evaluation_members, scores.evaluation_non_members
    together = membership.simultaneous_confidence(attacks, confidence)
    of_all = {}
    if attacks > 1:
        of_all = {"auc_simultaneous": membership.auc(*sets, together)._asdict()}
    return {
        "attack": attack,
        "setting": setting,
        "attacker": attacker,
        "mode": mode,
        "members": len(sets[0]),
        "non_members": len(sets[1]),
        "confidence": confidence,
        "threshold": threshold,
        "auc": membership.auc(*sets, confidence)._asdict(),
        **of_all,
        "accuracy": membership.accuracy(*sets, threshold, confidence)._asdict(),
        "tpr_at_fpr": _rates(*sets, confidence, together),
    }


def _rates(members, non_members, confidence, together):
    """The entries of `tpr_at_fpr`: of several attacks with the wider interval too."""
    entries = tpr.tpr_at_fpr(members, non_members, confidence=confidence)
    if together > confidence:
        wide = tpr.tpr_at_fpr(members, non_members, confidence=together)
        entries = [
            entry | {"simultaneous": {"low": all_["low"], "high": all_["high"]}}
            for entry, all_ in zip(entries, wide, strict=True)
        ]
    return [
        entry | {"above_guessing": membership.above_guessing(entry)}
        for entry in entries
    ]


# What says of a row which attack it is of, and not which target was attacked.
_OF_ATTACK = ("attack", "supervision", "layers", "gradients")


def gains(
    rows: Sequence[dict], scores: Sequence[membership.MembershipScores]
) -> list[dict]:
    """Adds to rows what their attacks gain over the black-box attack.

    That is whether gradients and hidden outputs give away more than the outputs do,
    paper B's main claim, measured on the same records of the same target.

    Args:
      rows: of `membership_row`, with their conditions.
      scores: theirs.

    Returns:
      The rows, those that have a black-box attack beside them with
      `auc_over_black_box`: `value`, `low`, `high` of `auc_difference` and `confidence`,
      with which all of them hold together with 95 %.

    Raises:
      ValueError: two black-box attacks are not told apart.
    """
    conditions = [key for key in (*CONDITIONS, "seed") if key not in _OF_ATTACK]

    def case(row):
        return repr([row.get(key) for key in conditions])

    pairs = list(zip(rows, scores, strict=True))
    black_box = {case(row): s for row, s in pairs if row["attack"] == "black_box"}
    if len(black_box) < sum(row["attack"] == "black_box" for row in rows):
        raise ValueError("rows: two black-box attacks whose conditions are the same")
    compared = [row["attack"] != "black_box" and case(row) in black_box for row in rows]
    confidence = membership.simultaneous_confidence(max(1, sum(compared)))

    def gain(row, of_row):
        other = black_box[case(row)]
        found = membership.auc_difference(of_row[2:], other[2:], confidence)
        return {"auc_over_black_box": found._asdict() | {"confidence": confidence}}

    return [
        row | (gain(row, s) if known else {})
        for (row, s), known in zip(pairs, compared, strict=True)
    ]
