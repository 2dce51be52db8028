"""Loading records and labels from a named source."""

from __future__ import annotations

import os
import zipfile
from typing import NamedTuple

import numpy as np

from jaxprivacy import checks, errors
from jaxprivacy.data import stratify, tfds_source, validate

_FORMS = "digits, att_faces, tfds:NAME, npz:PATH"
_ARRAYS = ("x", "y")
_SPLIT_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_FACES_COMMAND = (
    'python -c "from sklearn.datasets import fetch_olivetti_faces; '
    'fetch_olivetti_faces()"'
)


class Dataset(NamedTuple):
    """Labelled records, scaled for training."""

    name: str  # The spec that was given.
    x: np.ndarray  # (N, H, W, C) float32 in [-1, 1], or (N, F) float32
    y: np.ndarray  # (N,) int32, 0 to K - 1, each present
    num_classes: int  # K

    def without(self, held: np.ndarray) -> np.ndarray:
        """The indices of the records that are not among `held`, rising."""
        return np.setdiff1d(np.arange(len(self.y)), held)

    @property
    def is_image(self) -> bool:
        """Whether the records are images rather than rows of a table."""
        return self.x.ndim == 4


def load(spec: str, *, records: int | None = None, seed: int = 0) -> Dataset:
    """Loads the data set that a spec names; never over the network.

    - `digits`: scikit-learn's handwritten digits, 1,797 images of 8 x 8.
    - `att_faces`: the AT&T faces as scikit-learn's Olivetti faces, 400 images of
      64 x 64 of 40 people, downloaded beforehand.
    - `tfds:NAME`: a data set that TensorFlow Datasets has prepared as array_record,
      with images or a table and integer labels.
    - `npz:PATH`: a NumPy archive of `x` and `y`, or of `x_train`, `y_train`, `x_test`
      and `y_test`; images uint8 (N, H, W) or (N, H, W, C), tables (N, F) of finite
      numbers, labels the integers 0 to K - 1, K at least 2, each present. What says the
      same in another form is taken: pixels as whole numbers of any type, whole labels
      as floats, labels of shape (N, 1).

    Where a source separates training and test records they are pooled: members and
    non-members must be drawn from one pool, otherwise an attack could tell who wrote
    the training and who the test records, and call that membership.

    Images are scaled to [-1, 1]. Tables stay as they are if all values lie in [0, 1];
    otherwise each column is standardised over all records of the source (a constant
    column becomes 0), so a record's values do not depend on `records`.

    Args:
      spec: one of the forms above.
      records: how many records to keep, a random subset with the source's class
        proportions and at least 2 records of each class; None keeps all.
      seed: of the random subset.

    Returns:
      The records in the source's order.

    Raises:
      InputError: if the spec, the file, an array or `records` is not as described.
    """
    source = repr(spec)
    x, y = _read(source, spec)
    if records is not None:
        kept = _subset(y, records, seed)
        x, y = x[kept], y[kept]
    return Dataset(name=spec, x=x, y=y, num_classes=int(y.max()) + 1)


def _read(source: str, spec: str) -> tuple[np.ndarray, np.ndarray]:
    form, colon, name = spec.partition(":")
    if form == "npz" and colon:
        return validate.pool(source, _npz_parts(source, name))
    if form == "tfds" and colon:
        return validate.pool(source, tfds_source.read(source, name))
    if spec == "digits":
        return _digits()
    if spec == "att_faces":
        return _att_faces(source)
    raise errors.InputError("data", source, accepted=f"are {_FORMS}")


def _subset(y: np.ndarray, records: int, seed: int) -> np.ndarray:
    sizes = np.bincount(y)
    checks.positive_integer("records", records, least=2 * len(sizes))
    checks.positive_integer("seed", seed, least=0)
    if records > len(y):
        raise errors.InputError("records", records, f"are at most {len(y)}")
    if sizes.min() < 2:
        raise errors.InputError(
            "records",
            records,
            found=f"class {sizes.argmin()} has 1 record",
            accepted="are data with at least 2 of each class",
        )
    return stratify.draw(y, int(records), np.random.default_rng(seed), least=2)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn import datasets

    digits = datasets.load_digits()
    x = digits.images[..., np.newaxis].astype(np.float32) / 8 - 1  # From 0 to 16.
    return x, digits.target.astype(np.int32)


def _att_faces(source: str) -> tuple[np.ndarray, np.ndarray]:
    from sklearn import datasets

    # A missing file is an OSError; a damaged one fails in many ways inside joblib.
    try:
        faces = datasets.fetch_olivetti_faces(download_if_missing=False)
    except Exception as error:
        raise errors.InputError(
            "data",
            source,
            found=(
                f"scikit-learn cannot read the faces in {datasets.get_data_home()!r} "
                f"({validate.first_line(error)})"
            ),
            accepted=f"is a download made once with: {_FACES_COMMAND}",
        ) from error
    x = faces.images[..., np.newaxis].astype(np.float32) * 2 - 1  # From 0 to 1.
    return x, faces.target.astype(np.int32)


def members_and_non_members(
    spec: str,
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Reads who was trained on and who was not, as the file has them, unscaled.

    Args:
      spec: `npz:PATH` of `x_train`, `y_train`, the members, and `x_test`, `y_test`.

    Raises:
      InputError: it is no such file.
    """
    source = repr(spec)
    form, colon, path = spec.partition(":")
    accepted = (
        "with `target` is npz:PATH of x_train, y_train (members), x_test and "
        "y_test (non-members)"
    )
    if form != "npz" or not colon:
        raise errors.InputError("data", source, accepted=accepted)
    file = os.path.expanduser(path)
    _check_npz(source, file)
    arrays = _npz_arrays(source, file)
    if tuple(arrays) != _SPLIT_ARRAYS:
        raise errors.InputError(
            "data", source, found=f"holds {', '.join(arrays)}", accepted=accepted
        )
    x, y, other_x, other_y = arrays.values()
    return (x, y), (other_x, other_y)


def _npz_parts(source: str, path: str) -> list[validate.Part]:
    file = os.path.expanduser(path)
    _check_npz(source, file)
    arrays = _npz_arrays(source, file)
    names = list(arrays)
    return [
        validate.Part(x_name, arrays[x_name], y_name, arrays[y_name])
        for x_name, y_name in zip(names[::2], names[1::2], strict=True)
    ]


def _check_npz(source: str, file: str) -> None:
    accepted = "is an .npz file as numpy.savez writes it"
    if not file:
        raise errors.InputError(
            "data", source, found="the path is empty", accepted=accepted
        )
    if os.path.isdir(file):
        raise errors.InputError(
            "data", source, found="is a directory", accepted=accepted
        )
    if not os.path.isfile(file):
        raise errors.InputError("data", source, found="no such file", accepted=accepted)
    if not os.access(file, os.R_OK):
        raise errors.InputError(
            "data", source, found="may not be read", accepted=accepted
        )
    if not zipfile.is_zipfile(file):
        raise errors.InputError(
            "data", source, found="is no .npz file or is cut off", accepted=accepted
        )


def _npz_arrays(source: str, file: str) -> dict[str, np.ndarray]:
    """Returns the arrays that the archive must hold, by name, in order."""
    name = "the archive"
    found: dict[str, np.ndarray] = {}
    # NumPy reads through zipfile, zlib and Python's own tokenizer, each with errors of
    # its own; whatever they say, the array is not usable.
    try:
        with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            for name in _wanted(source, archive.files):
                found[name] = archive[name]
    except errors.InputError:
        raise
    except Exception as error:
        raise errors.InputError(
            "data",
            source,
            found=f"{name} cannot be read ({validate.first_line(error)})",
            accepted="are arrays of numbers, without Python objects",
        ) from error
    for name, array in found.items():
        if not isinstance(array, np.ndarray):  # NumPy hands out raw bytes.
            raise errors.InputError(
                "data",
                source,
                found=f"{name} is no array",
                accepted="are files of numpy.savez",
            )
    return found


def _wanted(source: str, names: list[str]) -> tuple[str, ...]:
    forms = [form for form in (_ARRAYS, _SPLIT_ARRAYS) if set(form) & set(names)]
    if len(forms) == 1 and set(forms[0]) <= set(names):
        return forms[0]
    cure = ""
    if forms == [_SPLIT_ARRAYS]:
        missing = [name for name in _SPLIT_ARRAYS if name not in names]
        cure = f"; missing {_are(missing)}"
        if set(names) <= {"x_train", "y_train"}:
            cure += ", so save the one set as numpy.savez(path, x=x_train, y=y_train)"
    elif forms == [_ARRAYS]:
        missing = [name for name in _ARRAYS if name not in names]
        cure = f"; missing {_are(missing)}"
    elif len(forms) == 2:
        cure = "; leave one of the two out"
    raise errors.InputError(
        "data",
        source,
        found=f"holds the arrays {', '.join(map(repr, names)) or 'none'}",
        accepted=f"are {', '.join(_ARRAYS)}, or {', '.join(_SPLIT_ARRAYS)}{cure}",
    )


def _are(names: list[str]) -> str:
    return f"{'is' if len(names) == 1 else 'are'} {', '.join(names)}"
