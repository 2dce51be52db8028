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
    "victim",  # whom a global attacker attacks, where each is attacked in turn
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
      two have. `over_outputs` likewise, where a row has it, with `against` if it is
      the same in all; and `auc_over_black_box` of results of schema 1. `trained` is
      False if the attack did not train with some seed.
    """
    return [_summary(group) for group in seed_groups(rows)]


def over_victims(rows: list[dict]) -> list[dict]:
    """Returns the means over victims, where each participant was attacked in turn.

    Records of one participant share a model, so those of several are no sample of
    independent ones: intervals are Student's t over the participants' values, at 95 %,
    cut to what the values can be. They say what another participant of that run would
    give; what another run would give shows in several seeds.

    Args:
      rows: of `membership`; those without `victim` are left out.

    Returns:
      For each attack and seed what `summarise` returns, with `victims` and `seed` in
      the place of `seeds`. Rates of ascent may differ, since one is chosen for each.
    """
    groups: dict[str, list[dict]] = {}
    for row in rows:
        if row.get("victim") is not None:
            apart = [k for k in CONDITIONS if k not in ("victim", "ascent_rate")]
            condition = repr([row.get(key) for key in (*apart, "seed")])
            groups.setdefault(condition, []).append(row)
    averaged = []
    for group in groups.values():
        summary = _summary(group)
        seeds = summary.pop("seeds")
        victims = [row["victim"] for row in group]
        averaged.append(summary | {"seed": seeds[0], "victims": victims})
    return averaged


def _summary(rows: list[dict]) -> dict:
    first = rows[0]
    return {
        **{
            key: first[key]
            for key in CONDITIONS
            if key in first and all(row.get(key) == first[key] for row in rows)
        },
        "seeds": [row.get("seed") for row in rows],
        **_trained(rows),
        "auc": _mean(row["auc"] for row in rows),
        "accuracy": _mean(row["accuracy"] for row in rows),
        "tpr_at_fpr": _rates(rows),
        **_gains(rows),
    }


def _trained(rows: list[dict]) -> dict:
    known = [row["trained"] for row in rows if "trained" in row]
    if not known:
        return {}
    return {"trained": False if False in known else known[0]}


def _rates(rows: list[dict], least: float = 0.0) -> list[dict]:
    """The mean at each false positive rate."""
    entries = [entry for row in rows for entry in row["tpr_at_fpr"]]
    fprs = dict.fromkeys(entry["fpr"] for entry in entries)
    return [
        {"fpr": fpr} | _mean((e for e in entries if e["fpr"] == fpr), least)
        for fpr in fprs
    ]


def _gains(rows: list[dict]) -> dict:
    """The means of what is gained over output-only attacks, where it is known."""
    found = {}
    gains = [row["over_outputs"] for row in rows if "over_outputs" in row]
    if gains:
        against = {gain["against"] for gain in gains}
        found["over_outputs"] = {
            "against": against.pop() if len(against) == 1 else None,
            "auc": _mean((gain["auc"] for gain in gains), least=-1.0),
            "tpr_at_fpr": _rates(gains, least=-1.0),
        }
    old = [row["auc_over_black_box"] for row in rows if "auc_over_black_box" in row]
    if old:
        found["auc_over_black_box"] = _mean(old, least=-1.0)
    return found


def _mean(rates: Iterable[dict], least: float = 0.0) -> dict:
    known = (rate["value"] for rate in rates if rate["value"] is not None)
    return student_t(known, most=1.0, least=least)
