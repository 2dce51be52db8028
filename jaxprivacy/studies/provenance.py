"""Where a result comes from: its data, its code and the machine."""

from __future__ import annotations

import ast
import hashlib
import os
import pathlib
import platform
import subprocess
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

import jaxprivacy
from jaxprivacy.data import Dataset

PACKAGE = pathlib.Path(jaxprivacy.__file__).parent
CODE = ("jaxprivacy", "launch")  # folders of the checkout whose changes count
GIT_SECONDS = 10


def data(dataset: Dataset) -> dict[str, Any]:
    """What was attacked: the name, a fingerprint of the content, and its size."""
    return {
        "name": dataset.name,
        "fingerprint": fingerprint(dataset),
        "records": len(dataset.y),
        "classes": dataset.num_classes,
        "shape": list(dataset.x.shape[1:]),
    }


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 over the shapes, types and values of the records and labels."""
    digest = hashlib.sha256()
    for array in (dataset.x, dataset.y):
        digest.update(f"{array.shape} {array.dtype}\n".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def commit(root: pathlib.Path = PACKAGE.parent) -> str | None:
    """The commit of the checkout, with `+changes` where its code differs from it.

    Args:
      root: folder that is the checkout if there is one; a folder inside another
        project's checkout, as that of an installed wheel may be, has no commit.
    """
    if not (root / ".git").exists():  # A folder, or in a worktree a file.
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        changes = _git(root, "status", "--porcelain", "--", *CODE)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None  # No git, or not one that may read this folder.
    return head + ("+changes" if changes else "")


def _git(root: pathlib.Path, *arguments: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    done = subprocess.run(  # noqa: S603 - a list of our own words and a path of ours
        command, capture_output=True, text=True, check=True, timeout=GIT_SECONDS
    )
    return done.stdout.strip()


def machine() -> dict[str, Any]:
    """What a time depends on; nothing that names the machine or its owner.

    Returns:
      `system`, `processor`, `cores` that this process may use, `memory_gib` (None where
      it is not told), and JAX's `backend`, `device` and `devices`, their number.
    """
    device = jax.devices()[0]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": _cores(),
        "memory_gib": _memory(),
        "backend": device.platform,
        "device": device.device_kind,
        "devices": jax.device_count(),
    }


def _processor() -> str:
    """The processor's model, as well as the system tells it."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return " ".join(models[0].split()) if models else platform.processor()


def _cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory() -> float | None:
    try:
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    return round(pages / 2**30, 1)


def code(modules: Iterable[str] = ("",)) -> str:
    """SHA-256 over sources of the package, without comments, docstrings and layout.

    Args:
      modules: files and folders of the package, e.g. `federated` and
        `studies/training.py`; by default all of it.
    """
    digest = hashlib.sha256()
    for path in sorted({path for module in modules for path in _sources(module)}):
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\n".encode())
        digest.update(meaning(path.read_text("utf-8")).encode())
    return digest.hexdigest()


def _sources(module: str) -> list[pathlib.Path]:
    path = PACKAGE / module
    return [path] if path.is_file() else list(path.rglob("*.py"))


def meaning(source: str) -> str:
    """A source as Python writes it from its syntax, without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body[0] = ast.Expr(ast.Constant(...))
    return ast.unparse(tree)
