"""What attacks on membership mean for the people in the data, and who they are."""

from __future__ import annotations

from jaxprivacy.evaluation import exposure, null_checks
from jaxprivacy.report import leakage, text, threats, verdict_rows

PRIORS = (0.5, 0.1, 0.01)  # what share of all candidates was trained on
MOST_RECORDS, MOST_CLASSES = 10, 10
FEW = 5  # records that a terminal shows


def meaning(result: dict) -> list[str]:
    """Two sentences for readers who are no specialists, on the strongest attack.

    Args:
      result: the content of result.json.

    Returns:
      Nothing where no attack that trained tells a rate, or a null check fails.
    """
    strongest = _strongest(result)
    if strongest is None:
        return []
    row, fpr = strongest
    entry = _at(row, fpr)
    rate = entry["value"]
    name, of_others = threats.card(row["attack"]).title, f"{100 * fpr:.0f}"
    if not verdict_rows.above_guessing(entry):
        return [
            f"What this means: of 100 people whose records were not trained on, {name} "
            f"names {of_others} by mistake, and of 100 whose records were it is not "
            "shown to name more: to be named says nothing about a person."
        ]
    half, tenth, hundredth = (
        f"{100 * exposure.precision(rate, fpr, prior):.0f} %" for prior in PRIORS
    )
    return [
        f"What this means: of 100 people whose records were trained on, {name} names "
        f"{100 * rate:.0f}, and of 100 whose records were not it names {of_others} by "
        "mistake.",
        f"Of those named, {half} were trained on if half of all candidates were, "
        f"{tenth} if one in ten was, and {hundredth} if one in a hundred was.",
    ]


def _strongest(result):
    """The row of the highest rate, above guessing if any is, and at which FPR that is.

    None where no attack that trained tells a rate, or a null check fails.
    """
    if verdict_rows.failed_checks(verdict_rows.checks(result)):
        return None
    rows = verdict_rows.over_seeds(null_checks.counted(result["membership"]))
    fpr = next((f for f in exposure.FPRS if any(_at(r, f) for r in rows)), None)
    if fpr is None:
        return None
    known = [row for row in rows if _at(row, fpr)]
    shown = [row for row in known if verdict_rows.above_guessing(_at(row, fpr))]
    return max(shown or known, key=lambda row: _at(row, fpr)["value"]), fpr


def _shown(result):
    """What is told of single records, where any attack is shown to find members."""
    strongest = _strongest(result)
    if strongest is None or not verdict_rows.above_guessing(_at(*strongest)):
        return None
    return result.get("exposure")


def _at(row, fpr):
    """The rate of a row, None where it is not told."""
    entry = text.at_fpr(row, fpr)
    return entry if entry["value"] is not None else None


def records(result: dict) -> list[dict[str, str]]:
    """Returns the records most at risk, title -> cell of each row.

    None are named where no attack is shown to find members: they would be chance.
    """
    found = _shown(result)
    if not found:
        return []
    return [
        {
            "record": str(row["record"]),
            **({} if row["label"] is None else {"class": str(row["label"])}),
            "found in": f"{row['found_in']} of {row['member_of']}",
            "score": text.significant(row["score"]),
        }
        for row in found["records"][:MOST_RECORDS]
    ]


def classes(result: dict) -> list[dict[str, str]]:
    """Returns the classes by exposure, title -> cell of each row."""
    found = _shown(result)
    if not found:
        return []
    title = f"TPR % at {text.rate(found['fpr'])}"
    return [
        {
            "class": str(row["label"]),
            "members": f"{row['members']:,}",
            title: leakage.stacked(row["tpr"]),
        }
        for row in found["classes"][:MOST_CLASSES]
    ]


def told(result: dict) -> str:
    """Returns what stands below the records."""
    found = result["exposure"]
    targets = found["targets"]
    name = threats.card(found["attack"]).title
    several = (
        f"in every one of the {targets} targets that was trained on them"
        if targets > 1
        else "in the target"
    )
    return (
        f"{found['always_found']:,} of {found['members']:,} members are found "
        f"{several}, by {name} at {text.rate(found['fpr'])} false positives. Records "
        "have their numbers in the data as it was given, from 0; scores are means "
        "over the targets. The attack was chosen on these records."
    )


def shown_fprs(rows: list[dict]) -> list[float]:
    """Returns up to two false positive rates: the smallest at which any row tells one.

    Args:
      rows: of `membership`.
    """
    fprs = sorted({entry["fpr"] for row in rows for entry in row["tpr_at_fpr"]})
    known = [fpr for fpr in fprs if any(_at(row, fpr) for row in rows)]
    return sorted((known or fprs[-2:])[:2], reverse=True)
