"""What an attacker saw of a training: parameters, and uploads where it saw them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxprivacy import checks, errors, types

LISTED = (
    "; a list or tuple is taken for snapshots: parameters that are one are [params]"
)
HOLDER, SERVER, PARTICIPANT = OBSERVERS = ("holder", "server", "participant")


class Transcript(NamedTuple):
    """A training at T rounds, as one observer saw it.

    A single trained model is a transcript of one round; so are checkpoints of one of
    several, and what a server or a participant received in federated training.
    `jaxprivacy.audit` takes one in the place of parameters.

    Attributes:
      rounds: (T,) whole numbers, rising: rounds, epochs or steps, as the training
        counts them.
      parameters: as the observer received them, a tree of arrays (T, ...).
      uploads: what P participants sent, likewise (T, P, ...); None: not seen.
      observer: `holder` of the model or its checkpoints, the `server`, or a
        `participant`.
    """

    rounds: np.ndarray
    parameters: types.Params
    uploads: types.Params | None = None
    observer: str = HOLDER

    @property
    def is_plain(self) -> bool:
        """Whether it is no more than snapshots in order, without known rounds."""
        count = len(self.rounds)
        return self.observer == HOLDER and np.array_equal(
            self.rounds, np.arange(count) + 1
        )


def of_snapshots(snapshots: Sequence[types.Params]) -> Transcript:
    """A transcript of parameters, snapshots of one training in order.

    Raises:
      InputError: there is none, they are no trees of arrays, or not of one model.
    """
    if not len(snapshots):
        raise errors.InputError("params", "()", "is at least one snapshot")
    try:
        arrays = [jax.tree.map(jnp.asarray, params) for params in snapshots]
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise errors.InputError(
            "params",
            found=f"hold what is no array ({said})",
            accepted="are trees of arrays",
        ) from error
    shapes = [jax.tree.map(np.shape, params) for params in arrays]
    for index, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise errors.InputError(
                "params",
                found=f"snapshot {index} has other arrays than snapshot 0",
                accepted=f"are snapshots of one model{LISTED}",
            )
    stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *arrays)
    return Transcript(np.arange(len(snapshots)) + 1, stacked)


def check(of: Transcript) -> Transcript:
    """Returns a transcript of which rounds, parameters and uploads fit together.

    Raises:
      InputError: they do not.
    """
    rounds = np.asarray(of.rounds)
    whole = rounds.ndim == 1 and len(rounds) and rounds.dtype.kind in "iu"
    if not whole or (np.diff(rounds) <= 0).any():
        raise errors.InputError(
            "params",
            found=f"a Transcript of rounds {of.rounds!r}",
            accepted="are whole numbers (T,), rising",
        )
    for name, tree in (("parameters", of.parameters), ("uploads", of.uploads)):
        for leaf in jax.tree.leaves(tree):
            if np.shape(leaf)[:1] != rounds.shape:
                raise errors.InputError(
                    "params",
                    found=(
                        f"a Transcript of {len(rounds)} rounds, of whose {name} an "
                        f"array has the shape {np.shape(leaf)}"
                    ),
                    accepted=f"are arrays that begin with {len(rounds)}",
                )
    checks.one_of("params: the observer of a Transcript", of.observer, OBSERVERS)
    parameters = jax.tree.map(jnp.asarray, of.parameters)
    return of._replace(rounds=rounds, parameters=parameters)
