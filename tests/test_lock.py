"""One process at a time; what a killed one leaves is no hindrance."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from jaxprivacy import lock
from jaxprivacy.errors import InputError

HOLDER = """
import pathlib, sys
from jaxprivacy import lock
with lock.locked(pathlib.Path(sys.argv[1]), "out", "here"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds a folder, and the folder."""
    folder = tmp_path / "new" / "out"
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", HOLDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process, folder
    process.kill()
    process.communicate()


def refused(folder):
    with pytest.raises(InputError) as caught:
        with lock.locked(folder, "out", "here"):
            raise AssertionError("locked twice")
    return str(caught.value)


def test_the_second_process_is_refused_and_told_of_the_first(holder):
    process, folder = holder
    line = refused(folder)
    assert line.startswith("out=here: another run writes there")
    assert f"process {process.pid}" in line and "accepted is another folder" in line
    assert refused(folder) == line  # A refusal takes nothing away.
    process.communicate("")
    assert process.returncode == 0 and not folder.parent.exists()
    with lock.locked(folder, "out", "here"):
        assert folder.is_dir()


def test_what_a_killed_process_leaves_is_taken_over(holder):
    process, folder = holder
    process.kill()
    process.wait()
    assert (folder / lock.NAME).exists()
    with lock.locked(folder, "out", "here"):
        assert (folder / lock.NAME).read_text() == f"{os.getpid()}\n"
    assert not folder.exists()


def test_a_folder_with_something_in_it_stays(tmp_path):
    with lock.locked(tmp_path / "out", "out", "here"):
        (tmp_path / "out" / "result.json").write_text("{}")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["result.json"]


def test_a_lock_that_was_just_removed_is_taken_anew(tmp_path, monkeypatch):
    """Between opening the file and locking it, its holder ends."""
    flock, removed = fcntl.flock, []

    def late(file, how):
        if not removed:
            (tmp_path / lock.NAME).unlink()
            removed.append(file)
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with lock.locked(tmp_path, "out", "here"):
        assert removed
        monkeypatch.undo()
        assert "another run" in refused(tmp_path)


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        with lock.locked(tmp_path / "a" / "b", "out", "here"):
            raise AssertionError
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_no_hindrance(tmp_path, monkeypatch, capsys):
    def none(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with lock.locked(tmp_path, "out", "here"):
        pass
    assert capsys.readouterr().err == (
        "warning: out=here: cannot be locked (No locks available)\n"
    )
