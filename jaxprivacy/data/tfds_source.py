"""Data sets that TensorFlow Datasets has prepared, read without TensorFlow."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
from collections.abc import Iterator
from typing import Any

import numpy as np
from absl import logging

from jaxprivacy import errors
from jaxprivacy.data import validate
from jaxprivacy.data.builders.forms import FORMS

_NAME = re.compile(r"\w+(/[\w.-]+)?(:[\d.*]+)?", re.ASCII)
_SPLITS = ("train", "test")


def read(source: str, name: str) -> list[validate.Part]:
    """Reads the train and test splits of a prepared data set.

    The data set is found by its files alone, in the folder that the environment
    variable TFDS_DATA_DIR names or else in ~/tensorflow_datasets. No builder runs:
    `tfds.data_source` itself would download what it does not find.

    Args:
      source: the value of `data` in every error.
      name: NAME, NAME/CONFIG, each with :VERSION or without.

    Returns:
      One part for each split.

    Raises:
      InputError: if it is not prepared, not as array_record, or has no records with
        labels.
    """
    if not _NAME.fullmatch(name):
        raise errors.InputError(
            "data",
            source,
            accepted="are tfds:NAME, tfds:NAME/CONFIG, each with :VERSION or without",
        )
    with quiet():
        return _read(source, name, data_dir())


def data_dir() -> str:
    """Returns the folder where TFDS keeps data sets."""
    return os.path.expanduser(
        os.environ.get("TFDS_DATA_DIR") or os.path.join("~", "tensorflow_datasets")
    )


def _read(source: str, name: str, folder: str) -> list[validate.Part]:
    from tensorflow_datasets.core import read_only_builder, registered

    # TFDS reads a folder through protobuf, Riegeli and Pillow, each with errors of
    # its own; whatever they say, the folder is not usable.
    try:
        builder = read_only_builder.builder_from_files(
            name, data_dir=folder, file_format="array_record"
        )
    except registered.DatasetNotFoundError as error:
        raise errors.InputError(
            "data",
            source,
            found=f"not prepared in {folder!r} (TFDS_DATA_DIR names another folder)",
            accepted=_how_to_prepare(name, folder),
        ) from error
    except Exception as error:
        raise _unreadable(source, name, folder, error) from error
    x_key, y_key = _keys(source, builder.info)
    splits = [split for split in _SPLITS if split in builder.info.splits]
    if not splits:
        raise errors.InputError(
            "data",
            source,
            found=f"has the splits {', '.join(sorted(builder.info.splits))}",
            accepted="are data sets with a split train, test or both",
        )
    try:
        records = {split: _records(builder, split) for split in splits}
    except Exception as error:
        raise _unreadable(source, name, folder, error) from error
    return [
        validate.Part(
            f"{split}[{x_key!r}]",
            _stack(source, f"{split}[{x_key!r}]", [r[x_key] for r in records[split]]),
            f"{split}[{y_key!r}]",
            np.asarray([record[y_key] for record in records[split]]),
        )
        for split in splits
    ]


def _records(builder: Any, split: str) -> list[dict[str, Any]]:
    records = builder.as_data_source(split)
    return records.__getitems__(range(len(records)))  # One read, not one a record.


def _keys(source: str, info: Any) -> tuple[str, str]:
    """Returns the names of the features that hold the records and the labels."""
    pairs = [info.supervised_keys, ("image", "label"), ("features", "label")]
    for pair in pairs:
        if pair and all(isinstance(key, str) and key in info.features for key in pair):
            return pair[0], pair[-1]
    raise errors.InputError(
        "data",
        source,
        found=f"has the features {', '.join(sorted(info.features))}",
        accepted=(
            "are data sets with supervised keys, image and label, or features and label"
        ),
    )


def _stack(source: str, name: str, values: list[Any]) -> np.ndarray:
    """Returns one array of all records; a dictionary is a row, sorted by key."""
    if values and isinstance(values[0], dict):
        values = [np.hstack([row[key] for key in sorted(row)]) for row in values]
    shapes = sorted({np.shape(value) for value in values})
    if len(shapes) > 1:
        raise errors.InputError(
            "data",
            source,
            found=f"{name} has records of shapes {shapes[0]} and {shapes[1]}",
            accepted="are records of one shape",
        )
    return np.asarray(values)


def _unreadable(
    source: str, name: str, folder: str, error: Exception
) -> errors.InputError:
    return errors.InputError(
        "data",
        source,
        found=f"cannot be read in {folder!r} ({validate.first_line(error)})",
        accepted=f"{_how_to_prepare(name, folder)}; remove its folder there first",
    )


def _how_to_prepare(name: str, folder: str) -> str:
    public = re.split("[/:]", name)[0]
    if public in FORMS:
        options = {"dataset": public, "data_dir": folder, "manual_dir": "FOLDER"}
        given = [f"--{name}={shlex.quote(value)}" for name, value in options.items()]
        return (
            f"are data sets prepared once with: jaxprivacy prepare {' '.join(given)}, "
            f"where FOLDER has {FORMS[public].instructions}"
        )
    code = (
        f"import tensorflow_datasets as tfds; tfds.builder({json.dumps(name)}, "
        f"data_dir={json.dumps(folder)}, "
        'file_format="array_record").download_and_prepare()'
    )
    return (
        f"are data sets prepared once with: python -c {shlex.quote(code)} "
        "(TFDS's own builders of images need TensorFlow for this, reading does not)"
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps TFDS from advising on its own installation."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
