"""What the noise on the uploads guarantees, and what it and the clipping did to them.

That something is differentially private is said here alone, and only where the release
clips first.
"""

from __future__ import annotations

import math

import numpy as np

from jaxprivacy.report import text, words
from jaxprivacy.report.contents import Tradeoff

# A larger total epsilon allows probabilities to differ by a factor above 22,000.
MOST_EPSILON = 10
NO_GUARANTEE = (
    "It guarantees nothing: a coordinate of an update beyond gamma is noised as it is, "
    "not clipped first (clip_first is off), so that the noise does not hide how far a "
    "participant's records move it."
)


def guarantees(privacy: dict) -> bool:
    """Whether the epsilons of `privacy` in result.json bound anything.

    Infinite ones stand for uploads without noise.
    """
    total = privacy["epsilon_total"]
    finite = total is not None and math.isfinite(total)
    return bool(privacy.get("clip_first")) and finite


def term(privacy: dict) -> tuple[str, str]:
    """Returns what epsilon means in a result, with the term."""
    return words.PRIVACY if guarantees(privacy) else words.NOISE


def uploads(result: dict) -> dict[str, np.ndarray]:
    """Returns `clipped` and `cosine` over the rounds, (R,) each, as far as they are.

    They are those of the first course, or the means over a sweep's runs of the kind
    that comes first.
    """
    rows = list(result.get("courses", []))[:1]
    if not rows:
        runs = result.get("runs", [])
        rows = [row for row in runs if row["row"] == runs[0]["row"]]
    logged = {}
    for name in ("clipped", "cosine"):
        values = [row[name] for row in rows if row.get(name) is not None]
        if values:
            logged[name] = np.mean(np.asarray(values, np.float64), axis=0)
    return logged


def sentences(result: dict) -> list[str]:
    """Returns what is to be said of a result's privacy: nothing where it has none."""
    privacy = result.get("privacy")
    if not privacy:
        return []
    return [f"{claim(privacy)} {_met(uploads(result))}".strip()]


def claim(privacy: dict) -> str:
    """Returns what `privacy` of result.json guarantees, as a sentence or two."""
    per_parameter = privacy["epsilon_per_parameter"]
    if per_parameter is None or math.isinf(per_parameter):
        return "No noise was added to the uploads, so that nothing is guaranteed."
    each = text.epsilon(per_parameter)
    if not guarantees(privacy):
        return (
            f"The uploads carry the noise of the paper's own release, for an epsilon "
            f"of {each} per parameter. {NO_GUARANTEE}"
        )
    total = privacy["epsilon_total"]
    said = (
        "The uploads, clipped before the noise, are differentially private with an "
        f"epsilon of {each} per parameter, which is "
        f"{text.epsilon(privacy['epsilon_per_upload'])} per epoch and participant and "
        f"{text.epsilon(total)} in total"
    )
    if total > MOST_EPSILON:
        said += f"; a total above {MOST_EPSILON} is no meaningful guarantee"
    return said + "."


def _met(logged: dict[str, np.ndarray]) -> str:
    """Says what share of an update lay beyond gamma, and how much an upload kept."""
    if set(logged) < {"clipped", "cosine"}:
        return ""
    share = [f"{text.percent(value)} %" for value in logged["clipped"]]
    cosine = [text.number(value, 2) for value in logged["cosine"]]
    said = f"On average {share[0]} of an update's coordinates lay beyond gamma in the "
    kept = "the cosine between an update and what was uploaded of it was"
    if len(share) == 1:
        return f"{said}only round; {kept} {cosine[0]}."
    return (
        f"{said}first round and {share[-1]} in the last; {kept} {cosine[0]} and "
        f"{cosine[-1]}."
    )


def claim_of_sweep(tradeoff: Tradeoff) -> str:
    """Returns what the budgets of a sweep guarantee."""
    if not tradeoff.clip_first:
        return f"The noise is that of the paper's own release. {NO_GUARANTEE}"
    return (
        "The uploads, clipped before the noise, are differentially private with the "
        f"total epsilon of their row; a total above {MOST_EPSILON} is no meaningful "
        "guarantee, and without noise (none) there is no guarantee."
    )


def budgets(tradeoff: Tradeoff) -> list[dict[str, str]]:
    """Returns a table of a sweep's budgets for readers: title -> cell of each row.

    There are totals only where they bound something. Of what was logged in each round
    the first and the last are told.
    """

    def span(of_rounds, show):
        return " to ".join(show(of_rounds[i]) for i in (0, -1))

    rows = []
    for i, epsilon in enumerate(tradeoff.epsilon_per_parameter):
        row = {"epsilon per parameter": text.epsilon(epsilon)}
        if tradeoff.clip_first:
            row["total epsilon"] = text.epsilon(tradeoff.epsilon_total[i])
        row["accuracy %"] = text.percent(np.mean(tradeoff.accuracy[i]))
        row["hit rate %"] = text.percent(tradeoff.hit_rate[i][0])
        if tradeoff.clipped is not None:
            row["beyond gamma %"] = span(tradeoff.clipped[i], text.percent)
            row["cosine"] = span(tradeoff.cosine[i], lambda v: text.number(v, 2))
        rows.append(row)
    return rows
