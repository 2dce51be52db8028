"""jaxprivacy: measure what deep learning on private data gives away."""

import importlib

from jaxprivacy.errors import InputError

__version__ = "0.1.0"

# Imported when asked for: parts of the package do without JAX, and start at once.
_FOUND_IN = {
    "AuditReport": "jaxprivacy.report.findings",
    "Finding": "jaxprivacy.report.findings",
    "Target": "jaxprivacy.targets.target",
    "Transcript": "jaxprivacy.federated.transcript",
    "audit": "jaxprivacy.studies.door",
    "clipped_gradient": "jaxprivacy.targets.gradients",
    "cross_entropy": "jaxprivacy.targets.inputs",
    "function": "jaxprivacy.targets.target",
    "gradient_norms": "jaxprivacy.targets.gradients",
    "gradient_norms_by_leaf": "jaxprivacy.targets.gradients",
    "linen": "jaxprivacy.targets.target",
    "logistic_losses": "jaxprivacy.targets.tasks",
    "nnx": "jaxprivacy.targets.target",
    "squared_error": "jaxprivacy.targets.tasks",
    "summed_token_loss": "jaxprivacy.targets.tasks",
    "token_loss": "jaxprivacy.targets.tasks",
}
__all__ = ["InputError", *_FOUND_IN]


def __getattr__(name: str):
    """Imports a public name where it is first used."""
    if name not in _FOUND_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_FOUND_IN[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_FOUND_IN])
