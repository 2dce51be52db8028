import io
import pathlib
import subprocess
import sys
import zipfile

import joblib
import numpy as np
import pytest

from jaxprivacy import data, errors

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
FORMS = "accepted are digits, att_faces, tfds:NAME, npz:PATH"

Y = np.tile(np.arange(3), 4)
IMAGES = np.arange(12 * 4 * 5, dtype=np.uint8).reshape(12, 4, 5)
TABLE = np.arange(24.0).reshape(12, 2)


def save(path, **arrays):
    np.savez(path, **arrays)
    return f"npz:{path}"


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def in_fresh_process(code):
    """Runs Python code that is written in the tests."""
    return subprocess.run(  # noqa: S603 - no input from elsewhere.
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )


def refused(spec, **options):
    """Returns the one line with which `spec` is refused."""
    with pytest.raises(errors.InputError) as error:
        data.load(spec, **options)
    message = str(error.value)
    assert "\n" not in message
    assert "accepted" in message
    return message


def test_digits():
    digits = data.load("digits")
    assert digits.name == "digits"
    assert digits.x.shape == (1797, 8, 8, 1)
    assert (digits.x.dtype, digits.y.dtype) == (np.float32, np.int32)
    assert (digits.x.min(), digits.x.max()) == (-1, 1)
    assert digits.num_classes == 10
    assert digits.is_image
    # The set's first record is a 0 whose first row is 0 0 5 13 9 1 0 0.
    np.testing.assert_array_equal(
        digits.x[0, 0, :, 0], np.array([0, 0, 5, 13, 9, 1, 0, 0]) / 8 - 1
    )
    assert digits.y[0] == 0


def test_att_faces(tmp_path, monkeypatch):
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    message = refused("att_faces")
    assert message.startswith("data='att_faces': ")
    assert str(tmp_path) in message
    assert message.endswith(
        'python -c "from sklearn.datasets import fetch_olivetti_faces; '
        'fetch_olivetti_faces()"'
    )
    (tmp_path / "olivetti_py3.pkz").write_bytes(b"damaged")
    assert "cannot read" in refused("att_faces")
    # The file that scikit-learn's download leaves: columns of images as rows.
    pixels = np.random.default_rng(0).integers(0, 256, (400, 64, 64), dtype=np.uint8)
    pixels[0, 0, :2] = 0, 255
    joblib.dump(pixels.reshape(400, -1), tmp_path / "olivetti_py3.pkz")
    faces = data.load("att_faces")
    assert faces.x.shape == (400, 64, 64, 1)
    assert (faces.x.dtype, faces.y.dtype) == (np.float32, np.int32)
    expected = pixels.transpose(0, 2, 1)[..., np.newaxis] / 127.5 - 1
    np.testing.assert_allclose(faces.x, expected, atol=1e-6)
    np.testing.assert_array_equal(faces.y, np.repeat(np.arange(40), 10))


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3)], ids=str)
def test_images(tmp_path, shape):
    x = np.random.default_rng(0).integers(0, 256, (12, *shape), dtype=np.uint8)
    x.flat[:2] = 0, 255
    loaded = data.load(save(tmp_path / "a.npz", x=x, y=Y))
    channels = shape[2] if len(shape) == 3 else 1
    assert loaded.x.shape == (12, 4, 5, channels)
    assert loaded.x.dtype == np.float32
    assert (loaded.x.flat[0], loaded.x.flat[1]) == (-1, 1)
    np.testing.assert_allclose(
        loaded.x.reshape(x.shape), x / 127.5 - 1, rtol=1e-6, atol=1e-7
    )
    np.testing.assert_array_equal(loaded.y, Y)
    assert loaded.num_classes == 3
    assert loaded.is_image


@pytest.mark.parametrize(
    "dtype", [bool, np.uint8, np.int64, ">i2", np.float16, np.float32, np.float64]
)
def test_unit_tables_stay(tmp_path, dtype):
    x = np.random.default_rng(0).integers(0, 2, (12, 4)).astype(dtype)
    loaded = data.load(save(tmp_path / "a.npz", x=x, y=Y))
    assert loaded.x.dtype == np.float32
    np.testing.assert_array_equal(loaded.x, x.astype(np.float32))
    assert not loaded.is_image


def test_other_tables_are_standardised(tmp_path):
    # Column means 2 and 0.1, deviations 1 and (but for rounding) 0.
    x = np.array([[1, 0.1], [3, 0.1]] * 6)
    with np.errstate(all="raise"):
        loaded = data.load(save(tmp_path / "a.npz", x=x, y=Y))
    np.testing.assert_array_equal(loaded.x, [[-1, 0], [1, 0]] * 6)
    assert loaded.x.dtype == np.float32


@pytest.mark.parametrize("value", [3e38, 1e-40])
def test_extreme_tables_are_standardised(tmp_path, value):
    x = np.array([[value, -1], [-value, 1]] * 6)
    loaded = data.load(save(tmp_path / "a.npz", x=x, y=Y))
    np.testing.assert_allclose(loaded.x, [[1, -1], [-1, 1]] * 6, rtol=1e-6)


def test_labels_of_any_integer_type(tmp_path):
    for dtype in (np.uint8, np.int16, ">i8", np.uint64):
        loaded = data.load(save(tmp_path / "a.npz", x=IMAGES, y=Y.astype(dtype)))
        assert loaded.y.dtype == np.int32
        np.testing.assert_array_equal(loaded.y, Y)


@pytest.mark.parametrize(
    "same",
    [
        {"y": Y.astype(np.float32)},
        {"y": Y[:, np.newaxis]},
        {"y": Y[:, np.newaxis] * 1.0},
        {"x": IMAGES[..., np.newaxis]},
        {"x": IMAGES.astype(np.float64)},
        {"x": IMAGES.astype(np.int64)},
        {"x": IMAGES.astype(np.float16)},
    ],
    ids=lambda arrays: " ".join(f"{k} {a.dtype} {a.shape}" for k, a in arrays.items()),
)
def test_what_says_the_same_is_taken(tmp_path, same):
    plain = data.load(save(tmp_path / "a.npz", x=IMAGES, y=Y))
    loaded = data.load(save(tmp_path / "b.npz", **{"x": IMAGES, "y": Y} | same))
    np.testing.assert_array_equal(loaded.x, plain.x)
    np.testing.assert_array_equal(loaded.y, plain.y)
    assert (loaded.x.dtype, loaded.y.dtype) == (np.float32, np.int32)


def test_two_classes_may_be_false_and_true(tmp_path):
    loaded = data.load(save(tmp_path / "a.npz", x=TABLE > 7, y=Y > 0))
    np.testing.assert_array_equal(loaded.y, np.minimum(Y, 1))
    np.testing.assert_array_equal(loaded.x, TABLE > 7)


def test_train_and_test_are_pooled(tmp_path):
    # Neither part has every class; the pool has. Standardised over both.
    x = np.arange(12.0)[:, np.newaxis]
    spec = save(
        tmp_path / "a.npz",
        x_train=x[:8],
        y_train=np.array([0, 1] * 4),
        x_test=x[8:],
        y_test=np.full(4, 2, np.uint64),
        extra=np.zeros(3),
    )
    loaded = data.load(spec)
    np.testing.assert_allclose(loaded.x, (x - 5.5) / np.sqrt(143 / 12), rtol=1e-6)
    np.testing.assert_array_equal(loaded.y, [0, 1] * 4 + [2] * 4)


def test_home_folder_and_compression(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez_compressed(tmp_path / "a.npz", x=IMAGES, y=Y)
    assert data.load("npz:~/a.npz").x.shape == (12, 4, 5, 1)


def test_records_is_a_stratified_subset(tmp_path):
    y = np.repeat([0, 1, 2], [60, 30, 10])
    x = np.arange(100.0)[:, np.newaxis]
    spec = save(tmp_path / "a.npz", x=x, y=y)
    whole = data.load(spec)
    part = data.load(spec, records=20, seed=3)
    np.testing.assert_array_equal(np.bincount(part.y), [12, 6, 2])
    positions = np.searchsorted(whole.x[:, 0], part.x[:, 0])
    assert (np.diff(positions) > 0).all()
    # A record has the values it has in the whole, and its own label.
    np.testing.assert_array_equal(part.x, whole.x[positions])
    np.testing.assert_array_equal(part.y, whole.y[positions])
    again = data.load(spec, records=20, seed=3)
    np.testing.assert_array_equal(part.x, again.x)
    assert not np.array_equal(part.x, data.load(spec, records=20, seed=4).x)
    np.testing.assert_array_equal(np.bincount(data.load(spec, records=6).y), [2, 2, 2])
    np.testing.assert_array_equal(data.load(spec, records=100).x, whole.x)


def test_records_out_of_range(tmp_path):
    spec = save(tmp_path / "a.npz", x=IMAGES, y=Y)
    assert refused(spec, records=13) == "records=13: accepted are at most 12"
    assert refused(spec, records=5).startswith("records=5: accepted are integers of")
    assert refused(spec, records=6, seed=-1).startswith("seed=-1: ")
    spec = save(tmp_path / "b.npz", x=IMAGES, y=np.minimum(np.arange(12), 2))
    assert "class 0 has 1 record" in refused(spec, records=8)


SPECS = {
    "": FORMS,
    "mnist": FORMS,
    "digits:": FORMS,
    "npz": FORMS,
    "NPZ:a.npz": FORMS,
    "two\nlines": FORMS,
    "npz:": "the path is empty",
    "npz:/nowhere/a.npz": "no such file",
    "npz:a\0b": "no such file",
    "npz:~nobody/a.npz": "no such file",
    "npz:.": "is a directory",
}


@pytest.mark.parametrize("spec", SPECS)
def test_specs_refused(spec):
    message = refused(spec)
    assert message.startswith(f"data={spec!r}: ")
    assert SPECS[spec] in message


ZIPPED = io.BytesIO()
np.savez(ZIPPED, x=IMAGES, y=Y)
CUT_OFF = ZIPPED.getvalue()[:-100]


def member(name, content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
        archive.writestr("y.npy", npy(Y))
    return buffer.getvalue()


FILES = {
    "empty": (b"", "is no .npz file"),
    "npy": (npy(IMAGES), "is no .npz file"),
    "cut_off": (CUT_OFF, "is cut off"),
    "random": (np.random.default_rng(0).bytes(2000), "is no .npz file"),
    "text": (b"x,y\n1,2\n", "is no .npz file"),
    "raw_bytes": (member("x", b"1234"), "x is no array"),
    "bad_header": (member("x.npy", npy(IMAGES)[:50]), "x cannot be read"),
    "bad_syntax": (
        member("x.npy", npy(IMAGES).replace(b"}", b"(")),
        "x cannot be read",
    ),
    "short": (member("x.npy", npy(IMAGES)[:-20]), "x cannot be read"),
    "huge": (
        member(
            "x.npy", npy(IMAGES).replace(b"(12, 4, 5), }     ", b"(9999999999999,), }")
        ),
        "x cannot be read",
    ),
    "checksum": (
        ZIPPED.getvalue().replace(IMAGES.tobytes(), IMAGES.tobytes()[::-1]),
        "x cannot be read",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_files_refused(tmp_path, case):
    content, expected = FILES[case]
    (tmp_path / "a.npz").write_bytes(content)
    message = refused(f"npz:{tmp_path / 'a.npz'}")
    assert message.startswith(f"data='npz:{tmp_path / 'a.npz'}': ")
    assert expected in message


def test_damaged_files_never_escape(tmp_path):
    rng = np.random.default_rng(0)
    file = tmp_path / "a.npz"
    for _ in range(150):
        content = np.frombuffer(ZIPPED.getvalue(), np.uint8).copy()
        content[rng.integers(0, len(content), 5)] = rng.integers(0, 256, 5)
        file.write_bytes(content.tobytes())
        try:
            data.load(f"npz:{file}")
        except errors.InputError as error:
            assert "\n" not in str(error)


def with_value(array, index, value):
    changed = np.array(array, dtype=np.result_type(array, type(value)))
    changed[index] = value
    return changed


PARTS = {"x_train": IMAGES[:6], "y_train": Y[:6], "x_test": IMAGES[6:], "y_test": Y[6:]}
FEW = np.zeros((0, 4, 5), np.uint8)
NAN_IMAGES = with_value(IMAGES, (2, 0, 0), np.nan)

ARRAYS = {
    "none": ({}, "holds the arrays none"),
    "no_x": ({"y": Y}, "holds the arrays 'y'; accepted are x, y, or x_train"),
    "no_y": ({"x": IMAGES}, "holds the arrays 'x'"),
    "no_y_test": (
        {name: PARTS[name] for name in ("x_train", "y_train", "x_test")},
        "holds the arrays 'x_train', 'y_train', 'x_test'; accepted are x, y, or "
        "x_train, y_train, x_test, y_test; missing is y_test",
    ),
    "train_alone": (
        {name: PARTS[name] for name in ("x_train", "y_train")},
        "missing are x_test, y_test, so save the one set as numpy.savez(path, "
        "x=x_train, y=y_train)",
    ),
    "x_train_alone": ({"x_train": IMAGES}, "missing are y_train, x_test, y_test"),
    "other_names": ({"features": IMAGES, "labels": Y}, "the arrays 'features', 'la"),
    "upper_case": ({"X": IMAGES, "Y": Y}, "holds the arrays 'X', 'Y'; accepted are x,"),
    "both_forms": (
        dict(PARTS, x=IMAGES, y=Y),
        "x_train, y_train, x_test, y_test; leave one of the two out",
    ),
    "pickled": (
        {"x": IMAGES, "y": Y.astype(object)},
        "y cannot be read (Object arrays",
    ),
    "float_images": (
        {"x": IMAGES / 255, "y": Y},
        "x has shape (12, 4, 5) and dtype float64 and values from 0 to 0.937255; "
        "accepted are images of dtype uint8 and shape (N, H, W) or (N, H, W, C), as "
        "(x * 255).round().astype('uint8') gives them",
    ),
    "deep_images": (
        {"x": IMAGES.astype(np.uint16) * 200, "y": Y},
        "values from 0 to 47800; accepted are images of dtype uint8 and shape (N, H, "
        "W) or (N, H, W, C), so scale them to 0 to 255 first",
    ),
    "signed_images": (
        {"x": IMAGES / 127.5 - 1, "y": Y},
        "as ((x + 1) * 127.5).round().astype('uint8') gives them",
    ),
    "smoothed_images": (
        {"x": IMAGES + 0.5, "y": Y},
        "as x.round().astype('uint8') gives them",
    ),
    "black_and_white": (
        {"x": (IMAGES > 9) * 1.0, "y": Y},
        "and values from 0 to 1; accepted are images of dtype uint8 and shape (N, H, "
        "W) or (N, H, W, C), as (x * 255).round().astype('uint8') gives them",
    ),
    "bool_images": (
        {"x": IMAGES > 9, "y": Y},
        "as (x * 255).round().astype('uint8') gives them",
    ),
    "infinite_images": (
        {"x": with_value(IMAGES, (2, 0, 0), np.inf), "y": Y},
        "and holds infinity; accepted are images",
    ),
    "complex_images": ({"x": IMAGES + 1j, "y": Y}, "dtype complex128; accepted are"),
    "object_images": ({"x": IMAGES.astype(object), "y": Y}, "x cannot be read"),
    "nan_images": ({"x": NAN_IMAGES, "y": Y}, "and holds NaN; accepted are images of"),
    "channels_first": (
        {"x": np.zeros((12, 3, 8, 8), np.uint8), "y": Y},
        "x has shape (12, 3, 8, 8) and dtype uint8, its channels seem to stand first; "
        "accepted are images of dtype uint8 and shape (N, H, W) or (N, H, W, C), as "
        "numpy.moveaxis(x, 1, -1) gives them",
    ),
    "scalar": ({"x": np.uint8(1), "y": Y}, "x has shape () "),
    "flat": ({"x": np.arange(12), "y": Y}, "x has shape (12,) "),
    "five_axes": (
        {"x": IMAGES[..., None, None], "y": Y},
        "x has shape (12, 4, 5, 1, 1) ",
    ),
    "no_records": ({"x": FEW, "y": Y[:0]}, "x has shape (0, 4, 5) "),
    "no_pixels": ({"x": IMAGES[:, :0], "y": Y}, "x has shape (12, 0, 5) "),
    "no_columns": ({"x": TABLE[:, :0], "y": Y}, "x has shape (12, 0) "),
    "lengths": ({"x": IMAGES, "y": Y[:9]}, "x has 12 records and y 9"),
    "shapes": (
        dict(PARTS, x_test=IMAGES[6:, :3]),
        "a record of x_train has shape (4, 5) and one of x_test (3, 5)",
    ),
    "image_and_table": (
        dict(PARTS, x_test=TABLE[6:]),
        "a record of x_train has shape (4, 5) and one of x_test (2,)",
    ),
    "test_lengths": (dict(PARTS, y_test=Y[7:]), "x_test has 6 records and y_test 5"),
    "test_floats": (
        dict(PARTS, x_test=IMAGES[6:] / 255),
        "x_test has shape (6, 4, 5) ",
    ),
    "nan": (
        {"x": with_value(TABLE, (3, 1), np.nan), "y": Y},
        "x holds nan at record 3, co",
    ),
    "inf": (
        {"x": with_value(TABLE, (3, 1), -np.inf), "y": Y},
        "x holds -inf at record 3",
    ),
    "overflow": (
        {"x": with_value(TABLE, (3, 1), 1e39), "y": Y},
        "x holds 1e+39 at record",
    ),
    "complex": ({"x": TABLE + 1j, "y": Y}, "x has dtype complex128"),
    "text": ({"x": TABLE.astype(str), "y": Y}, "x has dtype <U"),
    "dates": ({"x": TABLE.astype("M8[D]"), "y": Y}, "x has dtype datetime64[D]"),
    "records": (
        {"x": np.zeros((12, 2), "i4,f4"), "y": Y},
        "x has dtype [('f0', '<i4')",
    ),
    "negative": ({"x": IMAGES, "y": with_value(Y, 4, -1)}, "y holds -1 at record 4"),
    "floats": (
        {"x": IMAGES, "y": with_value(Y, 5, 1.5)},
        "y has dtype float64 and holds 1.5 at record 5; accepted are integers",
    ),
    "nan_labels": (
        {"x": IMAGES, "y": with_value(Y, 4, np.nan)},
        "y has dtype float64 and holds nan at record 4; accepted are integers",
    ),
    "endless_labels": (
        {"x": IMAGES, "y": with_value(Y, 4, 1e300)},
        "y has dtype float64 and holds 1e+300 at record 4; accepted are integers",
    ),
    "huge_unsigned": (
        {"x": IMAGES, "y": with_value(Y.astype("u8"), 4, np.uint64(2**63))},
        "y has dtype uint64 and holds 9223372036854775808 at record 4; accepted are",
    ),
    "names": (
        {"x": IMAGES, "y": Y.astype(str)},
        "numpy.unique(y, return_inverse=True)[1] numbers the classes so",
    ),
    "dated_labels": ({"x": IMAGES, "y": Y.astype("M8[D]")}, "y has dtype datetime64"),
    "one_hot": (
        {"x": IMAGES, "y": np.eye(3, dtype=int)[Y]},
        "y has shape (12, 3); accepted are integers 0 to K - 1 of shape (N,), K at "
        "least 2, each present; y.argmax(axis=1) makes them of one-hot rows",
    ),
    "two_columns": ({"x": IMAGES, "y": np.stack([Y, Y], 1)}, "y has shape (12, 2); "),
    "one_label": ({"x": IMAGES, "y": np.int64(1)}, "y has shape (); accepted"),
    "from_one": (
        {"x": IMAGES, "y": Y + 1},
        "y holds labels up to 3 and no 0; accepted are integers 0 to K - 1 of shape "
        "(N,), K at least 2, each present; subtract 1 from each",
    ),
    "gap": (
        {"x": IMAGES, "y": Y + (Y > 1)},
        "y holds labels up to 3 and no 2; accepted are integers 0 to K - 1 of shape "
        "(N,), K at least 2, each present; numpy.unique(labels, return_inverse=True)"
        "[1] numbers the classes so",
    ),
    "gap_after_one": ({"x": IMAGES, "y": Y * 2 + 1}, "and no 0; accepted are integers"),
    "far_gap": (
        {"x": IMAGES, "y": Y * 10**15},
        "y holds labels up to 2000000000000000 and",
    ),
    "unsigned_gap": ({"x": IMAGES, "y": with_value(Y, 0, 5).astype("u8")}, "and no 3"),
    "one_class": ({"x": IMAGES, "y": Y * 0}, "y holds one class only, 0"),
    "one_class_of_two_parts": (
        dict(PARTS, y_train=Y[:6] * 0, y_test=Y[6:] * 0),
        "y_train and y_test holds one class only, 0",
    ),
    "gap_of_two_parts": (
        dict(PARTS, y_train=Y[:6] * 0, y_test=Y[6:] * 0 + 2),
        "y_train and y_test holds labels up to 2 and no 1",
    ),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_refused(tmp_path, case):
    arrays, expected = ARRAYS[case]
    message = refused(save(tmp_path / "a.npz", **arrays))
    assert message.startswith(f"data='npz:{tmp_path / 'a.npz'}': ")
    assert expected in message


def test_import_loads_no_heavy_library():
    code = (
        "import sys, jaxprivacy.data; "
        "heavy = {'sklearn', 'matplotlib', 'tensorflow_datasets', 'jax', 'scipy'}; "
        "sys.exit(', '.join(heavy & set(sys.modules)) or None)"
    )
    run = in_fresh_process(code)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    "name, shape, num_classes, is_image",
    [
        ("location30.npz", (5010, 446), 30, False),
        ("mnist.npz", (70000, 28, 28, 1), 10, True),
    ],
)
def test_real_data(name, shape, num_classes, is_image):
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} is absent")
    loaded = data.load(f"npz:{SHARED / name}")
    assert loaded.x.shape == shape
    assert loaded.num_classes == num_classes
    assert loaded.is_image == is_image
    assert (loaded.x.min(), loaded.x.max()) == (-1 if is_image else 0, 1)


def test_olivetti_equals_the_faces_at_hand():
    if not (SHARED / "orl_faces.npz").exists():
        pytest.skip(f"{SHARED / 'orl_faces.npz'} is absent")
    faces = data.load(f"npz:{SHARED / 'orl_faces.npz'}")
    assert faces.x.shape == (400, 64, 64, 1)
    assert np.bincount(faces.y).tolist() == [10] * 40
