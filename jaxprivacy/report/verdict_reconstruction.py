"""How much reconstructions give away, and the first sentence on it."""

from __future__ import annotations

from collections.abc import Sequence

from jaxprivacy.evaluation.intervals import clopper_pearson
from jaxprivacy.report import text, threats, verdict_samples, verdict_works

_MOST = 0.5  # An attack that works on more of its rows than this is clear.
_LEAD = "Whether a class can be reconstructed cannot be told: "


def reconstruction(result: dict) -> tuple[str | None, list[str]]:
    """Returns how much reconstructions give away, and sentences on it.

    An attack works on a row where the hit rate and the Frechet distance both tell its
    samples from those of an untrained generator and from real images of another class:
    either can be fooled alone. No level is above `clear`: samples show a class, not a
    record.

    Args:
      result: the content of result.json; of `runs` and `judge_accuracy`, what is not
        there decides nothing.

    Returns:
      One of `clear`, `slight`, `none_found` and `cannot_tell`, None if no row is of an
      attack; and the sentences.
    """
    rows = result["reconstruction"]
    of_attacks = {
        attack: judged
        for attack in verdict_samples.ATTACKS
        if (judged := [row for row in rows if row["attack"] == attack])
    }
    if not of_attacks:
        return None, []
    counts = {
        attack: verdict_works.counted(judged, rows)
        for attack, judged in of_attacks.items()
    }
    works = {attack: count for attack, count in counts.items() if count.works}
    if works:
        level, lead = _works(works, rows)
    elif not any(count.pairs for count in counts.values()):
        level = "cannot_tell"
        lead = _LEAD + "no untrained generator stands beside the attack."
    else:
        level, lead = _does_not_work(of_attacks, result)
    return level, [lead, *verdict_samples.reconstruction_sentences(rows)]


def _works(works: dict[str, verdict_works.Count], rows: list[dict]) -> tuple[str, str]:
    most = max(count.works / count.pairs for count in works.values())
    level = "clear" if most > _MOST else "slight"
    each = text.listed(
        [
            f"{threats.card(attack).title} in {count.works} of {count.pairs}"
            for attack, count in works.items()
        ]
    )
    beside = [
        name
        for name in verdict_works.BESIDE
        if any(row["attack"] == name for row in rows)
    ]
    return level, (
        f"What a class looks like can be reconstructed, and its exposure is {level}: "
        "samples are recognised as the class more often, and lie nearer to the "
        f"victim's images, than {verdict_samples.those_of(beside)}, by {each}."
    )


def _does_not_work(of_attacks: dict[str, list[dict]], result: dict) -> tuple[str, str]:
    """Says why no attack works: what hides one comes before that there is none."""
    rows = result["reconstruction"]
    real = verdict_works.counted([row for row in rows if _tells(row, rows)], rows)
    if real.pairs and not real.recognised:
        return "cannot_tell", (
            _LEAD + "the classifier that judges does not recognise real images of the "
            "class either, so that not even a perfect reconstruction would show."
        )
    judged = [row for some in of_attacks.values() for row in some]
    poor = [found for row in judged if (found := verdict_works.too_poor(row, result))]
    if any(
        all(verdict_works.too_poor(r, result) for r in some)
        for some in of_attacks.values()
    ):
        return "cannot_tell", _LEAD + _too_poor(poor)
    disagreement = _disagreement(judged, rows)
    if disagreement:
        return "cannot_tell", _LEAD + disagreement
    judge = (
        " The classifier recognises real images of the class, so it would have "
        "recognised a good reconstruction."
        if real.pairs
        else ""
    )
    left_out = (
        f" Beside these, of {len(poor)} nothing can be said, since the shared model is "
        f"too poor: {_accuracies(poor)}."
        if poor
        else ""
    )
    good = [row for row in judged if not verdict_works.too_poor(row, result)]
    return "none_found", (
        "No sign was found that a class can be reconstructed: in none of "
        f"{verdict_works.counted(good, rows).pairs} reconstructions are the samples "
        f"recognised as the class.{judge}{left_out}"
    )


def _tells(row: dict, rows: Sequence[dict]) -> bool:
    """Whether real images are enough to show that the judge recognises the class.

    Of one image a hit shows nothing: it must be more than samples of noise could be.
    """
    if row["attack"] != "real":
        return False
    every = clopper_pearson(row["samples"], row["samples"])._asdict()
    found = verdict_works.compared(row | {"hit_rate": every}, rows)
    return found is not None and found.recognised


def _too_poor(poor: Sequence[verdict_works.Poor]) -> str:
    return (
        "the shared model is too poor for the attack to be judged. An attack has no "
        f"more to go by than what the model knows, and {_accuracies(poor)}. Train for "
        "more rounds, or with other rates, until it has learned."
    )


def _accuracies(poor: Sequence[verdict_works.Poor]) -> str:
    models, judges = (
        text.span([getattr(found, name) for found in poor], text.percent)
        for name in verdict_works.Poor._fields
    )
    return (
        f"among the real classes it is right on {models} %, where the independent "
        f"classifier is right on {judges} %"
    )


def _disagreement(judged: Sequence[dict], rows: Sequence[dict]) -> str:
    """Returns that one measure says yes and the other no, or nothing.

    To be nearer than an untrained generator alone is no more than not to be noise.
    """
    found = [pair for row in judged if (pair := verdict_works.compared(row, rows))]
    pair = next((pair for pair in found if pair.recognised), None)
    if pair:
        return (
            "samples are recognised as the class, but the Frechet distance does not "
            "show them to be nearer to the victim's images than "
            f"{verdict_samples.those_of(pair.as_near, 'or')}."
        )
    pair = next((p for p in found if p.nearer and "other_class" in p.beside), None)
    if pair:
        return (
            "by the Frechet distance samples are nearer to the victim's images than "
            f"{verdict_samples.those_of(pair.beside)}, but the classifier does not "
            "recognise them more often than "
            f"{verdict_samples.those_of(pair.as_often, 'or')}."
        )
    return ""
