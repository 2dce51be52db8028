"""Targets on disk: a trained classifier, and what must be known to use it again."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
from typing import Any

import jax

from jaxprivacy import errors, types
from jaxprivacy.programs import checkpoint

DESCRIPTION, WEIGHTS = "target.json", "weights"


def check_free(folder: str) -> None:
    """Checks, before a long training, that a target can be saved here.

    Raises:
      InputError: naming `export_target`: the folder holds something, or cannot be
        written.
    """
    path = _absolute(folder)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise errors.InputError(
            "export_target",
            folder,
            found="holds something already",
            accepted="is a new or empty folder",
        )
    near = next(part for part in (path, *path.parents) if part.exists())
    if not near.is_dir() or not os.access(near, os.W_OK):
        raise _not_exported(folder, f"{near} is no folder that can be written")


def save(folder: str, params: types.Params, description: dict[str, Any]) -> None:
    """Saves a target: its weights by Orbax, its description as JSON.

    Both are written under another name, which becomes the folder's when all is there.

    Args:
      folder: new or empty.
      params: a tree of arrays.
      description: the model's name, its settings and the input shape, as JSON takes
        them: all that two models of different functions differ in.

    Raises:
      InputError: naming `export_target`: the folder holds something, or cannot be
        written.
    """
    check_free(folder)
    path = _absolute(folder)
    made = [part for part in path.parents if not part.exists()]
    partial = path.with_name(path.name + ".partial")
    text = json.dumps(description, indent=2, allow_nan=False) + "\n"
    try:
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        checkpoint.checkpoint(partial / WEIGHTS, folder).save(0, params)
        (partial / DESCRIPTION).write_text(text)
        os.replace(partial, path)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        for part in made:
            if part.is_dir() and not any(part.iterdir()):
                part.rmdir()
        raise _not_exported(folder, error.strerror or error) from error


def _absolute(folder: str) -> pathlib.Path:
    """Without links and `..`, which Orbax cannot do with."""
    return pathlib.Path(os.path.realpath(folder))


def _not_exported(folder: str, why: object) -> errors.InputError:
    return errors.InputError(
        "export_target",
        folder,
        found=f"cannot be written ({why})",
        accepted="is a new or empty folder",
    )


def load(
    folder: str, shapes: types.Params, description: dict[str, Any]
) -> types.Params:
    """Loads a target that `save` wrote.

    Args:
      folder: as the user named it.
      shapes: the tree expected, as `jax.eval_shape(model.init, key)` gives it.
      description: what the target must be, as `save` takes it.

    Raises:
      InputError: naming `import_target`: the folder holds no target, one of another
        description (naming what differs), or a damaged one.
    """
    path = _absolute(folder)
    held, asked = _described(path, folder), json.loads(json.dumps(description))
    other = [
        f"{name} {held.get(name)} (asked for: {asked.get(name)})"
        for name in {**asked, **held}
        if name not in held or name not in asked or held[name] != asked[name]
    ]
    if other:
        raise _refused(folder, f"holds a target of another {', '.join(other)}")
    try:
        found = checkpoint.checkpoint(path / WEIGHTS, folder).restore(lambda _: shapes)
    except checkpoint.Damaged as error:
        raise _refused(folder, "its weights cannot be read") from error
    if found is None:
        raise _refused(folder, "holds no weights")
    if _forms(found[1]) != _forms(shapes):
        raise _refused(folder, "its weights have other shapes than the model's")
    return found[1]


def _described(path: pathlib.Path, folder: str) -> dict[str, Any]:
    """The description in a folder."""
    try:
        held = json.loads((path / DESCRIPTION).read_text())
    except (OSError, ValueError) as error:
        raise _refused(folder, f"has no readable {DESCRIPTION}") from error
    if not isinstance(held, dict):
        raise _refused(folder, f"has no readable {DESCRIPTION}")
    return held


def _forms(tree: types.Params) -> types.Params:
    return jax.tree.map(lambda a: (tuple(a.shape), str(a.dtype)), tree)


def _refused(folder: str, why: str) -> errors.InputError:
    return errors.InputError(
        "import_target",
        folder,
        found=why,
        accepted=(
            "is a folder that `export_target` wrote for the same model, settings "
            "and records"
        ),
    )
