"""Published files are read as they are, and refused with the place of the fault."""

import gzip
import io
import tarfile

import numpy as np
import pytest

from jaxprivacy import errors
from jaxprivacy.data.builders import archives, images, tables
from jaxprivacy.data.builders.forms import FORMS
from tests.data import published

TABLE = b"1,0,1,1\n3,1,1,0\n2,0,0,1\n1,0,0,0\n"
ROWS = [[0, 1, 1], [1, 1, 0], [0, 0, 1], [0, 0, 0]]


def source(content):
    return archives.Source("a file", io.BytesIO(content))


def unpacked(x, columns):
    return [tables.unpack(row, columns).tolist() for row in x]


def refused(read, content, *sizes):
    """The one line with which a parser refuses a file."""
    with pytest.raises(errors.InputError) as error:
        read(source(content), *sizes)
    message = str(error.value)
    assert "\n" not in message and "accepted" in message
    return message


@pytest.mark.parametrize(
    "content",
    [
        TABLE,
        TABLE.rstrip(),
        TABLE.replace(b"\n", b"\r\n"),
        TABLE + b"\n\r\n",
        TABLE.replace(b",", b", "),
        b'"1","0","1","1"\n"3","1",1,0\n2,0,0,1\n1,0,0,0\n',
    ],
    ids=["plain", "no_end", "crlf", "empty_end", "spaces", "quoted"],
)
def test_table(content):
    x, y = tables.read_table(source(content), 3, 3)
    assert unpacked(x, 3) == ROWS
    assert y.tolist() == [0, 2, 1, 0]


def test_packed_to_bits_whatever_the_width():
    for columns in (1, 7, 8, 9, 600):
        rows = np.random.default_rng(columns).integers(0, 2, (5, columns))
        x = tables.read_values(source(published.lines(rows)), columns)
        assert x.dtype == np.uint8
        assert x.shape == (5, -(-columns // 8))
        assert unpacked(x, columns) == rows.tolist()


def test_values_and_labels():
    assert unpacked(tables.read_values(source(b"0,1\n1,0\n"), 2), 2) == [[0, 1], [1, 0]]
    assert tables.read_labels(source(b'2\n1\n"2"\n'), 2).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"1,0,1,1\n\n2,0,0,1\n", "line 2: is empty"),
        (b"1,0,1,1\n2,0,1\n", "line 2: has 2 values"),
        (b"1,0,1,1\n2,0,1,1,0\n", "line 2: has 4 values"),
        (b"1,0,1,1\n2\n", "line 2: has 0 values"),
        (b"1,0,1,1,\n", "line 1: has 4 values"),
        (b"1,0,2,1\n", "line 1: value 2 is '2'; accepted are 0 and 1"),
        (b"1,0,,1\n", "line 1: value 2 is ''"),
        (b"1,0,1.0,1\n", "line 1: value 2 is '1.0'"),
        (b"1,0,-1,1\n", "line 1: value 2 is '-1'"),
        (b"1,0;1,1\n", "line 1: has 2 values"),
        (b"1,0,\xff,1\n", r"line 1: value 2 is '\\xff'"),
        (b"1,0,\x00,1\n", r"line 1: value 2 is '\x00'"),
        (b'1,0,"1,1\n', "line 1: value 2 is '\"1'"),
        (b"0,0,1,1\n", "line 1: the label is '0'; accepted are the integers 1 to 3"),
        (b"1,0,1,1\n4,0,1,1\n", "line 2: the label is '4'"),
        (b"1.0,0,1,1\n", "line 1: the label is '1.0'"),
        (b"one,0,1,1\n", "line 1: the label is 'one'"),
        (b",0,1,1\n", "line 1: the label is ''"),
        (b"1,0,1,1\n3,0,1,1\n", "has no record of class 2; accepted are"),
        (b"0" * 10**6, "line 1: starts with '0000"),
        (b"1,0,1,1\n" + b"1," * 10**6, "line 2: starts with '1,1,"),
    ],
)
def test_table_refused(content, expected):
    message = refused(tables.read_table, content, 3, 3)
    assert message.startswith("a file")
    assert expected in message
    assert len(message) < 200


def test_a_long_line_is_not_read_to_its_end():
    stream = io.BytesIO(b"1," * 10**6)
    with pytest.raises(errors.InputError):
        tables.read_table(archives.Source("a file", stream), 3, 3)
    assert stream.tell() < 100


def test_values_and_labels_refused():
    assert "is empty" in refused(tables.read_values, b"", 3)
    assert "line 2: has 2 values" in refused(tables.read_values, b"0,1,0\n0,1\n", 3)
    assert "is empty" in refused(tables.read_labels, b"", 3)
    assert "line 2: the label is '9'" in refused(tables.read_labels, b"1\n9\n", 3)
    assert "line 1: the label is '1,2'" in refused(tables.read_labels, b"1,2\n", 3)
    assert "no record of class 3" in refused(tables.read_labels, b"1\n2\n", 3)


# Two records of 2 x 2 pixels: labels, then red, green and blue.
IMAGES = bytes([1, 0, *range(12), 0, 1, *range(100, 112)])


def test_images():
    x, y = images.read_images(source(IMAGES), 2, 2, 2)
    assert y.tolist() == [0, 1]
    assert x[0].tolist() == [[[0, 4, 8], [1, 5, 9]], [[2, 6, 10], [3, 7, 11]]]
    assert x[1, 1, 0].tolist() == [102, 106, 110]


def test_images_of_several_blocks(monkeypatch):
    monkeypatch.setattr(images, "_RECORDS_AT_ONCE", 3)
    x, y = images.read_images(source(IMAGES * 4), 2, 2, 2)
    assert y.tolist() == [0, 1] * 4
    np.testing.assert_array_equal(x, np.tile(x[:2], (4, 1, 1, 1)))
    late = IMAGES * 4 + b"\x00\x02" + bytes(12)
    assert "byte 113: the fine label is 2" in refused(images.read_images, late, 2, 2, 2)


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"", "is empty; accepted are records of 14 bytes"),
        (IMAGES[:-1], "byte 14: a record ends after 13 bytes; accepted are records"),
        (IMAGES + b"\x00", "byte 28: a record ends after 1 bytes"),
        (b"\x02" + IMAGES[1:], "byte 0: the coarse label is 2; accepted are 0 to 1"),
        (IMAGES[:15] + b"\x09" + IMAGES[16:], "byte 15: the fine label is 9"),
        (IMAGES[:14], "has no record of class 1"),
    ],
)
def test_images_refused(content, expected):
    message = refused(images.read_images, content, 2, 2, 2)
    assert message.startswith("a file")
    assert expected in message


def opened(folder):
    with archives.open_member(str(folder), "a.tgz", "b/c") as found:
        return found.stream.read()


@pytest.mark.parametrize("name", ["b/c", "./b/c"])
def test_member_of_an_archive(tmp_path, name):
    published.archive(tmp_path / "a.tgz", {"b/d": b"other", name: b"this"})
    assert opened(tmp_path) == b"this"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tgz"]


def test_unpacked_member(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(b"this")
    assert opened(tmp_path) == b"this"


def special(kind, target=""):
    entry = tarfile.TarInfo("b/c")
    entry.type, entry.linkname = kind, target
    return entry


ARCHIVES = {
    "other": ({"d": b"other"}, "holds no b/c"),
    "above": ({"../b/c": b"this"}, "holds no b/c"),
    "root": ({"/b/c": b"this"}, "holds no b/c"),
    "none": ({}, "holds no b/c"),
    "symlink": ({"b/c": special(tarfile.SYMTYPE, "/etc/passwd")}, "is a link, a"),
    "link": ({"d": b"this", "b/c": special(tarfile.LNKTYPE, "d")}, "is a link, a"),
    "folder": ({"b/c": special(tarfile.DIRTYPE)}, "is a link, a folder or a device"),
    "device": ({"b/c": special(tarfile.CHRTYPE)}, "is a link, a folder or a device"),
}


def refused_archive(folder):
    with pytest.raises(errors.InputError) as error:
        opened(folder)
    message = str(error.value)
    assert "\n" not in message and "accepted" in message
    return message


@pytest.mark.parametrize("case", ARCHIVES)
def test_archive_refused(tmp_path, case):
    members, expected = ARCHIVES[case]
    path = published.archive(tmp_path / "a.tgz", members)
    message = refused_archive(tmp_path)
    assert str(path) in message and expected in message


@pytest.mark.parametrize("case", ["empty", "no_gzip", "no_tar", "cut_off", "checksum"])
def test_unreadable_archive(tmp_path, case):
    noise = np.random.default_rng(0).bytes(30_000)
    path = published.archive(tmp_path / "a.tgz", {"b/c": noise, "b/d": noise})
    whole = path.read_bytes()
    damaged = {
        "empty": b"",
        "no_gzip": b"1,0,1\n" * 100,
        "no_tar": gzip.compress(noise),
        "cut_off": whole[: len(whole) // 4],
        "checksum": whole[:-8] + bytes(4) + whole[-4:],
    }
    path.write_bytes(damaged[case])
    assert f"b/c of {str(path)!r}: cannot be read" in refused_archive(tmp_path)


def test_nothing_there(tmp_path):
    message = refused_archive(tmp_path)
    assert message.startswith(f"manual_dir={tmp_path}: holds neither a.tgz nor b/c")


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("packed", [True, False], ids=["archive", "unpacked"])
def test_published_form(tmp_path, name, packed):
    form, (x, y) = FORMS[name], published.made_up(name)
    members = published.contents(name, x, y)
    if packed:
        published.archive(tmp_path / form.archive, members)
    else:
        for member, content in members.items():
            (tmp_path / member).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / member).write_bytes(content)
    splits = form.read(form, str(tmp_path))
    assert list(splits) == ["train", "test"][: 1 + (x.ndim == 4)]
    found = np.concatenate([records.x for records in splits.values()])
    if x.ndim == 2:
        found = np.stack([tables.unpack(row, *form.shape) for row in found])
    np.testing.assert_array_equal(found, x)
    np.testing.assert_array_equal(np.hstack([r.y for r in splits.values()]), y)


def test_published_sizes():
    sizes = {name: (form.shape, form.classes) for name, form in FORMS.items()}
    assert sizes == {
        "purchase100": ((600,), 100),
        "texas100": ((6169,), 100),
        "location30": ((446,), 30),
        "cifar100": ((32, 32, 3), 100),
    }


def test_labels_of_other_length(tmp_path):
    form, (x, y) = FORMS["texas100"], published.made_up("texas100")
    members = published.contents("texas100", x[1:], y[1:])
    members["texas/100/labels"] += b"7\n"
    published.archive(tmp_path / form.archive, members)
    with pytest.raises(errors.InputError) as error:
        form.read(form, str(tmp_path))
    assert "has 199 records" in str(error.value)
    assert "has 200 labels" in str(error.value)
