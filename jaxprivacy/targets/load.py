"""Targets and parameters that a user's command line names."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pathlib
import re
import sys
import zipfile
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxprivacy import errors, types
from jaxprivacy.targets.target import Target

_FORMS = "FILE.py:NAME or package.module:NAME"
_ORBAX = "_METADATA"  # in each folder that Orbax reads as a tree of arrays
_PARAMETERS = "an Orbax folder, a .safetensors file or an .npz file"


def target(word: str) -> Target:
    """Imports a target, or calls the function of no arguments that makes it.

    The file or module is the user's own code, and runs.

    Args:
      word: `FILE.py:NAME` or `package.module:NAME`.

    Raises:
      InputError: there is no such file, module or name, or it makes no `Target`.
      UserCodeFailed: it raises an error of its own.
    """
    source = word
    place, colon, name = word.rpartition(":")
    if not colon or not place or not name.isidentifier():
        raise errors.InputError("target", source, accepted=f"are {_FORMS}")
    module = _of_file(source, place) if place.endswith(".py") else _named(source, place)
    if not hasattr(module, name):
        raise errors.InputError(
            "target",
            source,
            found=f"{place} has no {name}",
            accepted=(
                "is the name of a jaxprivacy.Target or of a function of no "
                "arguments that returns one"
            ),
        )
    found = getattr(module, name)
    if inspect.isroutine(found):
        found = _made(source, name, found)
    if not isinstance(found, Target):
        raise errors.InputError(
            "target",
            source,
            found=f"{name} is a {type(found).__name__}",
            accepted=(
                "is a jaxprivacy.Target or a function of no arguments that returns "
                "one; jaxprivacy.linen, .nnx and .function make one of a model"
            ),
        )
    return found


def _of_file(source: str, place: str) -> Any:
    path = pathlib.Path(os.path.expanduser(place))
    if not path.is_file():
        raise errors.InputError(
            "target", source, found=f"no file {place}", accepted=f"are {_FORMS}"
        )
    spec = importlib.util.spec_from_file_location(f"_target_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses and the like look themselves up.
    sys.path.insert(0, str(path.parent.resolve()))  # As `python FILE.py` has it.
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _failed(source, place, error) from error
    return module


def _named(source: str, place: str) -> Any:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{place}.".startswith(f"{error.name}."):
            raise _failed(source, place, error) from error
        raise errors.InputError(
            "target", source, found=f"no module {error.name}", accepted=f"are {_FORMS}"
        ) from error
    except (Exception, SystemExit) as error:
        raise _failed(source, place, error) from error


def _made(source: str, name: str, function: Any) -> Any:
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise _failed(source, f"{name}()", error) from error


def _failed(source: str, what: str, error: BaseException) -> errors.UserCodeFailed:
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return errors.UserCodeFailed(
        "target", source, found=f"{what} fails ({said})", accepted=f"are {_FORMS}"
    )


def parameters(path: str) -> types.Params:
    """Reads a tree of parameters.

    Names of a flat file are paths, `params/Dense_0/kernel` or with dots.

    Args:
      path: an Orbax folder, a .safetensors file or an .npz file.

    Raises:
      InputError: naming `params`.
    """
    source, file = path, os.path.expanduser(path)
    if os.path.isdir(file):
        return _orbax(source, file)
    if not os.path.isfile(file):
        raise errors.InputError(
            "params", source, found="no such file", accepted=f"is {_PARAMETERS}"
        )
    if file.endswith(".safetensors"):
        return _tree(source, _safetensors(source, file))
    if zipfile.is_zipfile(file):
        try:
            with np.load(file, allow_pickle=False) as archive:
                flat = {name: archive[name] for name in archive.files}
        except Exception as error:
            raise _unread(source, error) from error
        return _tree(source, flat)
    raise errors.InputError(
        "params", source, found="is neither", accepted=f"is {_PARAMETERS}"
    )


def _orbax(source: str, folder: str) -> types.Params:
    import orbax.checkpoint as orbax

    _refuse_steps(source, folder)
    try:
        with orbax.StandardCheckpointer() as checkpointer:
            return checkpointer.restore(os.path.abspath(folder))
    except Exception as error:
        raise _unread(source, error) from error


def _refuse_steps(source: str, folder: str) -> None:
    """Refuses the folder of an Orbax CheckpointManager, or of one of its steps."""
    place = pathlib.Path(folder)
    if (place / _ORBAX).exists():
        return
    below = [*place.glob(f"*/{_ORBAX}"), *place.glob(f"*/*/{_ORBAX}")]
    if below:
        newest = max(below, key=lambda path: _numbers(path.relative_to(place)))
        raise errors.InputError(
            "params",
            source,
            found="has its arrays in folders below it",
            accepted=f"is one of those, such as {newest.parent}",
        )


def _numbers(path: pathlib.Path) -> list[int]:
    """The numbers in a name, by which step 10 follows step 9."""
    return [int(digits) for digits in re.findall("[0-9]+", str(path))]


def _safetensors(source: str, file: str) -> dict[str, jax.Array]:
    try:
        from safetensors import flax as safetensors
    except ImportError as error:
        raise errors.InputError(
            "params",
            source,
            found="needs the package safetensors (pip install safetensors)",
            accepted=f"is otherwise {_PARAMETERS}",
        ) from error
    try:
        return safetensors.load_file(file)
    except Exception as error:
        raise _unread(source, error) from error


def _unread(source: str, error: Exception) -> errors.InputError:
    said = " ".join(str(error).split())[:200]
    return errors.InputError(
        "params",
        source,
        found=f"cannot be read ({type(error).__name__}: {said})",
        accepted=f"is {_PARAMETERS}",
    )


def _tree(source: str, flat: Mapping[str, np.ndarray | jax.Array]) -> types.Params:
    """Nests arrays by the parts of their names.

    Raises:
      InputError: there is no array, or an array's name is the folder of another.
    """
    if not flat:
        raise errors.InputError(
            "params", source, found="holds no array", accepted=f"is {_PARAMETERS}"
        )
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *folders, last = name.replace(".", "/").split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
            if not isinstance(place, dict):
                break
        if not isinstance(place, dict) or last in place:
            raise errors.InputError(
                "params",
                source,
                found=f"{name} is both an array and a folder of others, or twice there",
                accepted="are names that are paths in one tree",
            )
        place[last] = value
    return tree
