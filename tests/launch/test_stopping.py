"""A signal ends a run in one line that says what is kept."""

import os
import signal
import subprocess
import sys

import pytest

from jaxprivacy.commands import stopping
from jaxprivacy.studies import audit, whitebox
from tests.launch import launched


@pytest.fixture
def stopped(tmp_path, monkeypatch, capsys):
    """Runs a script that is sent a signal in its study; its status and its words."""
    monkeypatch.chdir(tmp_path)
    before = [signal.getsignal(number) for number in stopping.NAMES]

    def run(script, number, *arguments, meanwhile=lambda: None):
        def study(settings, prepared, stages, *given):
            meanwhile()
            stages.stage("training", 1)
            os.kill(os.getpid(), number)
            raise AssertionError("went on")

        for module in (audit, whitebox):
            monkeypatch.setattr(module, "run", study)
            monkeypatch.setattr(module, "prepare", lambda settings: None)
            monkeypatch.setattr(module, "weight", lambda prepared: 1.0)
        given = ("--out=out", "--compilation_cache=", *arguments)
        status = launched.run(script, *given)
        out, err = capsys.readouterr()
        first, *lines = err.splitlines()
        assert out == "" and first.endswith("training") and len(lines) == 1, err
        assert not (tmp_path / "out").exists()
        assert [signal.getsignal(number) for number in stopping.NAMES] == before
        return status, *lines

    return run


def test_an_audit_keeps_nothing(stopped):
    assert stopped("audit", signal.SIGINT) == (
        130,
        "stopped by Ctrl-C; nothing is kept: the same command starts anew",
    )
    assert stopped("audit", signal.SIGTERM) == (
        143,
        "stopped by SIGTERM; nothing is kept: the same command starts anew",
    )


def test_trained_targets_are_named(stopped, tmp_path):
    given = "whitebox", signal.SIGTERM
    assert stopped(*given) == (
        143,
        "stopped by SIGTERM; nothing is kept (--targets=FOLDER keeps it): the same "
        "command starts anew",
    )
    (tmp_path / "kept").mkdir()
    nothing = "stopped by SIGTERM; nothing is kept: the same command starts anew"
    assert stopped(*given, "--targets=kept") == (143, nothing)
    # A step that is not complete has another name, and is none.
    (tmp_path / "kept" / "a1" / "7.orbax-checkpoint-tmp").mkdir(parents=True)
    assert stopped(*given, "--targets=kept") == (143, nothing)

    def train():
        (tmp_path / "kept" / "a1" / "7").mkdir()

    assert stopped(*given, "--targets=kept", meanwhile=train) == (
        143,
        "stopped by SIGTERM; what is trained is kept in kept: the same command goes on "
        "from there",
    )


SLOW_TO_END = """
import os, signal
from jaxprivacy.commands import stopping
with stopping.signals():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        print("cleaning up", flush=True)
        os.kill(os.getpid(), signal.SIGINT)
        print("still there")
"""


def test_a_second_signal_ends_the_process_at_once():
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", SLOW_TO_END],
        capture_output=True,
        text=True,
        cwd=launched.ROOT,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "cleaning up\n")


# An audit that is stopped while a compiled program still runs.
COMPUTING = """
import os, signal
import jax, jax.numpy as jnp
from jaxprivacy.studies import audit
from jaxprivacy.commands import common, audit as script

def run(*given):
    given[2].stage("training", 1)
    square = lambda i, a: jnp.tanh(a @ a)
    x = jnp.ones((300, 300))
    jax.block_until_ready(x)
    jax.jit(lambda x: jax.lax.fori_loop(0, 10**5, square, x))(x)
    os.kill(os.getpid(), signal.SIGTERM)

audit.prepare, audit.weight, audit.run = lambda _: None, lambda _: 1.0, run
common.run(script.main)
"""


def test_a_process_that_computes_ends_cleanly(tmp_path):
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", COMPUTING, f"--out={tmp_path / 'out'}"],
        capture_output=True,
        text=True,
        cwd=launched.ROOT,
        timeout=60,
    )
    _, *lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, lines) == (
        143,
        "",
        ["stopped by SIGTERM; nothing is kept: the same command starts anew"],
    )
    assert not (tmp_path / "out").exists()


def test_what_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopping.signals():
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
