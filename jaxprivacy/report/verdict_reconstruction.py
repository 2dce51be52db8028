"""What is said of reconstructions: class by class, or of many at once."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from jaxprivacy.evaluation.reconstruction import summarise
from jaxprivacy.report import text
from jaxprivacy.report.threats import threat

# The first of these that was run is the one spoken of; the paper's own comes first.
ATTACKS = (
    "gan",
    "gan_improved",
    "gan_no_influence",
    "model_inversion",
    "model_inversion_mlp",
)
MOST_CLASSES = 3  # Of which each is spoken of by itself.
_NOT_JUDGED = "Without an untrained generator beside it, this cannot be judged."
_MOST = 0.5  # An attack that works on more of its rows than this is clear.


def reconstruction(rows: list[dict]) -> tuple[str | None, list[str]]:
    """Returns how much reconstructions give away, and sentences on it.

    An attack works on a row where a classifier recognises its samples and the Frechet
    distance puts them nearer than those of an untrained generator: either can be
    fooled alone. No level is above `clear`: samples show a class, not a record.

    Args:
      rows: as result.json holds them.

    Returns:
      One of `clear`, `slight`, `none_found` and `cannot_tell`, None if no row is of an
      attack; and the sentences.
    """
    attacks = [attack for attack in ATTACKS if any(r["attack"] == attack for r in rows)]
    if not attacks:
        return None, []
    counts = {attack: _worked(attack, rows) for attack in attacks}
    works = {attack: c for attack, c in counts.items() if c.both}
    if works:
        most = max(works.values(), key=lambda c: c.both / c.pairs)
        level = "clear" if most.both / most.pairs > _MOST else "slight"
        lead = _works(works, level)
    else:
        level, lead = _does_not_work(counts, rows)
    return level, [lead, *reconstruction_sentences(rows)]


class _Count(NamedTuple):
    """On how many rows an attack works."""

    pairs: int  # rows with an untrained generator beside them
    recognised: int
    both: int  # recognised and nearer


def _worked(attack: str, rows: list[dict]) -> _Count:
    pairs = _pairs([row for row in rows if row["attack"] == attack], rows)
    recognised = [pair for pair in pairs if _is_recognised(*pair)]
    both = [pair for pair in recognised if _is_nearer(*pair)]
    return _Count(len(pairs), len(recognised), len(both))


def _works(works: dict[str, _Count], level: str) -> str:
    each = ", ".join(
        f"{threat(attack).title} in {count.both} of {count.pairs}"
        for attack, count in works.items()
    )
    return (
        "What a class looks like can be reconstructed, and its exposure is "
        f"{level}: samples are recognised as the class, and nearer to the victim's "
        f"images than those of an untrained generator, by {each}."
    )


def _does_not_work(counts: dict[str, _Count], rows: list[dict]) -> tuple[str, str]:
    lead = "Whether a class can be reconstructed cannot be told: "
    if not any(count.pairs for count in counts.values()):
        return "cannot_tell", lead + "no untrained generator stands beside the attack."
    real = _worked("real", rows)
    if real.pairs and not real.recognised:
        return "cannot_tell", (
            lead + "the classifier that judges does not recognise real images of the "
            "class either, so that not even a perfect reconstruction would show."
        )
    if any(count.recognised for count in counts.values()):
        return "cannot_tell", (
            lead + "samples are recognised as the class, but not shown to be nearer to "
            "the victim's images than those of an untrained generator."
        )
    judge = (
        " The classifier recognises real images of the class, so it would have "
        "recognised a good reconstruction."
        if real.pairs
        else ""
    )
    return "none_found", (
        "No sign was found that a class can be reconstructed: in none of "
        f"{sum(count.pairs for count in counts.values())} reconstructions are the "
        f"samples recognised as the class.{judge}"
    )


def _pairs(judged: list[dict], rows: list[dict]) -> list[tuple[dict, dict]]:
    """Returns each row beside the untrained generator's of its class and seed."""
    untrained = {_key(row): row for row in rows if row["attack"] == "untrained"}
    return [(row, untrained[_key(row)]) for row in judged if _key(row) in untrained]


def _is_nearer(judged: dict, untrained: dict) -> bool:
    distances = judged["frechet"], untrained["frechet"]
    return None not in distances and distances[0] < distances[1]


def reconstruction_sentences(rows: list[dict]) -> list[str]:
    """Returns sentences on rows of reconstructions, empty if none is of an attack.

    Args:
      rows: as result.json holds them. Above three classes, or with several rows of an
        attack on a class (seeds), each attack is summed up over its rows.
    """
    targets = list(dict.fromkeys(row["target_class"] for row in rows))
    counts = Counter((row["attack"], row["target_class"]) for row in rows)
    if len(targets) > MOST_CLASSES or max(counts.values(), default=0) > 1:
        return _many(rows)
    sentences = []
    for target in targets:
        by_attack = {
            row["attack"]: row for row in rows if row["target_class"] == target
        }
        sentences += _one_class(target, by_attack)
    return sentences


def _one_class(target: int, rows: dict[str, dict]) -> list[str]:
    run = [attack for attack in ATTACKS if attack in rows]
    # The GAN attack's variant is judged by itself, the baselines beside the first.
    others = [attack for attack in run[1:] if attack == "gan_improved"]
    baselines = [
        f"{threat(name).title}: {text.percent_interval(rows[name]['hit_rate'])}"
        for name in ("untrained", "model_inversion", "model_inversion_mlp")
        if name in rows and name not in run[:1]
    ]
    beside = f" ({'; '.join(baselines)})" if baselines else ""
    return [
        *(_judged(target, attack, rows, beside) for attack in run[:1]),
        *(_judged(target, attack, rows, "") for attack in others),
    ]


def _judged(target: int, attack: str, rows: dict[str, dict], beside: str) -> str:
    judged, untrained = rows[attack], rows.get("untrained")
    first = (
        f"Class {target}: an independent classifier takes "
        f"{text.percent_interval(judged['hit_rate'])} of the samples of "
        f"{threat(attack).title} for the class{beside}."
    )
    if untrained is None:
        rest = [_NOT_JUDGED]
    else:
        rest = [_recognised(judged, untrained)]
        rest += _nearer(attack, judged, untrained, rows.get("real"))
    rest += _of_the_class(judged)
    return " ".join([first, *rest])


def _recognised(judged: dict, untrained: dict) -> str:
    if _is_recognised(judged, untrained):
        return (
            "The samples are recognised as the class: the interval lies above that of "
            "an untrained generator."
        )
    return (
        "The reconstruction is not recognisable: its hit rate cannot be told from that "
        "of an untrained generator."
    )


def _nearer(attack: str, judged: dict, untrained: dict, real: dict | None) -> list[str]:
    if judged["frechet"] is None or untrained["frechet"] is None:
        return []
    word = "nearer" if judged["frechet"] < untrained["frechet"] else "not nearer"
    ours, theirs = (text.significant(row["frechet"]) for row in (judged, untrained))
    sentence = (
        f"By the Frechet distance to the victim's images, {threat(attack).title} "
        f"({ours}) is {word} than an untrained generator ({theirs})"
    )
    if real is not None and real["frechet"] is not None:
        sentence += f"; real images lie at {text.significant(real['frechet'])}"
    return [sentence + "."]


def _of_the_class(judged: dict) -> list[str]:
    """Says where samples are as near to images that nobody holds as to the victim's."""
    private, public = judged["nearest_private"], judged["nearest_public"]
    if private is None or public is None or private < public:
        return []
    return [
        "They lie no nearer to the victim's images (on average "
        f"{text.significant(private)} to the nearest) than to as many others of the "
        f"class ({text.significant(public)}): they show the class, not the victim."
    ]


def _many(rows: list[dict]) -> list[str]:
    """Returns one sentence an attack, the first with how often it succeeded."""
    means = {summary["attack"]: summary for summary in summarise(rows)}
    first = next((attack for attack in ATTACKS if attack in means), None)
    if first is None:
        return []
    of_first = [row for row in rows if row["attack"] == first]
    lead = (
        f"Over {_scope(of_first)}, an independent classifier takes on average "
        f"{_mean_rate(means[first])} of the samples of {threat(first).title} for their "
        f"class; the Frechet distance to the victim's images is {_range(of_first)}."
    )
    others = [
        f"{threat(attack).title}: mean hit rate {_mean_rate(mean)}, Frechet distance "
        f"{_range([row for row in rows if row['attack'] == attack])}."
        for attack, mean in means.items()
        if attack != first
    ]
    return [f"{lead} {_successes(of_first, rows)}", *others]


def _scope(rows: list[dict]) -> str:
    """Returns e.g. '30 reconstructions (10 classes, 3 seeds)'."""
    classes = _counted(len({row["target_class"] for row in rows}), "class", "es")
    seeds = {row.get("seed") for row in rows} - {None}
    within = f"{classes}, {_counted(len(seeds), 'seed', 's')}" if seeds else classes
    return f"{_counted(len(rows), 'reconstruction', 's')} ({within})"


def _counted(count: int, noun: str, plural: str) -> str:
    return f"{count} {noun}{'' if count == 1 else plural}"


def _mean_rate(summary: dict) -> str:
    return f"{text.percent(summary['hit_rate']['value'])} %"


def _range(rows: list[dict]) -> str:
    """Returns the smallest and the largest Frechet distance of the rows."""
    values = [row["frechet"] for row in rows if row["frechet"] is not None]
    if not values:
        return "unknown"
    ends = dict.fromkeys(text.significant(end) for end in (min(values), max(values)))
    return " to ".join(ends)


def _successes(judged: list[dict], rows: list[dict]) -> str:
    """Counts the rows told from an untrained generator's of the class and seed."""
    pairs = _pairs(judged, rows)
    if not pairs:
        return _NOT_JUDGED
    recognised = sum(_is_recognised(*pair) for pair in pairs)
    nearer = sum(_is_nearer(*pair) for pair in pairs)
    return (
        f"Against an untrained generator, the samples are recognised as the class in "
        f"{recognised} of {len(pairs)} (the interval lies above), and nearer by the "
        f"Frechet distance in {nearer}."
    )


def _key(row: dict) -> tuple:
    return row["target_class"], row.get("seed")


def _is_recognised(judged: dict, untrained: dict) -> bool:
    return judged["hit_rate"]["low"] > untrained["hit_rate"]["high"]
