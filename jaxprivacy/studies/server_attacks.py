"""A server that sees every upload of a federated run, and its attacks on a victim."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy.attacks import membership as attacks, statistics
from jaxprivacy.programs import compilation
from jaxprivacy.studies import attack_training, membership, membership_records
from jaxprivacy.targets import directions, gradients

NAMES = tuple(attacks.SERVER_ATTACKS)
FEWEST = 3  # participants: a spread needs two others
COMPARE = ("fedmia_loss", "fedmia_gradient")  # with two other participants at least
AT_ONCE = 256  # records that pass a model together


def signals(
    apply: Callable,
    run: membership.Run,
    x: jax.Array,
    y: jax.Array,
    *,
    advance: attack_training.Advance = lambda share: None,
    at_once: int = AT_ONCE,
) -> attacks.Signals:
    """What every participant's uploads show of N records, round by round.

    Args:
      apply: the target, (params, (B, *D)) -> logits (B, K).
      run: with a transcript of T rounds, in each of which all P participants received
        the same parameters.
      x: (N, *D) records.
      y: (N,) their classes.
      advance: told the share done.
      at_once: records that pass the model together, which bounds the memory.
    """

    @compilation.compiled
    def of_round(received, updates):
        def odds(update):
            local = jax.tree.map(jnp.add, received, update)
            return jax.lax.map(
                lambda record: _log_odds(apply, local, *record),
                (x, y),
                batch_size=at_once,
            )

        squares = [
            jnp.sum(leaf.reshape(len(leaf), -1) ** 2, axis=1)
            for leaf in jax.tree.leaves(updates)
        ]
        return attacks.Signals(
            log_odds=jax.lax.map(odds, updates),
            inner=directions.gradient_products(
                apply, received, updates, x, y, at_once=at_once
            ),
            gradient_norm=gradients.gradient_norms(apply, received, x, y),
            update_norm=jnp.sqrt(sum(squares)),
        )

    kept, found = run.transcript, []
    for i in range(len(kept.rounds)):
        one = jax.tree.map(lambda a, i=i: a[i], (kept.parameters, kept.uploads))
        found.append(jax.tree.map(np.asarray, of_round(*one)))
        advance(1 / len(kept.rounds))
    return jax.tree.map(lambda *parts: np.stack(parts), *found)


def _log_odds(apply, params, x, y):
    """Of one record's class: ()."""
    return statistics.statistics(apply(params, x[None])[0], y, {}).confidence[0]


def attack(
    seen: attacks.Signals,
    records: membership_records.Records,
    victim: int,
    names: Sequence[str],
) -> list[membership.Scored]:
    """Scores records by the uploads, with the null check that all rules have.

    Args:
      seen: of `signals`, of all attacked records.
      records: the attacked ones.
      victim: number of the participant whose members are asked for.
      names: of attacks, of which those in `NAMES` are run.
    """
    others = _others(seen, victim)
    found = []
    for name in (name for name in names if name in NAMES):
        values = attacks.SERVER_ATTACKS[name](seen, victim, others)
        found.append(membership.scored_rule(name, values, "passive", records))
    return found


def stand_ins(
    seen: attacks.Signals,
    records: membership_records.Records,
    victim: int,
    names: Sequence[str],
) -> list[membership.Scored]:
    """Further null checks: another participant is attacked in the victim's place.

    It holds none of the victim's records, so that its updates are to say no more of
    them than the others' do. The victim is left out, which needs four participants. Of
    attacks that compare with others alone: that the shared model knows members better
    than non-members shows in every participant's loss and gradients.

    Args:
      seen: of `signals`.
      records: the attacked ones.
      victim: whose members are asked for.
      names: as `attack` takes them.
    """
    another, *others = _others(seen, victim)
    found = []
    for name in (name for name in names if name in COMPARE):
        if len(others) < FEWEST - 1:
            continue
        values = attacks.SERVER_ATTACKS[name](seen, another, others)
        # The members with nobody's records, as in the null check of other rules.
        scored = membership.scored_rule(
            name, values, "passive", records._replace(others=None), null_checks=False
        )
        found.append(scored._replace(row=scored.row | {"target": "stand-in"}))
    return found


def _others(seen, victim):
    return [p for p in range(seen.log_odds.shape[1]) if p != victim]
