"""Trained targets kept in a folder, so that each is trained once for many tables."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

import jaxprivacy
from jaxprivacy import checks
from jaxprivacy.experiments import checkpoint, whitebox_targets
from jaxprivacy.experiments.whitebox_settings import WhiteboxSettings


def usable(folder: str) -> None:
    """Makes the folder, and checks before a long training that it can be written.

    Raises:
      InputError: naming `--targets`.
    """
    path, reason = pathlib.Path(folder), "not writable"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
    if not path.is_dir() or not os.access(path, os.W_OK):
        raise checks.InputError(
            f"--targets={folder}: cannot be used ({reason}); accepted is a folder that "
            "can be written"
        )


def which(parts: Sequence[np.ndarray]) -> list[str]:
    """Digests of which records the parts hold, in order."""
    return [hashlib.sha256(np.asarray(part, np.int64)).hexdigest() for part in parts]


def identity(
    settings: WhiteboxSettings,
    trained: whitebox_targets.Trainer,
    *,
    data: str,
    shares: Sequence[np.ndarray],
    seed: int,
    case: Sequence[Any],
    others: Sequence[np.ndarray] = (),
) -> dict[str, Any]:
    """All that a target's numbers depend on.

    Args:
      settings: of its network and training.
      trained: how many rounds, and which are kept.
      data: fingerprint of the data set.
      shares: the records of each seat.
      seed: of the initial model and of the order of records.
      case: what its training has of its own, as JSON takes it.
      others: further records that it depends on: those whose loss is raised, or those
        that an earlier training had.
    """
    return {
        "jaxprivacy": jaxprivacy.__version__,
        "data": data,
        **{name: getattr(settings, name) for name in whitebox_targets.TRAINED_WITH},
        "rounds": [trained.total, *trained.rounds],
        "shares": which(shares),
        "others": which(others),
        "seed": seed,
        "case": list(case),
    }


def kept(folder: str, described: dict[str, Any]) -> checkpoint.Checkpoint:
    """Where the target of this identity is kept: a subfolder named after its hash.

    Restoring raises an `InputError` that names `--targets` where it is damaged.
    """
    digest = hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]
    path = pathlib.Path(os.path.realpath(folder)) / digest
    found = checkpoint.lenient(
        checkpoint.checkpoint(path, folder), f"--targets={folder}"
    )

    def restore(shapes):
        try:
            return found.restore(shapes)
        except checkpoint.Damaged as error:
            raise checks.InputError(
                f"--targets={folder}: {digest} cannot be restored; accepted is another "
                f"folder, or this one without {digest}"
            ) from error

    return found._replace(restore=restore)
