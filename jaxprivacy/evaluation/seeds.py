"""Membership rows of several seeds: which belong together, and their means."""

from __future__ import annotations

from collections.abc import Iterable

from jaxprivacy.evaluation.intervals import student_t

# What says of a row of `result.json` which attack it is of; the first four are always
# there.
CONDITIONS = (
    "attack",
    "setting",
    "attacker",
    "mode",
    "target",  # 'untrained' in null checks; else absent
    "pair",  # which two kinds of record are told apart, e.g. 'base / fine-tuning'
    "supervision",
    "layers",
    "gradients",
    "observed_rounds",
    "participants",
    "attack_members",
    "attack_non_members",
    "ascent_rate",
)


def seed_groups(rows: list[dict]) -> list[list[dict]]:
    """Divides rows into groups that differ in nothing but the seed.

    A rate of gradient ascent is chosen anew with each seed, as a threshold is, so it
    sets rows apart only where one seed has several of them.

    Args:
      rows: of `result.json`; of `CONDITIONS`, those that a row lacks count as None.

    Returns:
      The groups, in order of appearance.
    """
    for ignored in ("ascent_rate", None):
        groups: dict[str, list[dict]] = {}
        for row in rows:
            # Text, since a list such as that of the observed rounds is no key.
            condition = repr([row.get(k) for k in CONDITIONS if k != ignored])
            groups.setdefault(condition, []).append(row)
        seeds = [[row.get("seed") for row in group] for group in groups.values()]
        if all(len(set(group)) == len(group) for group in seeds):
            break
    return list(groups.values())


def summarise(rows: list[dict]) -> list[dict]:
    """Returns the means over seeds of rows that differ in nothing else.

    Intervals are Student's t over the seeds, at 95 %, cut to [0, 1]. They take the
    seeds for independent and normal draws: what another seed would give, where a row's
    own interval says what other records would.

    Args:
      rows: as `membership_rows.membership_row` returns them, with `seed` and others of
        `CONDITIONS`.

    Returns:
      For each group of `seed_groups` its conditions, `seeds`, and for `auc`, `accuracy`
      and each of `tpr_at_fpr` a dict of `value`, `low`, `high` and `rows`, the number
      of rows that have it. The value is None if none has it, its ends are None unless
      two have. `auc_over_black_box` likewise, where a row has it.
    """
    return [_summary(group) for group in seed_groups(rows)]


def _summary(rows: list[dict]) -> dict:
    first, fprs = rows[0], [entry["fpr"] for entry in rows[0]["tpr_at_fpr"]]
    entries = [entry for row in rows for entry in row["tpr_at_fpr"]]
    gains = [row["auc_over_black_box"] for row in rows if "auc_over_black_box" in row]
    return {
        **{
            key: first[key]
            for key in CONDITIONS
            if key in first and all(row.get(key) == first[key] for row in rows)
        },
        "seeds": [row.get("seed") for row in rows],
        "auc": _mean(row["auc"] for row in rows),
        "accuracy": _mean(row["accuracy"] for row in rows),
        "tpr_at_fpr": [
            {"fpr": fpr} | _mean(e for e in entries if e["fpr"] == fpr) for fpr in fprs
        ],
        **({"auc_over_black_box": _mean(gains, least=-1.0)} if gains else {}),
    }


def _mean(rates: Iterable[dict], least: float = 0.0) -> dict:
    known = (rate["value"] for rate in rates if rate["value"] is not None)
    return student_t(known, most=1.0, least=least)
