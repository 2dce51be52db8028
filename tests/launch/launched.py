"""Launch scripts run in this process, and attacks small enough for tests."""

import contextlib
import dataclasses
import pathlib
import sys
from unittest import mock

import jax
import pytest
from absl.testing import flagsaver
from jax.experimental.compilation_cache import compilation_cache

from jaxprivacy.experiments import membership, reconstruction
from jaxprivacy.models import attack_networks
from launch import audit, common

ROOT = pathlib.Path(__file__).parents[2]


def run_audit(*arguments):
    """Runs `python -m launch.audit` as if in a new process; returns its exit status."""
    command = ["launch/audit.py", *map(str, arguments)]
    with flagsaver.flagsaver(), mock.patch.object(sys, "argv", command):
        with pytest.raises(SystemExit) as ended:
            common.run(audit.main)
    return ended.value.code or 0


@contextlib.contextmanager
def compiled_fast():
    """Compiles without optimizations, and restores where compiled programs are kept.

    JAX decides once a process whether there is a cache; `reset_cache` makes it look
    again.
    """
    names = (
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
        "jax_disable_most_optimizations",
    )
    before = {name: jax.config.values[name] for name in names}
    jax.config.update("jax_disable_most_optimizations", True)
    compilation_cache.reset_cache()
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


def _attacks(steps, patience, **preset):
    changed = dataclasses.replace(attack_networks.TABLE_XIV, **preset)
    return (
        mock.patch.dict(attack_networks.PRESETS, {changed.name: changed}),
        mock.patch.multiple(membership, LEAST_STEPS=steps, PATIENCE_STEPS=patience),
    )


def _widths(width):
    names = ("gradient", "output", "label", "loss", "encoder")
    return {f"{name}_widths": (width,) for name in names}


@contextlib.contextmanager
def quick_attacks():
    """Attack networks that learn in few steps what is plain to see."""
    sizes = _widths(32) | {"init_std": 0.1, "learning_rate": 1e-3, "epochs": 10}
    with contextlib.ExitStack() as stack:
        for patch in _attacks(200, 60, **sizes):
            stack.enter_context(patch)
        yield


@contextlib.contextmanager
def small_attacks():
    """Attack networks and a judge that learn nothing, in a moment."""
    with contextlib.ExitStack() as stack:
        for patch in _attacks(8, 8, **_widths(4), epochs=2):
            stack.enter_context(patch)
        judged = {"JUDGE_STEPS": 20, "SAMPLES": 12, "SHOWN": 3}
        stack.enter_context(mock.patch.multiple(membership, EPOCH_CHUNK=2))
        stack.enter_context(mock.patch.multiple(reconstruction, **judged))
        yield
