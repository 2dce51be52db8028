"""Trained targets kept in a folder, so that each is trained once for many tables."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxprivacy import errors
from jaxprivacy.programs import checkpoint
from jaxprivacy.studies import (
    provenance,
    training,
    whitebox_settings,
    whitebox_targets,
)

# Files and folders of the package whose code decides a trained target's numbers. A test
# compares them with what `whitebox_targets` imports.
TRAINED_BY = (
    "errors.py",
    "types.py",
    "attacks/active.py",
    "studies/training.py",
    "studies/whitebox_targets.py",
    "federated/roles.py",
    "federated/simulate.py",
    "models/alexnet.py",
    "models/convolution.py",
    "models/dense_net.py",
    "models/image_layers.py",
    "models/residual.py",
    "models/targets.py",
    "models/torch_layout.py",
    "models/torch_weights.py",
    "programs/chunks.py",
    "programs/compilation.py",
    "training",
)
LIBRARIES = ("jax", "jaxlib", "flax", "optax", "platform")  # likewise
MOST_LETTERS = 40  # of a value that is told; digests are longer


def usable(folder: str) -> None:
    """Makes the folder, and checks before a long training that it can be written.

    Raises:
      InputError: naming `targets`.
    """
    path, reason = pathlib.Path(folder), "not writable"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror
    if not path.is_dir() or not os.access(path, os.W_OK):
        raise errors.InputError(
            "targets",
            folder,
            found=f"cannot be used ({reason})",
            accepted="is a folder that can be written",
        )


def which(parts: Sequence[np.ndarray]) -> list[str]:
    """Digests of which records the parts hold, in order."""
    return [hashlib.sha256(np.asarray(part, np.int64)).hexdigest() for part in parts]


def identity(
    settings: whitebox_settings.WhiteboxSettings,
    trained: whitebox_targets.Trainer,
    *,
    data: str,
    shares: Sequence[np.ndarray],
    seed: int,
    case: Sequence[Any],
    others: Sequence[np.ndarray] = (),
    modules: Sequence[str] = (),
) -> dict[str, Any]:
    """All that a target's numbers depend on, as JSON has it.

    Args:
      settings: of its network and training.
      trained: how many rounds, and which are kept.
      data: fingerprint of the data set.
      shares: the records of each seat.
      seed: of the initial model and of the order of records.
      case: what its training has of its own, as JSON takes it.
      others: further records that it depends on: those whose loss is raised, or those
        that an earlier training had.
      modules: the package's files that train it beside `TRAINED_BY`.
    """
    versions = training.versions()
    described = {
        "code": provenance.code((*TRAINED_BY, *modules)),
        **{name: versions[name] for name in LIBRARIES},
        "data": data,
        **{name: getattr(settings, name) for name in whitebox_targets.TRAINED_WITH},
        "rounds": [trained.total, *trained.rounds],
        "shares": which(shares),
        "others": which(others),
        "seed": seed,
        "case": case,
    }
    return json.loads(json.dumps(described))


def named(described: dict[str, Any]) -> str:
    """The name under which a target of this identity is kept: its hash."""
    return hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]


def identities(folder: str) -> dict[str, dict[str, Any]]:
    """The identities of all targets that a folder keeps, by name.

    What has none that can be read, or is one without a target, is left out.
    """
    found = {}
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        try:
            described = json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(described, dict) and path.with_suffix("").is_dir():
            found[path.stem] = described
    return found


def closest(described: dict[str, Any], kept: dict[str, dict[str, Any]]) -> str | None:
    """Says which kept target comes closest to the one asked for, and what differs.

    Args:
      described: the identity asked for.
      kept: of `identities`.

    Returns:
      E.g. "3 kept; the closest, 1a2b, differs in learning_rate (0.05, kept 0.1) and
      code"; None where one fits, or there are none.
    """
    different = {name: _different(described, held) for name, held in kept.items()}
    if not different or not all(different.values()):
        return None
    name = min(different, key=lambda name: len(different[name]))
    *first, last = (_told(key, described, kept[name]) for key in different[name])
    listed = f"{', '.join(first)} and {last}" if first else last
    return f"{len(kept)} kept; the closest, {name}, differs in {listed}"


def _different(asked: dict, held: dict) -> list[str]:
    """The names whose values differ."""
    return [
        name
        for name in {**asked, **held}
        if name not in asked or name not in held or asked[name] != held[name]
    ]


def _told(name: str, asked: dict, held: dict) -> str:
    """A name with both values, where they are short."""
    values = [json.dumps(described.get(name)) for described in (asked, held)]
    if max(map(len, values)) > MOST_LETTERS:
        return name
    return "{} ({}, kept {})".format(name, *values)


def kept(
    folder: str,
    described: dict[str, Any],
    before: dict[str, dict[str, Any]],
    say: Callable[[str], None],
) -> checkpoint.Checkpoint:
    """Where the target of this identity is kept: a subfolder named after its hash.

    Beside it lies its identity, as JSON. Restoring raises an `InputError` that names
    `targets` where it is damaged; what cannot be saved is said, and the run goes on.

    Args:
      folder: as the user named it.
      described: of `identity`.
      before: of `identities`, as the study found them.
      say: told in one line why no kept target is used, where some are kept.
    """
    name = named(described)
    place = pathlib.Path(os.path.realpath(folder))
    found = checkpoint.checkpoint(place / name, folder)
    if not (place / name).exists() and (why := closest(described, before)):
        say(errors.called(f"`targets`={folder}: {why}"))

    def restore(shapes):
        try:
            return found.restore(shapes)
        except checkpoint.Damaged as error:
            raise errors.InputError(
                "targets",
                folder,
                found=f"{name} cannot be restored",
                accepted=f"is another folder, or this one without {name}",
            ) from error

    def save(done, tree):
        found.save(done, tree)
        _write(place / f"{name}.json", described)

    return checkpoint.lenient(checkpoint.Checkpoint(restore, save), ("targets", folder))


def _write(path: pathlib.Path, described: dict[str, Any]) -> None:
    """Writes an identity whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(json.dumps(described, indent=2) + "\n", "utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise checkpoint.NotSaved(error.strerror) from error
