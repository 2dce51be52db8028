"""In which groups `--help` tells of the flags."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from jaxprivacy.studies import (
    inversion_settings,
    parts,
    privacy_settings,
    settings,
    tradeoff_settings,
    whitebox_settings,
)

# Flags that are no settings; they stand before those of their group.
OWN = {
    "data": ("target", "params", "dataset", "manual_dir", "data_dir"),
    "training": ("targets",),
    "federation": (),
    "attacks": ("grid",),
    "report": (
        "out",
        "overwrite",
        "checkpoint",
        "compilation_cache",
        "devices",
        "memory",
    ),
}
STUDIES = (
    settings.Settings,
    settings.GanSettings,
    whitebox_settings.WhiteboxSettings,
    privacy_settings.PrivacySettings,
    inversion_settings.InversionSettings,
    tradeoff_settings.TradeoffSettings,
)


def groups(flags: Sequence[str]) -> dict[str, list[str]]:
    """Sorts names of flags into groups, the settings in the order that is given."""
    of_settings = {
        field.name: field.metadata["group"]
        for study in STUDIES
        for field in dataclasses.fields(study)
    }
    return {
        group: [name for name in OWN[group] if name in flags]
        + [name for name in flags if of_settings.get(name) == group]
        for group in parts.GROUPS
    }
