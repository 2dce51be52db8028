"""A finished run is not lost: to a full disk, to another run, to its summary."""

import errno
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import jax
import numpy as np
import pytest

from jaxprivacy.report import plots, store, tables
from jaxprivacy.studies import audit, gan_attack
from tests.launch import launched
from tests.report import made_up

NO_SPACE = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def ended(tmp_path, monkeypatch, capsys):
    """Runs a script whose study ends at once with a report; status, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plots, "draw", lambda report: {})
    images = np.random.default_rng(0).integers(0, 256, (80, 4, 4), np.uint8)
    np.savez("images.npz", x=images, y=np.arange(80) % 4)
    monkeypatch.setattr(audit, "prepare", lambda settings: None)
    monkeypatch.setattr(audit, "weight", lambda prepared: 1.0)
    for study in (audit, gan_attack):
        monkeypatch.setattr(study, "run", lambda *given: made_up.empty_report())

    def run(*arguments, script="audit"):
        given = ("--data=npz:images.npz", "--compilation_cache=", *arguments)
        return launched.run(script, *given), *capsys.readouterr()

    return run


def names(folder):
    return sorted(path.name for path in pathlib.Path(folder).iterdir())


@pytest.fixture
def full(monkeypatch):
    """Below these folders nothing can be written when the run has ended."""

    def fill(*folders):
        write = store.write

        def fail(report, folder):
            if any(folder.is_relative_to(full) for full in folders):
                raise NO_SPACE
            return write(report, folder)

        monkeypatch.setattr(store, "write", fail)

    return fill


def test_the_summary_comes_first_and_the_report_goes_elsewhere(ended, full, tmp_path):
    full(tmp_path / "out")
    status, out, err = ended("--out=out")
    assert status == 1 and "Verdict" in out
    (other,) = (name for name in names(tmp_path) if name.startswith("out-"))
    assert err.splitlines()[-1] == (
        "error: --out=out: cannot be written (No space left on device); the report is "
        f"in {tmp_path / other}"
    )
    assert names(tmp_path / other) == ["report.html", "result.json"]
    assert f"Report: {tmp_path / other / 'report.html'}" in out
    assert names(tmp_path) == ["images.npz", other]


def test_no_room_anywhere_is_one_line_and_what_was_computed_is_kept(
    ended, full, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "system"))
    (tmp_path / "system").mkdir()
    full(tmp_path)
    status, out, err = ended("--out=out", script="gan_attack")
    assert status == 1 and "Verdict" in out
    assert err.splitlines()[-1].startswith("error: nothing could be written into ")
    assert "Traceback" not in err
    assert names(tmp_path) == ["images.npz", "out.checkpoint", "system"]


@pytest.mark.parametrize(
    "error", [NO_SPACE, UnicodeEncodeError("ascii", "x", 0, 1, "")]
)
def test_an_error_in_the_summary_loses_nothing_and_leaves_nothing(
    ended, error, tmp_path, monkeypatch
):
    def fail(*given):
        raise error

    monkeypatch.setattr(tables, "print_summary", fail)
    status, _, err = ended("--out=out", script="gan_attack")
    assert status == 1
    line = err.splitlines()[-1]
    assert line.startswith("warning: the summary cannot be printed (")
    assert line.endswith("; the report is out/report.html")
    assert names(tmp_path) == ["images.npz", "out"]  # No checkpoint.
    assert names("out") == ["report.html", "result.json"]


def test_a_second_run_with_the_same_out_is_refused(ended, tmp_path, monkeypatch):
    seen = []

    def meanwhile(*given):
        if not seen:
            seen.append(None)
            seen.append(ended("--out=sub/../out"))
        return made_up.empty_report()

    monkeypatch.setattr(audit, "run", meanwhile)
    status, _, _ = ended("--out=out", "--overwrite")
    assert status == 0 and names("out") == ["report.html", "result.json"]
    status, out, err = seen[1]
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == (
        "error: --out=sub/../out: another run writes there (process "
        f"{os.getpid()}); accepted is another folder, or this one when that run has "
        "ended"
    )


@pytest.fixture
def kept_nowhere():
    """No programs are kept, wherever an earlier test of this process kept them."""
    with launched.compiled_fast():
        jax.config.update("jax_compilation_cache_dir", None)
        yield


def test_where_no_compiled_program_can_be_kept(
    ended, tmp_path, monkeypatch, kept_nowhere
):
    def compile_one(*given):
        jax.jit(lambda x: x * 17 + 4)(3.0)
        return made_up.empty_report()

    (tmp_path / "file").write_text("text")
    monkeypatch.setattr(audit, "run", compile_one)
    before = jax.config.values["jax_compilation_cache_dir"]
    status, out, err = ended("--out=a", f"--compilation_cache={tmp_path}/file/cache")
    assert (status, len(err.splitlines())) == (0, 1), err  # "done", no warning
    said = r"([1-9]\d*) programs compiled, none kept: (\S+) cannot be written \((.*)\)"
    _, place, why = re.search(said, out.replace("\n", " ")).groups()
    assert (place, why) == (f"{tmp_path}/file/cache", "Not a directory")
    assert jax.config.values["jax_compilation_cache_dir"] == before

    _, out, _ = ended("--out=b", "--compilation_cache=")
    assert re.search(r"[1-9]\d* programs compiled, 0 found compiled in no cache", out)


# An audit that ends at once, on a disk that takes no file above 100,000 bytes.
REAL = """
import resource
from jaxprivacy.studies import audit
from jaxprivacy.report import plots
from jaxprivacy.commands import common, audit as script
from tests.report import made_up

def run(*given):
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    return made_up.empty_report()

audit.prepare, audit.weight, audit.run = lambda _: None, lambda _: 1.0, run
plots.draw = lambda report: {plots.TRAINING: bytes(200_000)}
common.run(script.main)
"""


def test_a_real_limit_and_a_full_standard_output(tmp_path):
    command = [sys.executable, "-c", REAL, f"--out={tmp_path / 'out'}"]
    with open("/dev/full", "w") as stdout:
        done = subprocess.run(  # noqa: S603
            [*command, "--compilation_cache="],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            cwd=launched.ROOT,
            env=os.environ | {"TMPDIR": str(tmp_path)},
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"error: only result.json could be written into {tmp_path / 'out'} (File too "
        f"large), and nothing beside it or in {tmp_path}"
    )
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert names(tmp_path) == ["out"] and names(tmp_path / "out") == ["result.json"]
