"""Who the attackers are, what they see and what they do, in two sentences each."""

from __future__ import annotations

from collections.abc import Sequence

from jaxprivacy.cards import CARDS, DEFENSES, RECONSTRUCTION, Card, Defense
from jaxprivacy.evaluation.seeds import CONDITIONS

MODES = {
    "passive": "only observes",
    "gradient_ascent": "raises the loss of the target records by gradient ascent at "
    "each round and observes whose loss is lowered again",
    "isolating": "keeps the other participants' updates from the victim, which then "
    "trains alone",
    "isolating_gradient_ascent": "keeps the other participants' updates from the "
    "victim and raises the loss of the target records at each round",
}

ATTACKERS = {
    "global": "the parameter server, which sees each participant's update",
    "local": "a participant, which sees only the aggregated parameters",
}

SETTINGS = {
    "standalone": "the attacker holds a trained model, or several snapshots of it, and "
    "takes no part in its training",
    "finetune": "a model is trained on base records and then on fine-tuning records; "
    "the attacker holds it as it was before and after, and tells two kinds of record "
    "apart",
    "federated": "several participants train one model over rounds; the records in "
    "question are those of participants other than the attacker",
}

SEATLESS = ("standalone", "finetune")

_OF_LAYERS = {"layers": "outputs", "gradients": "gradients"}
_FROM_LAST = {"-1": "last", "-2": "2nd last", "-3": "3rd last"} | {
    f"-{n}": f"{n}th last" for n in range(4, 21)
}
_QUANTITY = {"all": "all", "none": "no"}
_COUNTS = ("participants", "attack_members", "attack_non_members")
_TARGETS = {"untrained": "untrained model", "stand-in": "another in its place"}
# How a condition is said; what is not here is said as it is.
_SAID = {
    "participants": "{} participants",
    "control": "{} leak",
    "victim": "victim {}",
    "attack_members": "{} members known",
    "attack_non_members": "{} non-members known",
    "ascent_rate": "rate {}",
    "seed": "seed {}",
}
_LISTED = 6  # Up to so many rounds are listed.


def card(attack: str) -> Card:
    """Returns the card of `attack`; of an unknown one, its name alone."""
    return CARDS.get(attack, Card(attack, attack.replace("_", " "), ""))


def defense(name: str) -> Defense:
    """Returns the card of a defense; of an unknown one, its name alone."""
    known = {card.name: card for card in DEFENSES}
    return known.get(name, Defense(name, name.replace("_", " "), "", ""))


def in_order(rows: Sequence[dict]) -> list[dict]:
    """Returns rows of reconstructions, those of a class and seed in the cards' order.

    What attacks are compared with comes first, but for the bound, which comes last.
    """
    cells = [(row.get("seed"), row["target_class"]) for row in rows]
    first = list(dict.fromkeys(cells))
    names = [card.name for card in RECONSTRUCTION]

    def place(pair: tuple[tuple, dict]) -> tuple[int, int]:
        cell, row = pair
        known = row["attack"] in names
        return first.index(cell), names.index(row["attack"]) if known else len(names)

    return [row for _, row in sorted(zip(cells, rows, strict=True), key=place)]


def distinguishing(rows: Sequence[dict]) -> tuple[str, ...]:
    """Returns what else than attack, attacker and mode tells rows of a study apart.

    Those are the keys of which two rows of one attack hold different values, or which
    one row has and another one of the same attack, attacker and mode has not.
    """
    named = ("attack", "attacker", "mode")
    keys = (*(key for key in CONDITIONS if key not in named), "seed")
    return tuple(key for key in keys if _differs(rows, key, named))


def _differs(rows: Sequence[dict], key: str, named: Sequence[str]) -> bool:
    of_attack: dict[str, set[str]] = {}
    of_case: dict[tuple, set[str]] = {}
    for row in rows:
        said = _said(row, key)
        case = tuple(row.get(name) for name in named)
        of_case.setdefault(case, set()).add(said)
        if said:
            of_attack.setdefault(row["attack"], set()).add(said)
    return any(len(said) > 1 for said in (*of_attack.values(), *of_case.values()))


def variant(row: dict, keys: Sequence[str] = ()) -> str:
    """Returns a membership row's attacker and mode for readers, e.g. 'global, passive'.

    A setting without a choice of attacker or mode leaves them empty; where nobody
    shares a model there is no place to attack from, and the attacker is not named.

    Args:
      row: of `membership`, or a mean of such rows.
      keys: what else tells the rows of its study apart, as `distinguishing` returns it.
    """
    seats = ("attacker",) if row.get("setting") not in SEATLESS else ()
    shown = (*seats, "mode", *keys, "control")
    said = (_said(row, key) for key in dict.fromkeys(shown))
    return ", ".join(part for part in said if part)


def label(row: dict, keys: Sequence[str] = ()) -> str:
    """Returns a row's name for readers, e.g. 'White-box (global, passive)'.

    Args:
      row: of any list of `result.json`.
      keys: as `variant` takes them.
    """
    extra = variant(row, keys) if "mode" in row else ""
    return card(row["attack"]).title + (f" ({extra})" if extra else "")


def _said(row: dict, key: str) -> str:
    """Returns one condition of a row for readers, empty if the row lacks it."""
    value = row.get(key)
    if value is None or value == "":
        return ""
    if key == "observed_rounds":
        return _rounds(value, "epoch" if row.get("setting") in SEATLESS else "round")
    if key in _OF_LAYERS:
        return _layers(str(value), _OF_LAYERS[key])
    if key == "target":
        return _TARGETS.get(value, f"{value} model")
    if key in _COUNTS and isinstance(value, int):
        value = f"{value:,}"
    if key in _SAID:
        return _SAID[key].format(value)
    return str(value).replace("_", " ")


def _layers(value: str, what: str) -> str:
    """Returns whose outputs or gradients are seen, -2 being the second layer from last.

    E.g. 'all outputs', 'outputs of Dense_0, Dense_1', 'gradients of last, 2nd last'.
    """
    if value in _QUANTITY:
        return f"{_QUANTITY[value]} {what}"
    words = [word.strip() for word in value.split(",")]
    return f"{what} of {', '.join(_FROM_LAST.get(word, word) for word in words)}"


def _rounds(rounds: Sequence[int], unit: str) -> str:
    if len(rounds) == 1:
        return f"{unit} {rounds[0]}"
    if len(rounds) <= _LISTED:
        return f"{unit}s {', '.join(map(str, rounds))}"
    return f"{len(rounds)} {unit}s from {min(rounds)} to {max(rounds)}"
