"""The cards of the defenses, and how their strengths are read."""

import math

import pytest

from jaxprivacy import cards, errors
from jaxprivacy.cards import defenses

# By the contract on names of `launch.tradeoff`.
NAMES = (
    "none dp_sgd participant_dp secure_aggregation top_k sign quantised early_stopping "
    "weight_decay dropout label_smoothing mixup temperature"
)


def test_every_defense_has_a_full_card():
    assert " ".join(card.name for card in cards.DEFENSES) == NAMES
    for card in cards.DEFENSES:
        assert card.title and card.protects.endswith(".")
        assert card.not_protected.endswith(".")
        assert card.source or card.name == "none"
        assert bool(card.strength) == bool(card.check) == (card.usual is not None)
        assert not set(cards.CARDS) & {card.name}
        for strength in {card.usual, card.idle} - {None}:
            text = f"{card.name}:{strength}"
            assert defenses.read(text) == defenses.Chosen(card, strength)
    titles = {card.title for card in cards.DEFENSES}
    assert len(titles) == len(cards.DEFENSES)


def test_strengths_are_read():
    assert defenses.read("dp_sgd:8").strength == 8
    assert defenses.read("dp_sgd:inf").strength == math.inf
    assert defenses.read("early_stopping:inf").strength == math.inf
    assert defenses.read("quantised:2").strength == 2
    assert defenses.read("top_k").strength == 0.1
    assert defenses.read("sign") == defenses.Chosen(defenses.read("sign").card, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dp", "^defenses=dp: accepted none, dp_sgd, "),
        ("sign:2", "^defenses=sign:2: accepted sign alone"),
        ("dp_sgd:0", "^defenses=dp_sgd:0: accepted after the colon is the epsilon"),
        ("dp_sgd:", "^defenses=dp_sgd:: accepted after"),
        ("dp_sgd:nan", "nan: accepted after"),
        ("top_k:1.5", "1.5: accepted after the colon is the fraction"),
        ("quantised:1.5", "levels"),
        ("quantised:inf", "levels"),
        ("early_stopping:0", "rounds"),
        ("dropout:1", "below 1"),
        ("mixup:-1", "at least 0"),
        ("weight_decay:inf", "at least 0"),
        ("temperature:0", "above 0"),
    ],
)
def test_what_is_no_defense_is_refused_in_a_line(text, told):
    with pytest.raises(
        errors.InputError, match=told.replace("accepted ", "accepted .*")
    ):
        defenses.read(text)
