"""What is said of reconstructed samples: class by class, or of many at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from jaxprivacy.evaluation.reconstruction import summarise
from jaxprivacy.report import text, threats, verdict_works

# The first of these that was run is the one spoken of; the paper's own comes first.
ATTACKS = (
    "gan",
    "gan_improved",
    "gan_no_influence",
    "model_inversion",
    "model_inversion_mlp",
)
MOST_CLASSES = 3  # Of which each is spoken of by itself.
_JUDGE = "an independent classifier, of another architecture than the attacked model,"
_HIT = "and finds them within its real images: their hit rate"
_NOT_JUDGED = "Without an untrained generator beside it, this cannot be judged."
_BASELINES = (*verdict_works.BESIDE, "model_inversion", "model_inversion_mlp")
_EACH = {"untrained": "an untrained generator", "other_class": "another class"}
_SAMPLES = {
    "untrained": "those of an untrained generator",
    "other_class": "real images of another class",
}


def those_of(names: Sequence[str], last: str = "and", rows: dict | None = None) -> str:
    """Returns what samples are compared with, e.g. 'those of an untrained generator'.

    Args:
      names: of `verdict_works.BESIDE`.
      last: the word before the last of them.
      rows: rows by name, whose Frechet distances are told.
    """

    def said(name: str) -> str:
        distance = f" ({text.significant(rows[name]['frechet'])})" if rows else ""
        return _SAMPLES[name] + distance

    return text.listed([said(name) for name in names], last)


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
    sentences: list[str] = []
    for target in targets:
        of_class = {row["attack"]: row for row in rows if row["target_class"] == target}
        for i, attack in enumerate(_spoken_of(of_class)):
            beside = "" if i else _baselines(of_class, attack)
            first = _share(of_class[attack], beside, explained=not sentences)
            sentences.append(" ".join([first, *_judged(attack, of_class)]))
    return sentences


def _spoken_of(rows: dict[str, dict]) -> list[str]:
    """Returns the attacks on a class that have sentences of their own.

    Those are the first and the GAN attack's variant, and where the first does not work
    those that do; others stand beside the first.
    """
    run = [attack for attack in ATTACKS if attack in rows]
    works = [
        a for a in run if verdict_works.counted([rows[a]], list(rows.values())).works
    ]
    shown = ["gan_improved", *run[:1]]
    if not set(run[:1]) & set(works):
        shown += works
    return [attack for attack in run if attack in shown]


def _baselines(rows: dict[str, dict], attack: str) -> str:
    told = [
        f"{threats.card(name).title}: {text.percent_interval(rows[name]['hit_rate'])}"
        for name in _BASELINES
        if name in rows and name != attack
    ]
    return f" ({'; '.join(told)})" if told else ""


def _share(row: dict, beside: str, *, explained: bool) -> str:
    """Says how many samples are hits, and at first what that is."""
    rate, title = (
        text.percent_interval(row["hit_rate"]),
        threats.card(row["attack"]).title,
    )
    if explained:
        said = f"{_JUDGE} takes {rate} of the samples of {title} for the class {_HIT}"
    else:
        said = f"the hit rate of {title} is {rate}"
    return f"Class {row['target_class']}: {said}{beside}."


def _judged(attack: str, rows: dict[str, dict]) -> list[str]:
    pair = verdict_works.compared(rows[attack], list(rows.values()))
    judged = _NOT_JUDGED if pair is None else _comparison(pair, rows[attack], rows)
    return [judged, *_of_the_class(rows[attack])]


def _comparison(
    pair: verdict_works.Compared, judged: dict, rows: dict[str, dict]
) -> str:
    """Says what each measure shows, and whether they agree."""
    names = [_EACH[name] for name in pair.as_often or pair.beside]
    if pair.recognised:
        hits = f"the hit rate lies above that of {text.listed(names)}"
    else:
        hits = (
            f"the hit rate is not shown to lie above that of {text.listed(names, 'or')}"
        )
    if judged["frechet"] is None:
        return (
            f"{hits[0].upper()}{hits[1:]}; their Frechet distance is unknown, so that "
            "the attack is not shown to work."
        )
    ours = text.significant(judged["frechet"])
    near = f"by the Frechet distance to the victim's images the samples ({ours}) are "
    if pair.nearer:
        near += f"nearer than {those_of(pair.beside, 'and', rows)}"
    else:
        near += f"not shown to be nearer than {those_of(pair.as_near, 'or', rows)}"
    real = rows.get("real", {}).get("frechet")
    lie = "" if real is None else f"; real images lie at {text.significant(real)}"
    if pair.works:
        return f"The samples show the class: {hits}, and {near}{lie}."
    if pair.recognised or pair.nearer:
        return (
            f"The two measures disagree, so that the attack is not shown to work: "
            f"{hits}, but {near}{lie}."
        )
    return f"The reconstruction is not recognisable: {hits}, and {near}{lie}."


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
    of = {name: [row for row in rows if row["attack"] == name] for name in means}
    lead = (
        f"Over {_scope(of[first])}, {_JUDGE} takes on average "
        f"{_mean_rate(means[first])} of the samples of {threats.card(first).title} for "
        f"their class {_HIT}; the Frechet distance to the victim's images is "
        f"{_range(of[first])}."
    )
    others = [
        f"{threats.card(attack).title}: mean hit rate {_mean_rate(mean)}, Frechet "
        f"distance {_range(of[attack])}{_how_often(of[attack], rows)}."
        for attack, mean in means.items()
        if attack != first
    ]
    return [f"{lead} {_successes(of[first], rows)}", *others]


def _scope(rows: list[dict]) -> str:
    """Returns e.g. '30 reconstructions (10 classes, 3 seeds)'."""
    parts = [_counted(len({row["target_class"] for row in rows}), "class", "es")]
    settings = {repr(row["swept"]) for row in rows if "swept" in row}
    seeds = {row.get("seed") for row in rows} - {None}
    for some, noun in ((settings, "setting"), (seeds, "seed")):
        parts += [_counted(len(some), noun, "s")] if some else []
    return f"{_counted(len(rows), 'reconstruction', 's')} ({', '.join(parts)})"


def _counted(count: int, noun: str, plural: str) -> str:
    return f"{count} {noun}{'' if count == 1 else plural}"


def _mean_rate(summary: dict) -> str:
    return f"{text.percent(summary['hit_rate']['value'])} %"


def _range(rows: list[dict]) -> str:
    """Returns the smallest and the largest Frechet distance of the rows."""
    values = [row["frechet"] for row in rows if row["frechet"] is not None]
    return text.span(values, text.significant) if values else "unknown"


def _how_often(judged: list[dict], rows: list[dict]) -> str:
    """Returns on how many rows an attack works, empty of what is no attack."""
    count = verdict_works.counted(judged, rows)
    if judged[0]["attack"] not in ATTACKS or not count.pairs:
        return ""
    return f", works in {count.works} of {count.pairs}"


def _successes(judged: list[dict], rows: list[dict]) -> str:
    """Counts the rows told from what stands beside them, of the class and seed."""
    pairs = [pair for row in judged if (pair := verdict_works.compared(row, rows))]
    if not pairs:
        return _NOT_JUDGED
    count = verdict_works.counted(judged, rows)
    beside = [
        name
        for name in verdict_works.BESIDE
        if any(name in pair.beside for pair in pairs)
    ]
    apart = count.recognised + count.nearer - 2 * count.works
    disagree = f" The two measures disagree in {apart}." if apart else ""
    return (
        f"Its hit rate lies above that of {text.listed([_EACH[n] for n in beside])} "
        f"in {count.recognised} of {count.pairs} (the whole interval does), its "
        f"samples are nearer by the Frechet distance in {count.nearer}, and both, so "
        f"that the attack works, in {count.works}.{disagree}"
    )
