"""Which attacks a stand-alone audit runs, and on which records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxprivacy import cards, checks, data as data_lib, errors
from jaxprivacy.data import copies, reference_sets, stratify
from jaxprivacy.studies import (
    membership,
    reference_attacks,
    settings as settings_lib,
)

POPULATION = 0.2  # share of the records that no model is trained on
COMBINED = "combined"
# What these take, only who holds the model sees; the networks learn from known members.
OF_INSIDE = ("gradient_norm", *membership.NETWORKS)
OF_GRADIENTS = tuple(reference_attacks.OF_GRADIENTS)
ATTACKS = (*reference_attacks.ATTACKS, *OF_GRADIENTS, *OF_INSIDE, COMBINED)


class Dealt(NamedTuple):
    """Who has which records; indices into the data."""

    attacked: np.ndarray  # (N,) each in half of the models
    population: np.ndarray  # (Z,) in none
    held: np.ndarray  # (S, N) bool
    known: np.ndarray  # (N,) bool: attacks learn from these
    selection: np.ndarray  # (N,) bool: thresholds and weights are chosen on these
    left_out: int  # records with exact copies
    kept: bool  # such records are attacked all the same

    @property
    def everyone(self) -> np.ndarray:
        """The attacked records, and behind them the population: (N + Z,)."""
        return np.concatenate([self.attacked, self.population])

    @property
    def judged(self) -> np.ndarray:
        """(N,) bool: those that numbers come from."""
        return ~self.known & ~self.selection


def chosen(settings: settings_lib.Settings) -> tuple[str, ...]:
    """The attacks that are run, in the cards' order.

    Raises:
      InputError: one of them needs reference models and there are none.
    """
    asked = settings.attacks or ATTACKS
    if asked == ("all",):
        asked = ATTACKS
    for name in asked:
        checks.one_of("attacks", name, (*ATTACKS, "all"))
    without = [name for name in asked if needs_references(name)]
    if without and not settings.references:
        if settings.attacks and settings.attacks != ("all",):
            raise errors.InputError(
                "references",
                settings.references,
                found=f"{without[0]} compares with reference models",
                accepted="are even numbers of at least 4",
            )
        asked = tuple(name for name in asked if name not in without)
    return tuple(card.name for card in cards.MEMBERSHIP if card.name in asked)


def needs_references(name: str) -> bool:
    """Whether an attack compares with models that are trained like the target."""
    return any(need.startswith("references") for need in cards.CARDS[name].needs)


def deal(
    settings: settings_lib.Settings, dataset: data_lib.Dataset, names: Sequence[str]
) -> Dealt:
    """Deals the records: a population, and the others to the models.

    Args:
      settings: checked settings.
      dataset: the data.
      names: of `chosen`: where none learns from known records, there are none.

    Raises:
      InputError: of `reference_sets.halves`.
    """
    rng = np.random.default_rng([settings.seed, *b"references"])
    kinds = [np.arange(len(dataset.y))]
    left = copies.leave_out(copies.have_copies(dataset.x), kinds)
    free = left.kinds[0]
    count = round(POPULATION * len(free))
    drawn = stratify.draw(dataset.y[free], count, rng)
    population = free[rng.permutation(drawn)]  # Parts of it are to be alike.
    attacked = np.delete(free, drawn)
    models = settings.references + 2
    held = reference_sets.halves(dataset.y[attacked], models, rng)
    order = rng.permutation(len(attacked))
    learns = any(name in membership.NETWORKS for name in names)
    shares = settings.attack_train_fraction * learns, settings.selection_fraction
    ends = (np.cumsum(shares) * len(attacked)).astype(int)
    parts = np.split(order, ends)[:2]
    known, selection = (np.isin(np.arange(len(attacked)), part) for part in parts)
    return Dealt(attacked, population, held, known, selection, left.left_out, left.kept)
