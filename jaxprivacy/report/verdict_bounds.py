"""What the lower bounds on epsilon allow to be said."""

from __future__ import annotations

from jaxprivacy.report import text

ATTACKS = {
    "loss_difference": "the loss before and after the training",
    "gradient_product": "the released gradients",
}
ASSUMED = {"nothing": "any", "gaussian": "Gaussian"}
MEANING = (
    "A lower bound says what these attacks found: the true epsilon lies between it and "
    "what is proven of the training. A claim that is not refuted is not shown to be "
    "true."
)
# What a bound that assumes nothing amounts to: e^epsilon is 20 and 2.7.
STRENGTHS = ((3.0, "severe"), (1.0, "clear"), (0.0, "slight"))


def verdict(audited: dict) -> dict:
    """Returns the verdict on `privacy_audit` of result.json, as `verdict.verdict` does.

    A claim that is refuted is severe, whatever the bound: the noise or the sampling is
    not what it is said to be. Otherwise the words go by the largest bound that assumes
    nothing.
    """
    best = best_of(audited, "nothing")
    level = next((word for least, word in STRENGTHS if best["epsilon"] > least), "")
    if audited["refuted"]:
        level = "severe"
    elif not level:
        level = "none_found" if audited["detectable"] > 0 else "cannot_tell"
    return {
        "level": level,
        "sentences": [*_found(audited, best), _claimed(audited), MEANING],
        "parts": {"membership": level, "reconstruction": None},
    }


def rows(audited: dict) -> list[dict[str, str]]:
    """Returns the bounds for a table, title -> cell of each row."""
    return [
        {
            "canaries guessed by": ATTACKS[row["attack"]],
            "right": f"{row['right']} of {row['made']}",
            "trade-off": ASSUMED[row["assumes"]],
            "epsilon, at least": text.number(row["epsilon"], 2),
        }
        for row in audited["bounds"]
    ]


def told(audited: dict) -> str:
    """Returns what stands below the table."""
    return (
        f"{audited['included']} of {audited['canaries']} canaries were trained on. All "
        f"bounds hold together with {text.percent(audited['confidence'])} % "
        f"confidence, at delta {text.significant(audited['delta'])}; those of a "
        "Gaussian trade-off only if the training has one."
    )


def best_of(audited: dict, assumes: str) -> dict:
    """Returns the row with the largest bound among those with an assumption."""
    rows = [row for row in audited["bounds"] if row["assumes"] == assumes]
    return max(rows, key=lambda row: row["epsilon"])


def _found(audited, best):
    sure = f"{text.percent(audited['confidence'])} % confidence"
    if best["epsilon"] > 0:
        yield (
            f"With {sure}, epsilon is at least {text.number(best['epsilon'], 2)} at "
            f"delta {text.significant(audited['delta'])}: of {best['made']} guesses "
            f"which canary was trained on, {best['right']} were right, by "
            f"{ATTACKS[best['attack']]}."
        )
    else:
        yield (
            f"No epsilon above 0 is refuted with {sure}: the best guesses, by "
            f"{ATTACKS[best['attack']]}, were right on {best['right']} of "
            f"{best['made']} canaries. Had all been right, epsilon would have been "
            f"bounded by {text.number(audited['detectable'], 2)}."
        )
    assumed = best_of(audited, "gaussian")
    # Without noise no training trades errors so.
    if audited["claim"] is not None and assumed["epsilon"] > best["epsilon"]:
        yield (
            "If the training trades an attack's errors as a Gaussian mechanism does, "
            "which many small noisy steps come near to, it is at least "
            f"{text.number(assumed['epsilon'], 2)}."
        )


def _claimed(audited):
    if audited["claim"] is None:
        return f"No epsilon is claimed of the training: {audited['no_claim']}."
    claimed = (
        f"The accountant claims epsilon {text.number(audited['claim'], 2)} at delta "
        f"{text.significant(audited['delta'])}"
    )
    if audited["refuted"]:
        return f"{claimed}; the guesses refute that: the training is not what it says."
    return f"{claimed}; the guesses do not refute that."
