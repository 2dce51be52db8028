"""A server that sees every upload of a federated run, and its attacks on a victim."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import types
from jaxprivacy.attacks import membership as attacks, statistics
from jaxprivacy.evaluation.membership_rows import Scored
from jaxprivacy.experiments import attack_training, membership
from jaxprivacy.federated.transcript import Transcript
from jaxprivacy.targets import directions, gradients

NAMES = tuple(attacks.SERVER_ATTACKS)
COMPARE = ("fedmia_loss", "fedmia_gradient")  # with two other participants at least
AT_ONCE = 256  # records that pass a model together


def signals(
    model: types.Model,
    transcript: Transcript,
    x: types.Array,
    y: types.Array,
    *,
    at_once: int = AT_ONCE,
) -> attacks.Signals:
    """What every participant's uploads show of N records, round by round.

    Args:
      model: the target.
      transcript: T rounds of a server, with the uploads of P participants, who all
        received the same parameters.
      x: (N, *D) records.
      y: (N,) their classes.
      at_once: records that pass the model together, which bounds the memory.
    """

    @jax.jit
    def of_round(received, updates):
        def odds(update):
            local = jax.tree.map(jnp.add, received, update)
            return jax.lax.map(
                lambda record: _log_odds(model, local, *record),
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
                model.apply, received, updates, x, y, at_once=at_once
            ),
            gradient_norm=gradients.gradient_norms(model.apply, received, x, y),
            update_norm=jnp.sqrt(sum(squares)),
        )

    x, y = jnp.asarray(x), jnp.asarray(y)
    found = []
    for i in range(len(transcript.rounds)):
        one = jax.tree.map(
            lambda a, i=i: a[i], (transcript.parameters, transcript.uploads)
        )
        found.append(jax.tree.map(np.asarray, of_round(*one)))
    return jax.tree.map(lambda *parts: np.stack(parts), *found)


def _log_odds(model, params, x, y):
    """Of one record's class: ()."""
    return statistics.statistics(model.apply(params, x[None])[0], y, {}).confidence[0]


def attack(
    seen: attacks.Signals,
    records: membership.Records,
    victim: int,
    names: Sequence[str],
) -> list[Scored]:
    """Scores records by the uploads, with the null check that all rules have.

    Args:
      seen: of `signals`, of all attacked records.
      records: the attacked ones.
      victim: number of the participant whose members are asked for.
      names: of `NAMES`.
    """
    others = _others(seen, victim)
    found = []
    for name in names:
        values = attacks.SERVER_ATTACKS[name](seen, victim, others)
        kinds = records.members, records.untrained
        real, null = (
            attack_training.scores(values, kind, records.non_members) for kind in kinds
        )
        row = {"attack": name, "attacker": "global", "mode": "passive"}
        found.append(Scored(row, real, null))
    return found


def stand_ins(
    seen: attacks.Signals,
    records: membership.Records,
    victim: int,
    names: Sequence[str],
) -> list[Scored]:
    """Further null checks: another participant is attacked in the victim's place.

    It holds none of the victim's records, so that its updates are to say no more of
    them than the others' do. The victim is left out, which needs four participants. Of
    attacks that compare with others alone: that the shared model knows members better
    than non-members shows in every participant's loss and gradients.

    Args:
      seen: of `signals`.
      records: the attacked ones.
      victim: whose members are asked for.
      names: of `NAMES`.
    """
    another, *others = _others(seen, victim)
    if len(others) < 2:
        return []
    found = []
    for name in (name for name in names if name in COMPARE):
        values = attacks.SERVER_ATTACKS[name](seen, another, others)
        row = {"attack": name, "attacker": "global", "mode": "passive"}
        found.append(
            Scored(
                row | {"target": "stand-in"},
                attack_training.scores(values, records.members, records.non_members),
                None,
            )
        )
    return found


def _others(seen, victim):
    return [p for p in range(seen.log_odds.shape[1]) if p != victim]
