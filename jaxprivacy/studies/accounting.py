"""What the uploads of collaborative training spend of privacy."""

from __future__ import annotations

import jax

from jaxprivacy.data import Dataset
from jaxprivacy.federated import sparse_vector
from jaxprivacy.report import contents
from jaxprivacy.studies import collaboration, settings as settings_lib


def account(
    settings: settings_lib.GanSettings, dataset: Dataset, epsilon: float | None = None
) -> contents.Privacy | None:
    """What a participant's uploads spend over the run; None without privacy.

    Args:
      settings: the settings.
      dataset: the data.
      epsilon: per parameter; the settings' own if None.
    """
    epsilon = settings.epsilon_per_parameter if epsilon is None else epsilon
    if epsilon is None:
        return None
    shapes = jax.eval_shape(
        collaboration.model(settings, dataset).init, jax.random.key(0)
    )
    parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    spent = sparse_vector.account(
        epsilon,
        parameters,
        settings.upload_fraction,
        settings.rounds,
    )
    return contents.Privacy(**spent._asdict(), clip_first=settings.clip_first)
