"""The records of an audit of a target: what it shows of them, and their purposes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import errors, types
from jaxprivacy.attacks import features as features_lib
from jaxprivacy.data import Dataset, copies
from jaxprivacy.studies import (
    attack_training,
    membership_records,
    streams,
    target_given,
    target_layers,
    target_signals,
)
from jaxprivacy.targets import tasks

NAME = "the records that were given"
TRAIN, SELECTION = 0.4, 0.15  # shares of the records: to learn from, to select on
MOST_SHARED = 0.5  # of a kind, that may be among the other kind too


class Observed(NamedTuple):
    """What the target shows of all records that were given, members first."""

    signals: target_signals.Signals
    members: np.ndarray  # indices of the records that can be attacked
    non_members: np.ndarray
    copies: tuple[int, bool]  # of `copies.Left`
    taken: target_layers.Taken


def observe(
    given: target_given.Given, advance: Callable[[float], None], layers: bool = True
) -> Observed:
    """Reads all records, batch by batch, and takes down what the target shows of them.

    Args:
      given: the target and its records.
      advance: what progress is told.
      layers: whether an attack takes hidden outputs and gradients of its layers.

    Raises:
      InputError: for records that are read only now; too few are left; most of one kind
        are among the other.
    """
    kinds = given.members, given.non_members
    known = all(kind.count for kind in kinds)
    total = sum(kind.count for kind in kinds) if known else 0
    taken = target_layers.Taken()
    if layers:
        first, snapshots = given.members.first, len(given.transcript.rounds)
        taken = target_layers.taken(
            given.target, given.task, first.x, first.y, total or None, snapshots
        )
    look = target_signals.extractor(
        given.target,
        given.task,
        given.transcript.parameters,
        given.members.first.y,
        taken,
    )
    size = min(target_signals.AT_ONCE, given.members.count or target_signals.AT_ONCE)
    found = []
    for kind in kinds:
        parts = []
        for x, y, number in streams.of_size(kind.batches, size):
            parts.append(look(x, y, number))
            advance(number / total if known else 0.0)
        found.append(target_signals.joined(parts))
        advance(0.0 if known else 0.5)
    both = target_signals.joined(found)
    where = np.split(np.arange(len(both.right)), [len(found[0].right)])
    _apart(both.digests, *where)
    left = copies.leave_out(copies.have_copies(both.digests), where)
    target_given.enough(*map(len, left.kinds))
    return Observed(both, *left.kinds, (left.left_out, left.kept), taken)


def _apart(digests: np.ndarray, members: np.ndarray, others: np.ndarray) -> None:
    """Refuses kinds that are mostly the same records; a few are left out and told."""
    ours, theirs = ({bytes(digests[i]) for i in kind} for kind in (members, others))
    shared = ours & theirs
    if len(shared) > MOST_SHARED * min(len(ours), len(theirs)):
        first = next(i for i in members if bytes(digests[i]) in shared)
        raise errors.InputError(
            ("members", "non_members"),
            found=(
                f"{len(shared):,} records are in both, the first is record {first} "
                "of the members"
            ),
            accepted=(
                "are records that the target was trained on, and others that it was not"
            ),
        )


class Dealt(NamedTuple):
    """The records that are attacked, each kind in the order of its purposes."""

    records: membership_records.Records
    features: features_lib.Features
    right: np.ndarray  # (N,)
    dataset: Dataset  # digests of all that were given in the place of records
    indices: np.ndarray  # (N,) of the attacked among these


def deal(observed: Observed, task: tasks.Task, seed: int) -> Dealt:
    """Deals records to their purposes: as many members, non-members and untrained.

    Those of the third kind, non-members too, stand in for members in the null check.
    """
    rng = np.random.default_rng([seed, *b"deal"])
    non_members = rng.permutation(observed.non_members)
    count = min(len(observed.members), len(non_members) // 2)
    members = rng.permutation(observed.members)[:count]
    others, untrained = np.split(non_members[: 2 * count], 2)
    ends = (np.cumsum([TRAIN, SELECTION]) * count).astype(int)

    def positions(kind):
        return attack_training.Positions(
            *np.split(kind * count + np.arange(count), ends)
        )

    everyone = np.concatenate([members, others, untrained])
    signals = observed.signals
    dataset = Dataset(NAME, signals.digests, signals.labels, task.classes)
    batch = types.Batch(
        dataset.x[everyone], dataset.y[everyone], np.ones(len(everyone))
    )
    bare = signals.features._replace(label=())
    features = jax.tree.map(lambda a: jnp.asarray(a[:, everyone]), bare)
    features = features._replace(label=jnp.asarray(signals.features.label[everyone]))
    return Dealt(
        membership_records.Records(batch, *map(positions, range(3))),
        features,
        signals.right[everyone],
        dataset,
        everyone,
    )
