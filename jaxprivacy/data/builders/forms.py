"""Which public data sets can be prepared, and the form of their files.

PAPERS row B6. The three tables are those of the privacytrustlab/datasets archive,
where labels count from 1. Only Location-30 was at hand, as arrays: the forms of the
other files are taken from descriptions and from loaders that read them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from jaxprivacy import errors
from jaxprivacy.data.builders import archives, images, tables

Read = Callable[["Form", str], dict[str, tables.Records]]


class Form(NamedTuple):
    """A data set and the form of its files."""

    title: str
    archive: str
    members: tuple[str, ...]  # Paths in the archive.
    shape: tuple[int, ...]  # Of a record: (F,) or (H, W, C).
    classes: int
    published: int  # Records that the published files hold.
    read: Read  # form, folder -> the records of each split

    @property
    def instructions(self) -> str:
        """What the user puts into the folder."""
        return (
            f"{self.archive} as it was published, or what it holds: "
            f"{', '.join(self.members)}"
        )


def _labelled_lines(form: Form, folder: str) -> dict[str, tables.Records]:
    with archives.open_member(folder, form.archive, *form.members) as source:
        (columns,) = form.shape
        return {"train": tables.read_table(source, columns, form.classes)}


def _two_files(form: Form, folder: str) -> dict[str, tables.Records]:
    values, labels = form.members
    with archives.open_member(folder, form.archive, labels) as source:
        y, labels_name = tables.read_labels(source, form.classes), source.name
    with archives.open_member(folder, form.archive, values) as source:
        x, values_name = tables.read_values(source, *form.shape), source.name
    if len(x) != len(y):
        raise errors.InputError(
            labels_name,
            found=f"has {len(y)} labels and {values_name} has {len(x)} records",
            accepted="is one label for each record",
        )
    return {"train": tables.Records(x, y)}


def _binary(form: Form, folder: str) -> dict[str, tables.Records]:
    splits = {}
    for split, member in zip(("train", "test"), form.members, strict=True):
        with archives.open_member(folder, form.archive, member) as source:
            splits[split] = images.read_images(
                source, form.shape[0], form.classes, superclasses=20
            )
    return splits


FORMS = {
    "purchase100": Form(
        title="Purchase-100",
        archive="dataset_purchase.tgz",
        members=("dataset_purchase",),
        shape=(600,),
        classes=100,
        published=197_324,
        read=_labelled_lines,
    ),
    "texas100": Form(
        title="Texas-100",
        archive="dataset_texas.tgz",
        members=("texas/100/feats", "texas/100/labels"),
        shape=(6169,),  # The paper says 6,170; the file that circulates has 6,169.
        classes=100,
        published=67_330,
        read=_two_files,
    ),
    "location30": Form(
        title="Location-30",
        archive="dataset_location.tgz",
        members=("bangkok",),
        shape=(446,),
        classes=30,
        published=5_010,
        read=_labelled_lines,
    ),
    "cifar100": Form(
        title="CIFAR-100",
        archive="cifar-100-binary.tar.gz",
        members=("cifar-100-binary/train.bin", "cifar-100-binary/test.bin"),
        shape=(32, 32, 3),
        classes=100,
        published=60_000,
        read=_binary,
    ),
}
