import pathlib
import subprocess

import numpy as np
import pytest

from jaxprivacy.data import Dataset
from jaxprivacy.studies import provenance

PLAIN = '''
"""A module."""
import os


def f(x):
    """Doubles."""
    # Because it is so.
    return 2 * x
'''


def git(folder, *arguments):
    mail = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", folder, *mail, *arguments], check=True)  # noqa: S603, S607


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "jaxprivacy").mkdir()
    (tmp_path / "jaxprivacy" / "a.py").write_text("a = 1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_the_commit_of_a_checkout(checkout):
    commit = provenance.commit(checkout)
    assert len(commit) == 40
    (checkout / "notes.txt").write_text("not code")
    assert provenance.commit(checkout) == commit
    (checkout / "jaxprivacy" / "a.py").write_text("a = 2\n")
    assert provenance.commit(checkout) == f"{commit}+changes"


def test_no_commit_of_what_is_no_checkout(checkout, monkeypatch):
    """A wheel installed below somebody's checkout is not of that checkout's commit."""
    assert provenance.commit(checkout / "jaxprivacy") is None
    assert provenance.commit(checkout / "not there") is None
    (checkout / ".git" / "HEAD").write_text("damaged")
    assert provenance.commit(checkout) is None
    monkeypatch.setenv("PATH", "")
    assert provenance.commit(checkout) is None


def test_the_data_is_known_by_its_content():
    x, y = np.zeros((4, 3), np.float32), np.arange(4) % 2
    told = provenance.data(Dataset("npz:a", x, y, 2))
    assert (told["name"], told["records"], told["classes"]) == ("npz:a", 4, 2)
    assert told["shape"] == [3]
    other = provenance.data(Dataset("npz:a", x + 1, y, 2))
    assert other["fingerprint"] != told["fingerprint"]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("# Because it is so.", "# Since it is so.", True),
        ('"""Doubles."""', '"""Returns twice x."""', True),
        ('"""A module."""', '"""Another."""', True),
        ("return 2 * x", "return (2 * x)  # twice", True),
        ("return 2 * x", "return 3 * x", False),
        ("import os", "import sys", False),
    ],
)
def test_what_changes_a_source(old, new, same):
    changed = PLAIN.replace(old, new)
    assert changed != PLAIN
    assert (provenance.meaning(changed) == provenance.meaning(PLAIN)) == same


def test_code_is_that_of_the_modules_named(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    for name in ("a.py", "b/c.py", "d.py"):
        path = pathlib.Path(tmp_path, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"name = {name!r}\n")
    before = provenance.code(("a.py", "b"))
    (tmp_path / "d.py").write_text("")
    assert provenance.code(("a.py", "b")) == before != provenance.code()
    (tmp_path / "b" / "c.py").write_text("name = 1\n")
    assert provenance.code(("a.py", "b")) != before
