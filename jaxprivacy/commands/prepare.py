"""Prepares a public data set from its downloaded files for --data=tfds:NAME.

jaxprivacy prepare --dataset=location30 --manual_dir=FOLDER
"""

from __future__ import annotations

from absl import flags
from rich import console

from jaxprivacy.studies import preparation

_DATASET = flags.DEFINE_string(
    "dataset", "", "Data set: purchase100, texas100, location30 or cifar100."
)
_MANUAL_DIR = flags.DEFINE_string(
    "manual_dir",
    "",
    "Folder with the files as they were published, of "
    f"{preparation.help_text()}. Nothing is downloaded.",
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "Folder that the data set goes to. Absent: TFDS_DATA_DIR, or else "
    "~/tensorflow_datasets, where --data=tfds:NAME looks.",
)


def main() -> None:
    """Prepares the data set that the flags name."""
    from jaxprivacy.report import progress

    with progress.progress(preparation.WEIGHT) as stages:
        told = preparation.run(
            _DATASET.value, _MANUAL_DIR.value, _DATA_DIR.value, stages
        )
    console.Console().print(told, markup=False, highlight=False, soft_wrap=True)
