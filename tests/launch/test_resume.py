"""A run of the GAN attack that is killed, or stopped, and started again."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxprivacy import lock
from tests.launch import launched

ROUNDS, SECONDS = 60, 300  # a deadline for each process
# `python -m launch.gan_attack` with a small judge, compiled without optimizations.
SMALL = """
import jax
from jaxprivacy.studies import judge, reconstruction
from jaxprivacy.commands import common, gan_attack

jax.config.update("jax_disable_most_optimizations", True)
judge.STEPS, reconstruction.SAMPLES, reconstruction.SHOWN = 20, 12, 3
common.run(gan_attack.main)
"""


@pytest.fixture
def command(tmp_path):
    """How to start the attack on made-up images; the list of its arguments."""
    rng = np.random.default_rng(0)
    y = np.arange(160) % 4
    x = np.clip(rng.normal(60 + 40 * y[:, None, None], 30, (160, 8, 8)), 0, 255)
    np.savez(tmp_path / "images.npz", x=x.astype(np.uint8), y=y)
    return [
        sys.executable,
        "-c",
        SMALL,
        f"--data=npz:{tmp_path / 'images.npz'}",
        "--model=mlp",
        "--mlp_widths=16",
        f"--rounds={ROUNDS}",
        "--momentum=0.5",
        "--order=asynchronous",
        "--upload_fraction=0.5",
        "--download_fraction=0.5",
        "--generator_optimizer=adam",
        "--generator_steps=2",
        "--generator_batch=8",
        "--injected=8",
        "--compare=gan_no_influence",
        f"--compilation_cache={tmp_path / 'cache'}",
    ]


def steps(run):
    """The rounds after which a run was saved."""
    if not run.is_dir():
        return []
    return sorted(int(path.name) for path in run.iterdir() if path.name.isdecimal())


def end_when_saved(command, run, number=signal.SIGKILL):
    """Starts the command and ends it as soon as there is a checkpoint of the run.

    Returns its exit status and what it said on standard error.
    """
    pipe = subprocess.PIPE
    process = subprocess.Popen(  # noqa: S603
        command, cwd=launched.ROOT, stdout=pipe, stderr=pipe, text=True
    )
    try:
        deadline = time.monotonic() + SECONDS
        while not steps(run):
            said = process.communicate()[1] if process.poll() is not None else None
            assert said is None, f"ended before there was a checkpoint: {said}"
            assert time.monotonic() < deadline, "there was no checkpoint in time"
            time.sleep(0.002)
    finally:
        process.send_signal(number)
        said = process.communicate()[1]
    return process.returncode, said


def finished(command, out):
    """Runs the command to its end; returns its result but for the time it took."""
    done = subprocess.run(  # noqa: S603
        command, cwd=launched.ROOT, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    # Only the stages are told: " 1.2 s  training the judge".
    lines = done.stderr.splitlines()
    assert all(line.split()[1] == "s" for line in lines), done.stderr
    result = json.loads((out / "result.json").read_text())
    return {k: v for k, v in result.items() if k not in ("seconds", "command")}


def refused(command, kept, capsys):
    """Runs the command with another seed, which is refused and changes nothing.

    In this process: nothing is compiled before it is refused.
    """

    def files():
        # Without the lock of the process that was killed, which is taken over.
        found = [p for p in kept.rglob("*") if p.is_file() and p.name != lock.NAME]
        return {path: path.read_bytes() for path in found}

    before = files()
    with launched.compiled_fast():
        status = launched.run("gan_attack", *command[3:], "--seed=9")
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert files() == before
    return err


def test_a_killed_run_goes_on_to_the_same_numbers(command, tmp_path, capsys):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = finished([*command, f"--out={whole}", "--checkpoint="], whole)
    assert {"reconstruction", "courses", "target"} <= set(expected)

    kept = tmp_path / "cut.checkpoint"
    killed = end_when_saved([*command, f"--out={cut}"], kept / "runs" / "gan")
    assert killed[0] == -9, "ended before it was killed"
    assert 0 < steps(kept / "runs" / "gan")[-1] < ROUNDS
    assert not steps(kept / "runs" / "gan_no_influence")
    assert refused([*command, f"--out={cut}"], kept, capsys) == (
        f"error: --checkpoint={kept}: holds a run with another seed; accepted is "
        "another folder, or the same flags and code as before\n"
    )
    assert not cut.exists()
    # It goes on, and is stopped once more in the second run.
    status, said = end_when_saved(
        [*command, f"--out={cut}"], kept / "runs" / "gan_no_influence", signal.SIGINT
    )
    *stages, line = said.splitlines()
    assert (status, line) == (
        130,
        f"stopped by Ctrl-C; what is trained is kept in {kept}: the same command goes "
        "on from there",
    )
    assert all(stage.split()[1] == "s" for stage in stages), said
    assert not cut.exists()
    assert steps(kept / "runs" / "gan") == [ROUNDS]
    assert 0 < steps(kept / "runs" / "gan_no_influence")[-1] < ROUNDS

    assert finished([*command, f"--out={cut}"], cut) == expected
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"images.npz", "cache", "whole", "cut"}
