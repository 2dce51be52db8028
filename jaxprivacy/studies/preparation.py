"""Preparing a public data set, with progress, for `data=tfds:NAME`."""

from __future__ import annotations

import shlex

from jaxprivacy import errors
from jaxprivacy.data import tfds_source
from jaxprivacy.data.builders import forms, prepare
from jaxprivacy.report.progress import Stages

WEIGHT = 1.0  # Of the one stage: reading takes seconds.


def help_text() -> str:
    """Says which data sets there are and what each one's folder holds."""
    return "; ".join(
        f"{name}: {form.instructions}" for name, form in forms.FORMS.items()
    )


def run(name: str, manual_dir: str, data_dir: str | None, stages: Stages) -> str:
    """Prepares a data set.

    Args:
      name: of `builders.forms.FORMS`.
      manual_dir: folder with the files as they were published.
      data_dir: folder of TFDS; None takes the one that `data=tfds:NAME` reads.
      stages: told how far it is.

    Returns:
      What was prepared and how to use it.

    Raises:
      InputError: see `builders.prepare.prepare`.
    """

    def progress(share: float) -> None:
        if not share:  # The first call.
            stages.stage(f"writing {name}", WEIGHT)
        stages.advance(share)

    folder = data_dir or tfds_source.data_dir()
    splits = prepare.prepare(name, manual_dir, folder, progress)
    return _told(name, folder, sum(splits.values()))


def _told(name: str, folder: str, records: int) -> str:
    form = forms.FORMS[name]
    differs = f" (the published files hold {form.published:,})"
    there = "" if folder == tfds_source.data_dir() else f"{shlex.quote(folder)} "
    data = errors.called(f"`data`=tfds:{name}")
    return (
        f"{form.title}: {records:,} records"
        f"{'' if records == form.published else differs} in {folder}; use it with "
        f"{'TFDS_DATA_DIR=' + there if there else ''}{data}"
    )
