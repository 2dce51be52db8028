"""What the results of all studies have in common."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxprivacy.data import Dataset
from jaxprivacy.evaluation import intervals, membership as membership_evaluation
from jaxprivacy.report import contents, threats
from jaxprivacy.studies import (
    inversion_settings,
    privacy_settings,
    provenance,
    settings as settings_lib,
    tradeoff_settings,
    training,
    whitebox_settings,
)

SCHEMA = 2  # of result.json
# Of any study.
Settings = (
    settings_lib.Settings
    | settings_lib.GanSettings
    | inversion_settings.InversionSettings
    | whitebox_settings.WhiteboxSettings
    | privacy_settings.PrivacySettings
    | tradeoff_settings.TradeoffSettings
)


class Begun(NamedTuple):
    """What is taken down when a run begins, since it may change while it lasts."""

    seconds: float  # by `time.perf_counter`
    commit: str | None


def begin() -> Begun:
    """Takes the time, and which code runs."""
    return Begun(time.perf_counter(), provenance.commit())


def head(
    command: str,
    settings: Settings,
    dataset: Dataset,
    begun: Begun,
    **found: Any,
) -> dict[str, Any]:
    """How a result came about: the first entries of result.json.

    Args:
      command: how the run was started.
      settings: as they were given: all of them are told, and their seed, the first if
        there are several.
      dataset: the data.
      begun: of `begin`.
      **found: what the settings left open and the run settled, beside the model.
    """
    in_effect = {"model": training.model_name(settings, dataset), **found}
    return origin(command, dataclasses.asdict(settings), in_effect, dataset, begun)


def identity(
    trained_by: Mapping[str, Any], dataset: Dataset, modules: Iterable[str]
) -> dict[str, Any]:
    """All that kept models depend on, as `checkpoint.study` takes it.

    Args:
      trained_by: the settings that count.
      dataset: the data.
      modules: the code that counts, see `provenance.code`.
    """
    return {
        **trained_by,
        "content_of_data": provenance.fingerprint(dataset),
        **training.versions(),
        "code": provenance.code(modules),
    }


def origin(
    command: str,
    settings: dict[str, Any],
    in_effect: dict[str, Any],
    dataset: Dataset,
    begun: Begun,
) -> dict[str, Any]:
    """The same of settings in whatever form, `seed` among them."""
    return {
        "schema": SCHEMA,
        "command": command,
        "settings": settings,
        "in_effect": in_effect,
        "data": provenance.data(dataset),
        "commit": begun.commit,
        "machine": provenance.machine(),
        "seed": settings["seed"],
        "versions": training.versions(),
        "seconds": time.perf_counter() - begun.seconds,
    }


def accuracies(info: dict[str, np.ndarray]) -> dict[str, float]:
    """A model's accuracies after its training, from what was logged in each round."""
    return {name: float(info[name][-1]) for name in ("train_accuracy", "test_accuracy")}


def runs(attacked: dict[str, Any], target_class: int) -> list[dict[str, Any]]:
    """The runs of collaborative training in result.json: how good their models are.

    `class_accuracy` is among the real classes alone, without the artificial one.

    Args:
      attacked: `collaboration.Attacked` of each, by the name of its row.
      target_class: the class that is attacked.
    """
    return [
        {
            "row": row,
            "target_class": target_class,
            **accuracies(run.info),
            "class_accuracy": float(run.info["class_accuracy"][-1]),
        }
        for row, run in attacked.items()
    ]


def course(info: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The course of a training: each entry (R,).

    Args:
      info: what was logged: (R,), the loss (R,) or of each of P participants, (R, P).
    """
    loss = info["loss"]
    return {
        "rounds": np.arange(len(loss)) + 1,
        "train_accuracy": info["train_accuracy"],
        "test_accuracy": info["test_accuracy"],
        "train_loss": loss if loss.ndim == 1 else loss.mean(axis=1),
    }


def used_settings(
    settings: Settings,
    dataset: Dataset,
    **found: Any,
) -> list[tuple[str, Any]]:
    """The settings as they took effect, without those that are empty.

    Args:
      settings: as they were given.
      dataset: the data.
      **found: what else was settled in the run.
    """
    used = dict(vars(settings))
    used["records"] = len(dataset.y)
    used["model"] = found.pop("model", None) or training.model_name(settings, dataset)
    used["classes"] = dataset.num_classes
    used["record_shape"] = " x ".join(map(str, dataset.x.shape[1:]))
    used |= found
    return [
        (name, ", ".join(map(str, value)) if isinstance(value, tuple) else value)
        for name, value in used.items()
        if value not in (None, ())
    ]


def roc_curve(
    members: np.ndarray,
    non_members: np.ndarray,
    row: dict,
    keys: Sequence[str] = (),
) -> contents.RocCurve:
    """One attack's curve.

    Args:
      members: scores of evaluation members.
      non_members: scores of evaluation non-members.
      row: the attack's in the result.
      keys: what of the row the label tells beside the attack.
    """
    roc = membership_evaluation.roc(members, non_members)
    auc = intervals.Interval(**row["auc"])
    return contents.RocCurve(threats.label(row, keys), roc, auc)
