"""What the studies of defenses find, whatever is attacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxprivacy.data import Dataset
from jaxprivacy.report import contents


class Found(NamedTuple):
    """What attacks under each defense found, for result.json and the report."""

    dataset: Dataset  # of the first seed
    target: dict[str, float]  # accuracies under the first defense, with that seed
    rows: list[dict]  # `tradeoff` of result.json
    in_effect: dict[str, Any]  # what the settings left open
    told_of_data: dict[str, Any]
    counts: list[tuple[str, int, str]]  # see `contents.Report`
    notes: Sequence[str] = ()
    told: dict[str, Any] = {}  # further entries of result.json
    class_samples: Sequence[contents.Samples] = ()
    inversions: Sequence[contents.Samples] = ()
