"""Writing a public data set where `tfds:NAME` finds it, without TensorFlow."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from jaxprivacy import checks, errors
from jaxprivacy.data import tfds_source, validate
from jaxprivacy.data.builders import archives, forms, tables

Progress = Callable[[float], None]  # Share of the records just written; 0 first.
_VERSION = "1.0.0"
_REPORT_EVERY = 1000


def _check(name: str, manual_dir: str, data_dir: str) -> None:
    form = forms.FORMS[checks.one_of("dataset", name, list(forms.FORMS))]
    if not os.path.isdir(os.path.expanduser(manual_dir)):
        raise errors.InputError(
            "manual_dir",
            manual_dir,
            found="no such folder",
            accepted=f"is a folder with {form.instructions}",
        )
    for member in form.members:
        archives.locate(os.path.expanduser(manual_dir), form.archive, member)
    there = os.path.join(os.path.expanduser(data_dir), name, _VERSION)
    if os.path.exists(there):
        raise errors.InputError(
            "data_dir",
            data_dir,
            found=f"{name} is already in {there!r}",
            accepted=(
                f"is another folder; or use it as `data`=tfds:{name}, or remove it"
            ),
        )


def prepare(
    name: str, manual_dir: str, data_dir: str, progress: Progress
) -> dict[str, int]:
    """Prepares a data set from files that the user has downloaded.

    All files are read and checked before a record is written, and TFDS writes into a
    folder of another name until it is done: after an error nothing is left behind. The
    records keep the order of the files. Nothing is downloaded. TFDS's own progress bar
    stays off for the rest of the process.

    Args:
      name: of `FORMS`.
      manual_dir: folder with the files as they were published.
      data_dir: where TFDS keeps data sets; see `tfds_source.data_dir`.
      progress: called with 0 once all files are found right, then with each share of
        the records that has been written, in [0, 1].

    Returns:
      The number of records of each split.

    Raises:
      InputError: if an argument or a file is not as described, the data set is there
        already, or it cannot be written.
    """
    _check(name, manual_dir, data_dir)
    folder = pathlib.Path(data_dir).expanduser().absolute()
    try:
        with _leaving_nothing(folder / name), tfds_source.quiet():
            return _write(name, os.path.expanduser(manual_dir), folder, progress)
    # Errors of reading are InputErrors already; array_record has RuntimeErrors.
    except (OSError, RuntimeError) as error:
        raise errors.InputError(
            "data_dir",
            data_dir,
            found=f"cannot be written ({validate.first_line(error)})",
            accepted="is a folder with space left that you may write to",
        ) from error


def _write(
    name: str, manual_dir: str, folder: pathlib.Path, progress: Progress
) -> dict[str, int]:
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    builder = make_builder(name, progress)(data_dir=folder, file_format="array_record")
    config = tfds.download.DownloadConfig(manual_dir=manual_dir, try_download_gcs=False)
    with tempfile.TemporaryDirectory() as unused:
        with contextlib.redirect_stdout(io.StringIO()):  # It says "Downloading".
            builder.download_and_prepare(download_dir=unused, download_config=config)
    splits = builder.info.splits
    return {split: splits[split].num_examples for split in splits}


def make_builder(dataset: str, progress: Progress = lambda share: None) -> type[Any]:
    """Makes the TFDS builder of a data set: a class, as TFDS expects it.

    Args:
      dataset: of `FORMS`.
      progress: as in `prepare`.

    Returns:
      A `tfds.core.GeneratorBasedBuilder` that reads the manual folder. It is not
      registered, because TFDS has a `cifar100` of its own, which needs TensorFlow.
    """
    import tensorflow_datasets as tfds

    form = forms.FORMS[dataset]
    features = _features(tfds.features, form)

    class Info(tfds.core.DatasetInfo):
        def initialize_from_bucket(self) -> None:
            """Does nothing; older TFDS asks Google's bucket even here."""

    class Public(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        name = dataset
        VERSION = tfds.core.Version(_VERSION)
        MANUAL_DOWNLOAD_INSTRUCTIONS = f"Put into the folder {form.instructions}."

        def _info(self) -> Any:
            return Info(
                builder=self,
                description=f"{form.title}, prepared from its published files.",
                features=tfds.features.FeaturesDict(features),
                supervised_keys=tuple(features),
                disable_shuffling=True,  # The order of the files is kept.
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
            splits = form.read(form, str(dl_manager.manual_dir))
            progress(0.0)
            step = _REPORT_EVERY / sum(len(records.y) for records in splits.values())
            return {
                split: self._generate_examples(records, step)
                for split, records in splits.items()
            }

        def _generate_examples(self, records: tables.Records, step: float) -> Any:
            for i, example in enumerate(_examples(form, records), start=1):
                yield i, example
                if i % _REPORT_EVERY == 0:
                    progress(step)

    return Public


def _features(tfds_features: Any, form: forms.Form) -> dict[str, Any]:
    label = tfds_features.ClassLabel(num_classes=form.classes)
    if len(form.shape) == 3:
        image = tfds_features.Image(shape=form.shape, encoding_format="png")
        return {"image": image, "label": label}
    # Zlib keeps a row of zeros and ones in a tenth of the bytes of TFDS's default.
    row = tfds_features.Tensor(shape=form.shape, dtype=np.uint8, encoding="zlib")
    return {"features": row, "label": label}


def _examples(form: forms.Form, records: tables.Records) -> Iterator[dict[str, Any]]:
    """Yields each record as TFDS takes it without TensorFlow."""
    from PIL import Image

    for x, label in zip(records.x, records.y.tolist(), strict=True):
        if len(form.shape) == 3:
            yield {"image": Image.fromarray(x), "label": label}
        else:
            yield {"features": tables.unpack(x, *form.shape), "label": label}


@contextlib.contextmanager
def _leaving_nothing(folder: pathlib.Path) -> Iterator[None]:
    """Removes the empty folders that TFDS has made when what it does fails."""
    absent = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except BaseException:
        for path in absent:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        raise
