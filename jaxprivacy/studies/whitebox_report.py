"""What the report shows of the white-box study beside its rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxprivacy.attacks.features import Features
from jaxprivacy.evaluation import membership as membership_evaluation, membership_rows
from jaxprivacy.report import contents, threats
from jaxprivacy.studies import membership_records, results

DIAGNOSED_RECORDS = 1000  # of each kind
MOST_CURVES = 6


def diagnosed(records: membership_records.Records) -> np.ndarray:
    """Where the records of the diagnostics stand: members, then as many others."""
    kinds = (records.members, records.non_members)
    return np.concatenate([kind.evaluation[:DIAGNOSED_RECORDS] for kind in kinds])


def diagnostics(
    basic: Features,
    rounds: Sequence[int],
    found: Sequence[membership_rows.Scored],
    unit: str,
) -> contents.Diagnostics:
    """What gradients and outputs of evaluation records show over the training.

    Args:
      basic: features of `diagnosed` records at all rounds kept.
      rounds: these rounds, from 1.
      found: all attacks on the target.
      unit: what is counted, "epoch" or "round".
    """
    split_at = basic.norm.shape[1] // 2
    output = np.asarray(basic.output[-1])
    label = np.asarray(basic.label).argmax(axis=1)
    entropy = -np.sum(output * np.log(np.maximum(output, 1e-30)), axis=1)
    strongest = _strongest(found)

    def parts(values, axis=0):
        return np.split(np.asarray(values), [split_at], axis=axis)

    norms = parts(basic.layer_norms[..., -1], axis=1)
    norms_all = parts(basic.norm, axis=1)
    fields = {
        "norm": norms,
        "norm_all": norms_all,
        "label": parts(label),
        "correct": parts(output.argmax(axis=1) == label),
        "uncertainty": parts(entropy / np.log(output.shape[1])),
        "score": [part[:split_at] for part in strongest.scores[2:]],
    }
    named = {
        f"{kind}_{name}": value[i]
        for name, value in fields.items()
        for i, kind in enumerate(("members", "non_members"))
    }
    numbers = [s.embeddings for s in found if s.embeddings is not None]
    if numbers:
        named["embedding_members"], named["embedding_non_members"] = numbers[0]
    return contents.Diagnostics(
        epochs=np.array(rounds),
        threshold=(
            membership_evaluation.best_threshold(*strongest.scores[:2])
            if strongest.threshold is None
            else strongest.threshold
        ),
        attack=threats.label(strongest.row),
        unit=unit,
        **named,
    )


def _strongest(found: Sequence[membership_rows.Scored]) -> membership_rows.Scored:
    """The attack with the largest AUC on the selection records."""
    trained = [s for s in found if s.trained is not False]
    return max(
        trained or found, key=lambda s: membership_evaluation.auc(*s.scores[:2]).value
    )


def curves(
    scored: Sequence[membership_rows.Scored], rows: Sequence[dict]
) -> list[contents.RocCurve]:
    """The ROC curves of one target's attacks, or of the strongest of many.

    Args:
      scored: the attacks.
      rows: theirs in the result.
    """
    pairs = [
        pair for pair in zip(scored, rows, strict=True) if pair[0].trained is not False
    ]
    keys = threats.distinguishing([row for _, row in pairs])
    pairs.sort(key=lambda pair: -pair[1]["auc"]["value"])
    return [
        results.roc_curve(*attack.scores[2:], row, keys)
        for attack, row in pairs[:MOST_CURVES]
    ]
