"""Attacks on a user's model that compare it with models trained as it was.

The target's members and as many non-members are a pool, of which each reference model
holds half, so that each record is in half of them. Members that are not attacked are in
all of them, as they are in the target: all are trained on as many records as it was.
Non-members beyond the pool are in none, and are the attackers' population.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxprivacy import errors, types
from jaxprivacy.data import reference_sets
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.studies import (
    exposure,
    membership,
    mimicry,
    reference_attacks,
    reference_records,
    reference_scores,
    references,
    target_given,
    target_records,
    training,
)
from jaxprivacy.targets import training_check

# Those of which an audit without reference models has no row; in the cards' order.
ATTACKS = tuple(
    name
    for name in (*reference_attacks.ATTACKS, reference_records.COMBINED)
    if name not in membership.RULES
)
FEWEST = reference_scores.FEWEST_REFERENCES


class Pool(NamedTuple):
    """Which of the given records each model holds; indices into all, members first."""

    dealt: reference_records.Dealt  # `held` is (1 + S, N), the target's first
    always: np.ndarray  # members that all models hold, and that are not attacked


class Found(NamedTuple):
    """What came of the attacks."""

    scored: list[membership_rows.Scored]
    accuracies: dict[str, float]  # the mean of the references'
    notes: list[str]
    exposure: dict[str, Any] | None = None  # who is at risk


def check(names: tuple[str, ...] | None, count: int) -> None:
    """Checks how many reference models are asked for, and what for.

    Args:
      names: of attacks; None: all.
      count: S.

    Raises:
      InputError: naming `references` or `attacks`.
    """
    whole = isinstance(count, int | np.integer) and not isinstance(count, bool)
    if not whole or count < 0 or count % 2 or 0 < count < FEWEST:
        raise errors.InputError(
            "references",
            count,
            f"are 0 and even numbers of at least {FEWEST}, half of which hold "
            "each record",
        )
    asked = [name for name in names or () if name in ATTACKS]
    if asked and not count:
        raise errors.InputError(
            "attacks",
            asked[0],
            found="is run beside reference models, of which there are none",
            accepted=f"are even numbers of references of at least {FEWEST}",
        )
    if count and names is not None and not asked:
        raise errors.InputError(
            "references",
            count,
            found="none of the attacks that were asked for takes them",
            accepted=f"beside them are also {', '.join(ATTACKS)}",
        )
    alone = [n for n in names or () if n in reference_attacks.ATTACKS]
    if reference_records.COMBINED in asked and not alone:
        raise errors.InputError(
            "attacks",
            reference_records.COMBINED,
            found="combines other attacks on outputs",
            accepted="are these beside it, such as loss_threshold and lira_online",
        )


def check_training(given: target_given.Given) -> None:
    """Checks the target's training, before anything long.

    Raises:
      InputError: naming `train`.
    """
    if given.target.train is None:
        raise errors.InputError(
            "train",
            "None",
            found="reference models are trained as the target was",
            accepted="with references is a function (key, (x, y), mask) -> params",
        )
    first = given.members.first
    training_check.check(given.target, first.x, first.y, len(first.y))


def pool(
    observed: target_records.Observed,
    records: target_records.Dealt,
    members: int,
    count: int,
    seed: int,
) -> Pool:
    """Deals the records to the models.

    Args:
      observed: what can be attacked.
      records: those that are attacked, by kind and purpose.
      members: how many were given; the first of all.
      count: S.
      seed: of the draw.
    """
    kinds = records.records.members, records.records.non_members
    size = sum(map(len, kinds[0]))
    attacked = records.indices[: 2 * size]
    population = np.setdiff1d(observed.non_members, attacked)
    rng = np.random.default_rng([seed, *b"references"])
    held = reference_sets.halves(_strata(records.dataset.y[attacked]), count, rng)
    parts = (np.concatenate([kind[i] for kind in kinds]) for i in (0, 1))
    known, selection = (np.isin(np.arange(2 * size), part) for part in parts)
    target = np.arange(2 * size) < size
    dealt = reference_records.Dealt(
        attacked,
        rng.permutation(population),  # Parts of it are to be alike.
        np.concatenate([target[None], held]),
        known,
        selection,
        *observed.copies,
    )
    return Pool(dealt, np.setdiff1d(np.arange(members), attacked))


def _strata(labels: np.ndarray) -> np.ndarray:
    """Labels, a class with a single record as one with the most common class."""
    classes, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    return np.where(counts[which] > 1, labels, classes[counts.argmax()])


def said(
    given: target_given.Given,
    of: Pool,
    key: jax.Array,
    advance: Callable[[float], None],
) -> references.Said:
    """Trains the references and asks the target and them: (1 + S, N + Z) each.

    Of no more than a lot of them the parameters are held at a time.

    Args:
      given: the target, with its training, and its records.
      of: who holds what.
      key: randomness of the trainings.
      advance: told the share done.

    Raises:
      InputError: a training diverges.
    """
    x, y = _all(given)
    target, dealt = given.target, of.dealt
    trained_on = np.concatenate([dealt.attacked, of.always])
    held = dealt.held[1:]
    held = np.pad(held, [(0, 0), (0, len(of.always))], constant_values=True)
    batch = types.Batch(
        x[trained_on], y[trained_on], np.ones(len(trained_on), np.float32)
    )
    last = jax.tree.map(lambda a: a[-1:], given.transcript.parameters)
    asked = x[dealt.everyone], y[dealt.everyone]
    some = references.lots(
        lambda key, records: target.train(key, records[:2], records.mask),
        batch,
        held,
        key,
        advance,
    )
    parts = (
        references.ask(target.apply, last, *asked),
        references.ask_each(target.apply, some, *asked),
    )
    return references.Said(*map(np.concatenate, zip(*parts, strict=True)))


def _all(given: target_given.Given) -> tuple[np.ndarray, np.ndarray]:
    """All records and labels, members first."""
    ours, others = given.members.first, given.non_members.first
    return np.concatenate([ours.x, others.x]), np.concatenate([ours.y, others.y])


def attack(
    given: target_given.Given,
    observed: target_records.Observed,
    records: target_records.Dealt,
    names: tuple[str, ...],
    count: int,
    seed: int,
    advance: Callable[[float], None],
) -> Found:
    """Trains reference models and runs the attacks beside them.

    Args:
      given: the target and its records.
      observed: what of these can be attacked.
      records: those that are attacked.
      names: of attacks, others than those of `ATTACKS` among them.
      count: S.
      seed: of every random choice.
      advance: told the share done.
    """
    of = pool(observed, records, given.members.count, count, seed)
    key = training.named_key(seed, "references")
    found = said(given, of, key, advance)
    x, y = _all(given)
    everyone = of.dealt.everyone
    shown = _numbers(given.members.first.form, x[everyone]), y[everyone]
    plain = [name for name in reference_attacks.ATTACKS if name in names]
    combined = [reference_records.COMBINED] * (reference_records.COMBINED in names)
    scored = [
        one
        for one in reference_scores.of_given(
            found, shown, of.dealt, [*plain, *combined], seed
        )
        if one.row["attack"] in ATTACKS
    ]
    right = found.right[:, : len(of.dealt.attacked)]
    target, *others = mimicry.accuracies(right, of.dealt.held)
    like = mimicry.mean(others)
    notes = [mimicry.told(target, like), *mimicry.warning(target, like)]
    at_risk = exposure.told(scored, of.dealt, y[of.dealt.attacked])
    return Found(scored, like, notes, at_risk)


def _numbers(form, x: np.ndarray) -> np.ndarray:
    """Records as numbers for a regression: trees of arrays side by side, (N, F)."""
    if form.tree is None:
        return x
    leaves = jax.tree.leaves(form.unpack(x))
    return np.concatenate(
        [np.asarray(a, np.float32).reshape(len(x), -1) for a in leaves], axis=1
    )
