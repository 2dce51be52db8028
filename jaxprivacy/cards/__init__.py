"""The attacks and defenses: one card each, of which all that is said of one is made.

Rows of result.json, threat models in the report, the choices of `attacks=` and the
tests over all attacks take their names from here, and no second list is kept.
"""

from jaxprivacy.cards.card import NEEDS, SIGNALS, Card
from jaxprivacy.cards.defenses import DEFENSES, Defense
from jaxprivacy.cards.membership import MEMBERSHIP
from jaxprivacy.cards.reconstruction import INVERSION, RECONSTRUCTION

CARDS = {card.name: card for card in (*MEMBERSHIP, *RECONSTRUCTION, *INVERSION)}

__all__ = [
    "CARDS",
    "DEFENSES",
    "INVERSION",
    "MEMBERSHIP",
    "NEEDS",
    "RECONSTRUCTION",
    "SIGNALS",
    "Card",
    "Defense",
]
