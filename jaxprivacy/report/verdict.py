"""What the numbers allow to be said: a level, and sentences for people."""

from __future__ import annotations

from jaxprivacy.evaluation import three_way
from jaxprivacy.report import (
    text,
    threats,
    verdict_bounds,
    verdict_evidence,
    verdict_inversion,
    verdict_membership,
    verdict_privacy,
    verdict_reconstruction,
    verdict_tradeoff,
)

# Of `verdict.level` in result.json, the gravest first, and how readers see them.
LEVELS = {
    "severe": "severe exposure",
    "clear": "clear exposure",
    "slight": "slight exposure",
    "cannot_tell": "exposure cannot be determined",
    "none_found": "no exposure found",
}


def verdict(result: dict) -> dict:
    """Returns the verdict on a result: one for result.json, page and terminal.

    Found is what an interval shows. Where nothing was found, `cannot_tell` says that
    nothing could have been; and it takes the place of every level where a null check
    fails or non-members are copies of members. What a reconstruction shows raises
    `none_found`, never `cannot_tell`: that the looks of a class were found does not
    answer whether members are exposed.

    Args:
      result: the content of result.json; any of its lists may be empty, and `privacy`
        null or absent.

    Returns:
      `level`, one of `LEVELS`; `sentences`, the most important first; and `parts`, the
      level of `membership` and of `reconstruction`, None where it was not attacked, and
      of `gradient_inversion` where there is any.
    """
    if result.get("privacy_audit"):
        return verdict_bounds.verdict(result["privacy_audit"])
    if result.get("tradeoff"):
        return verdict_tradeoff.verdict(result["tradeoff"])
    members, said_of_members = None, []
    if result["membership"]:
        members, said_of_members = verdict_membership.membership(result)
    images, said_of_images = verdict_reconstruction.reconstruction(result)
    untrained = [
        verdict_evidence.untaught(target) for target in result.get("evidence", [])
    ]
    if images == "none_found" and untrained and all(untrained):
        images = "cannot_tell"
        said_of_images = [
            "Whether a class can be reconstructed cannot be determined: "
            f"{untrained[0]}.",
            *said_of_images,
        ]
    said_of_members += _three_way(result.get("three_way", []))
    updates, said_of_updates = verdict_inversion.inversion(result)
    parts = {"membership": members, "reconstruction": images}
    said = [said_of_members, said_of_images, said_of_updates]
    if updates:
        parts["gradient_inversion"] = updates
    level = _worst(parts)
    # What made the level comes first: a headline that says less would be misread.
    order = sorted(zip(parts.values(), said, strict=False), key=lambda p: p[0] != level)
    sentences = [sentence for _, told in order for sentence in told]
    sentences += verdict_privacy.sentences(result)
    if members is None and not updates:
        sentences.append("No membership inference attack was run.")
    if images is None and not updates:
        sentences.append("No reconstruction attack was run.")
    return {"level": level, "sentences": sentences, "parts": parts}


def of(result: dict) -> dict:
    """Returns the verdict that a result holds; one from before it held any gets it."""
    return result.get("verdict") or verdict(result)


def badge(level: str) -> str:
    """Returns a level for readers."""
    return LEVELS[level]


def _worst(parts: dict[str, str | None]) -> str:
    if parts["membership"] == "cannot_tell":
        return "cannot_tell"
    known = [level for level in LEVELS if level in parts.values()]
    return known[0] if known else "cannot_tell"


def _three_way(rows: list[dict]) -> list[str]:
    """Says how often the best attack knows which of the kinds a record is."""
    if not rows:
        return []
    shown = three_way.summarise(rows)
    best = max(shown, key=lambda row: row["accuracy"]["value"])
    *kinds, last = best["kinds"]
    mean = " on average over the seeds" if "seeds" in best else ""
    return [
        f"Asked whether a record is {', '.join(kinds)} or {last}, "
        f"{threats.label(best, threats.distinguishing(shown))} is right on "
        f"{text.percent_interval(best['accuracy'])}{mean}, "
        f"{text.percent(1 / len(best['kinds']))} % being chance."
    ]
