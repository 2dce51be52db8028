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
    dealt: reference_records.Dealt,
    labels: np.ndarray,
) -> dict[str, Any] | None:
    """The entry `exposure` of result.json; None where no attack trained.

    Records have the numbers that they have in the data as it was given.

    Args:
      scored: every attack's scores, of the targets in turn.
      dealt: who holds which records.
      labels: (N,) classes of the attacked records; others than whole numbers are none.
    """
    by_attack: dict[str, list[np.ndarray]] = {}
    for one in scored:
        if one.trained is not False:
            by_attack.setdefault(one.row["attack"], []).append(one.scores)
    targets = max(map(len, by_attack.values()), default=0)
    whole = {n: of for n, of in by_attack.items() if targets and len(of) == targets}
    if not whole:
        return None
    fpr = exposure.told_fpr(min(len(of[3]) for some in whole.values() for of in some))
    seen = {name: _exposed(of, dealt, fpr) for name, of in whole.items()}
    name = max(seen, key=lambda name: seen[name].found.sum())
    always, held = exposure.always_found(seen[name])
    known = labels.ndim == 1 and np.issubdtype(labels.dtype, np.integer)
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
                "label": int(labels[row["record"]]) if known else None,
            }
            for row in exposure.records(seen[name], MOST)
        ],
        "classes": exposure.classes(seen[name], labels) if known else [],
    }


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
