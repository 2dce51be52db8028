"""What a card says of an attack."""

from __future__ import annotations

from typing import NamedTuple

# What of a target an attack looks at.
SIGNALS = ("loss", "outputs", "hidden", "gradients", "uploads")
# What else it must have.
NEEDS = (
    "known",  # records of which it knows whether they are members
    "records",  # of the same distribution, to train models of its own on
    "population",  # records of the same distribution on which nobody trained
    "references_with",  # models trained like the target, some with a record
    "references_without",  # and some without it
    "others",  # uploads of participants other than the victim, at least two
)


class Card(NamedTuple):
    """What an attack is called, sees and needs, and where it comes from."""

    name: str
    title: str  # for readers
    threat: str  # its threat model in two sentences or three
    sees: tuple[str, ...] = ()  # of SIGNALS
    needs: tuple[str, ...] = ()  # of NEEDS
    learns: bool = False  # False: a rule, of which at most a threshold is learned
    source: str = ""
