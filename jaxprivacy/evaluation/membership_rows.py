"""Attacks' scores as rows of `result.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxprivacy.evaluation import gains, membership, null_checks, tpr

CONTROLS = 0.999  # confidence of a positive control's interval


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
    trained: bool | None = None  # None: a rule, which is not trained
    null_trained: bool | None = None  # the same of the null check's attack


def rows(
    scored: Sequence[Scored], setting: str, untrained: Sequence[Scored] = ()
) -> tuple[list[dict], list[dict]]:
    """The rows of `membership` and of `null_checks` in result.json.

    The intervals of null checks are widened (Bonferroni), so that all of them cover
    what they estimate together; `detectable_auc` says what each could have found. Of
    attacks that did not train the rows stay, and widen no other interval.

    Args:
      scored: the attacks.
      setting: what is trained, e.g. `federated`.
      untrained: attacks on a model that was trained on nothing: further null checks.
    """
    checked = [(s, s.null, s.null_trained) for s in scored if s.null is not None]
    checked += [(s, s.scores, s.trained) for s in untrained]
    confidence = membership.simultaneous_confidence(
        max(1, sum(trained is not False for *_, trained in checked))
    )
    attacks = max(1, sum(s.trained is not False for s in scored))

    found = gains.gains(
        [_row(s, s.scores, s.trained, setting, attacks=attacks) for s in scored],
        [s.scores for s in scored],
    )
    return found, [_check(*check, setting, confidence) for check in checked]


def control_rows(scored: Sequence[Scored], setting: str) -> list[dict]:
    """The rows of `positive_controls` in result.json: what was found of a planted leak.

    They are those of `null_checks` and have `control`, `planted`, the AUC of the leak,
    and `found`, of `null_checks.control_found`. Their intervals are those of
    `CONTROLS`: a study is not to be doubted because of one control in forty.

    Args:
      scored: the attacks on the planted leak.
      setting: what is trained, e.g. `federated`.
    """
    rows = [_check(s, s.scores, s.trained, setting, CONTROLS) for s in scored]
    return [row | {"found": null_checks.control_found(row)} for row in rows]


def _row(s, which, trained, setting, **options):
    keys = dict(s.row)
    fixed = {name: keys.pop(name) for name in ("attack", "attacker", "mode")}
    made = membership_row(
        which, setting=setting, threshold=s.threshold, **fixed, **options
    )
    return made | {"trained": trained} | keys


def _check(s, which, trained, setting, confidence):
    row = _row(s, which, trained, setting, confidence=confidence)
    row.pop("learned", None)  # Said of the attack on the real members.
    counts = row["members"], row["non_members"]
    found = null_checks.detectable_auc(*counts, confidence)
    return row | {"detectable_auc": found}


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
    scores = _checked(scores, attack)
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


def _checked(scores, attack):
    """The scores in float64; raises ValueError if some set cannot be evaluated."""
    scores = membership.MembershipScores(
        *(np.asarray(part, np.float64) for part in scores)
    )
    for name, part in scores._asdict().items():
        if part.ndim != 1 or not part.size or not np.isfinite(part).all():
            raise ValueError(
                f"{name} scores of {attack}, shape {part.shape}: accepted is a "
                "non-empty vector of finite numbers"
            )
    return scores


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
