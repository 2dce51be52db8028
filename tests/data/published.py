"""Made-up records, and files of them in the form of the published data sets."""

import io
import tarfile

import numpy as np

from jaxprivacy.data.builders.forms import FORMS


def made_up(name, per_class=2):
    """Records x (N, *shape) and labels y (N,) of a data set's shape.

    All classes stand in each N / per_class of them.
    """
    form, rng = FORMS[name], np.random.default_rng(0)
    y = np.hstack([rng.permutation(form.classes) for _ in range(per_class)])
    most = 255 if len(form.shape) == 3 else 1
    return rng.integers(0, most + 1, (len(y), *form.shape), np.uint8), y


def lines(x, labels=None, quote=""):
    """Rows of zeros and ones as text, each after its label if there are labels."""
    zero, one = (f"{quote}{value}{quote},".encode() for value in "01")
    fields = np.where(x, np.bytes_(one), np.bytes_(zero))
    rows = [row.tobytes()[:-1] + b"\n" for row in fields]
    if labels is None:
        return b"".join(rows)
    starts = [f"{quote}{label}{quote},".encode() for label in labels]
    return b"".join(start + row for start, row in zip(starts, rows, strict=True))


def binary(x, y):
    """Images as CIFAR-100's binary form has them."""
    coarse_and_fine = np.stack([y % 20, y], axis=1)
    pixels = x.transpose(0, 3, 1, 2).reshape(len(x), -1)
    return np.hstack([coarse_and_fine, pixels]).astype(np.uint8).tobytes()


def contents(name, x, y):
    """What each member of a data set's archive holds."""
    half = len(y) // 2
    made = {
        "purchase100": lambda: [lines(x, y + 1)],
        "texas100": lambda: [lines(x), b"".join(b"%d\n" % (label + 1) for label in y)],
        "location30": lambda: [lines(x, y + 1, quote='"')],
        "cifar100": lambda: [binary(x[:half], y[:half]), binary(x[half:], y[half:])],
    }
    return dict(zip(FORMS[name].members, made[name](), strict=True))


def archive(path, members):
    """Writes a .tgz of members: bytes, or a TarInfo of something else."""
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, content in members.items():
            if isinstance(content, bytes):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            else:
                tar.addfile(content)
    return path
