"""Data sets are prepared here as users would, and read back by their files alone."""

import io
import re
import shlex
import shutil

import numpy as np
import pytest
from absl import logging
from PIL import Image

from jaxprivacy import data, errors
from tests.data.test_sources import in_fresh_process, refused

tfds = pytest.importorskip("tensorflow_datasets")

PIXELS = np.random.default_rng(0).integers(0, 256, (15, 6, 5, 1), dtype=np.uint8)
PIXELS.flat[:2] = 0, 255


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(buffer, "PNG")
    return buffer.getvalue()


class Made(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """What the builders below have in common."""

    VERSION = tfds.core.Version("1.0.0")
    SPLITS = {"train": range(9), "test": range(9, 15)}
    KEYS = None

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(self.features()),
            supervised_keys=self.KEYS,
        )

    def _split_generators(self, dl_manager):
        return {name: self._generate_examples(i) for name, i in self.SPLITS.items()}

    def _generate_examples(self, indices):
        for i in indices:
            yield i, self.example(i)


class JaxprivacyImages(Made):
    KEYS = ("image", "label")

    def features(self):
        return {
            "image": tfds.features.Image(shape=(6, 5, 1), encoding_format="png"),
            "label": tfds.features.ClassLabel(num_classes=3),
            "file": tfds.features.Text(),
        }

    def example(self, i):
        return {"image": png(PIXELS[i]), "label": i % 3, "file": f"{i}.png"}


class JaxprivacyTable(Made):
    SPLITS = {"train": range(15), "other": range(15, 20)}
    KEYS = ("features", "bought")

    def features(self):
        return {
            "features": {"b": np.float32, "a": np.int64},
            "bought": tfds.features.ClassLabel(num_classes=2),
        }

    def example(self, i):
        return {"features": {"b": i / 14, "a": i % 2}, "bought": i % 2}


class JaxprivacyRows(Made):
    SPLITS = {"test": range(12)}

    def features(self):
        return {"features": tfds.features.Tensor(shape=(2,), dtype=np.float64),
                "label": np.int32}  # fmt: skip

    def example(self, i):
        return {"features": [i / 11, 1.0], "label": i % 4}


class JaxprivacySizes(JaxprivacyImages):
    def features(self):
        return super().features() | {"image": tfds.features.Image(shape=(None, 5, 1))}

    def example(self, i):
        return super().example(i) | {"image": png(PIXELS[i, i % 2 :])}


class JaxprivacyText(JaxprivacyRows):
    def features(self):
        return {"features": tfds.features.Text(), "label": np.int32}

    def example(self, i):
        return {"features": "words", "label": i % 2}


class JaxprivacyNegative(JaxprivacyRows):
    def example(self, i):
        return super().example(i) | {"label": -1}


class JaxprivacyUnlabelled(JaxprivacyRows):
    def features(self):
        return {"features": np.int32, "other": np.int32}

    def example(self, i):
        return {"features": i, "other": i}


class JaxprivacyValidation(JaxprivacyRows):
    SPLITS = {"validation": range(12)}


BUILDERS = Made.__subclasses__() + [
    JaxprivacySizes,
    JaxprivacyText,
    JaxprivacyNegative,
    JaxprivacyUnlabelled,
    JaxprivacyValidation,
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    tfds.disable_progress_bar()
    for builder in BUILDERS:
        builder(data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


@pytest.fixture
def folder(prepared, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(prepared))
    return prepared


def by_content(loaded, x, y):
    """Asserts equality up to order: TFDS shuffles what it prepares."""
    order = np.lexsort(loaded.x.reshape(len(loaded.x), -1).T)
    expected = np.lexsort(x.reshape(len(x), -1).T)
    np.testing.assert_allclose(loaded.x[order], x[expected], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(loaded.y[order], y[expected])


@pytest.mark.parametrize(
    "name", ["jaxprivacy_images", "jaxprivacy_images:1.0.0", "jaxprivacy_images:1.*.*"]
)
def test_images_are_pooled(folder, name):
    loaded = data.load(f"tfds:{name}")
    assert loaded.name == f"tfds:{name}"
    assert loaded.x.shape == (15, 6, 5, 1)
    assert (loaded.x.dtype, loaded.y.dtype) == (np.float32, np.int32)
    assert loaded.num_classes == 3
    by_content(loaded, PIXELS / 127.5 - 1, np.arange(15) % 3)


def test_dictionary_of_columns(folder):
    loaded = data.load("tfds:jaxprivacy_table")  # Its split `other` is left out.
    i = np.arange(15)
    by_content(loaded, np.stack([i % 2, i / 14], axis=1), i % 2)
    assert not loaded.is_image


def test_rows_without_supervised_keys(folder):
    loaded = data.load("tfds:jaxprivacy_rows", records=8)
    assert loaded.x.shape == (8, 2)
    np.testing.assert_array_equal(np.bincount(loaded.y), [2] * 4)


def test_fresh_process_is_quiet_and_needs_no_tensorflow(folder):
    code = (
        "import sys; from jaxprivacy import data; "
        "x = data.load('tfds:jaxprivacy_images').x; "
        "print(x.shape, 'tensorflow' in sys.modules)"
    )
    run = in_fresh_process(code)
    assert (run.stdout, run.stderr) == ("(15, 6, 5, 1) False\n", "")


def test_default_folder(prepared, tmp_path, monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "tensorflow_datasets"
    assert repr(str(folder)) in refused("tfds:jaxprivacy_rows")
    folder.symlink_to(prepared)
    assert data.load("tfds:jaxprivacy_rows").x.shape == (12, 2)


def test_command_in_the_error_prepares(tmp_path, monkeypatch):
    folder = tmp_path / 'a "folder" of mine'
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
    message = refused("tfds:jaxprivacy_images")
    assert message.startswith("data='tfds:jaxprivacy_images': not prepared in ")
    assert "need TensorFlow" in message
    assert not folder.exists()
    command = re.search(r"python -c .*\.download_and_prepare\(\)'", message).group()
    python, option, code = shlex.split(command)
    assert (python, option) == ("python", "-c")
    exec(code)  # noqa: S102 - the command, in the process that knows the builder.
    assert data.load("tfds:jaxprivacy_images").x.shape == (15, 6, 5, 1)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("", "accepted are tfds:NAME"),
        ("../jaxprivacy_rows", "accepted are tfds:NAME"),
        ("huggingface:mnist", "accepted are tfds:NAME"),
        ("jaxprivacy_rows/a=1", "accepted are tfds:NAME"),
        ("two\nlines", "accepted are tfds:NAME"),
        ("mnist", "not prepared in "),  # Known to TFDS, which must not download it.
        ("jaxprivacy_rows:2.0.0", "not prepared in "),
        ("jaxprivacy_rows/config", "not prepared in "),
        ("jaxprivacy_sizes", "['image'] has records of shapes (5, 5, 1) and (6, 5, 1)"),
        ("jaxprivacy_text", "test['features'] has shape (12,) and dtype |S5"),
        ("jaxprivacy_negative", "test['label'] holds -1 at record 0"),
        ("jaxprivacy_unlabelled", "has the features features, other; accepted are"),
        ("jaxprivacy_validation", "has the splits validation; accepted are"),
    ],
)
def test_refused(folder, name, expected):
    message = refused(f"tfds:{name}")
    assert message.startswith(f"data={'tfds:' + name!r}: ")
    assert expected in message


def replace(old, new):
    return lambda file: file.write_bytes(file.read_bytes().replace(old, new))


DAMAGES = {
    "tfrecord": ("dataset_info.json", replace(b"array_record", b"tfrecord")),
    "info": ("dataset_info.json", lambda file: file.write_text("{")),
    "no_info": ("dataset_info.json", lambda file: file.unlink()),
    "features": ("features.json", lambda file: file.write_text("{}")),
    "no_records": ("*-train.array_record*", lambda file: file.unlink()),
    "records": ("*-train.array_record*", lambda file: file.write_bytes(b"abc" * 999)),
    "images": ("*-train.array_record*", replace(b"IHDR", b"????")),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_damaged(prepared, tmp_path, monkeypatch, case):
    pattern, damage = DAMAGES[case]
    shutil.copytree(prepared / "jaxprivacy_images", tmp_path / "jaxprivacy_images")
    (file,) = (tmp_path / "jaxprivacy_images" / "1.0.0").glob(pattern)
    damage(file)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    message = refused("tfds:jaxprivacy_images")
    assert "cannot be read in" in message
    assert "array_record" in message


def test_verbosity_is_restored(folder):
    before = logging.get_verbosity()
    logging.set_verbosity(logging.INFO)
    try:
        with pytest.raises(errors.InputError):
            data.load("tfds:nothing_here")
        assert logging.get_verbosity() == logging.INFO
    finally:
        logging.set_verbosity(before)
