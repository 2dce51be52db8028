"""jaxprivacy: measure what deep learning on private data gives away."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# What is public, and where it stands; imported when it is asked for, so that the
# package's name alone costs nothing.
_PUBLIC = {
    "AuditReport": "report.findings",
    "Finding": "report.findings",
    "InputError": "checks",
    "Target": "targets.target",
    "audit": "door",
    "clipped_gradient": "targets.gradients",
    "function": "targets.target",
    "gradient_norms": "targets.gradients",
    "gradient_norms_by_leaf": "targets.gradients",
    "linen": "targets.target",
    "nnx": "targets.target",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    """Finds a public name."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'jaxprivacy' has no attribute {name!r}")
    module = importlib.import_module(f"jaxprivacy.{_PUBLIC[name]}")
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
