"""Who is at risk in a stand-alone audit, by its strongest attack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxprivacy.evaluation import exposure, membership_rows
from jaxprivacy.studies import reference_records

MOST = 20  # records that are named


def told(
    scored: Sequence[membership_rows.Scored],
    rows: Sequence[dict],
    dealt: reference_records.Dealt,
    labels: np.ndarray,
) -> dict[str, Any] | None:
    """The entry `exposure` of result.json; None where no attack tells a rate.

    Records have the numbers that they have in the data as it was loaded.

    Args:
      scored: every attack's scores, of the targets in turn.
      rows: of `membership` of result.json, one each.
      dealt: who holds which records.
      labels: (N,) classes of the attacked records.
    """
    by_attack: dict[str, list[int]] = {}
    for number, one in enumerate(scored):
        if one.trained is not False:
            by_attack.setdefault(one.row["attack"], []).append(number)
    targets = max(map(len, by_attack.values()), default=0)
    whole = {n: of for n, of in by_attack.items() if len(of) == targets}
    if not whole:
        return None
    fpr = exposure.told_fpr(min(len(one.scores[3]) for one in scored))
    rates = {name: _rate([rows[i] for i in of], fpr) for name, of in whole.items()}
    if None in rates.values():
        return None
    name = max(rates, key=rates.get)
    seen = _exposed([scored[i].scores for i in whole[name]], dealt, fpr)
    always, held = exposure.always_found(seen)
    return {
        "attack": name,
        "fpr": fpr,
        "targets": targets,
        "members": held,
        "always_found": always,
        "records": [
            row
            | {
                "record": int(dealt.attacked[row["record"]]),
                "label": int(labels[row["record"]]),
            }
            for row in exposure.records(seen, MOST)
        ],
        "classes": exposure.classes(seen, labels),
    }


def _rate(rows, fpr):
    values = [e["value"] for row in rows for e in row["tpr_at_fpr"] if e["fpr"] == fpr]
    return None if None in values else float(np.mean(values))


def _exposed(scores, dealt, fpr):
    """What the attack says of every judged record, target by target."""
    count = len(dealt.attacked)
    member = np.zeros((len(scores), count), bool)
    found, values = member.copy(), np.zeros((len(scores), count))
    for target, of in enumerate(scores):
        held = dealt.held[target] & dealt.judged
        member[target] = held
        values[target, held] = of[2]
        found[target, held] = exposure.found(of[2], of[3], fpr)
    return exposure.Exposed(member, found, values)
