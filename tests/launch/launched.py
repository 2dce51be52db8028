"""Commands run in this process, and attacks small enough for tests."""

import contextlib
import dataclasses
import importlib
import pathlib
import re
import subprocess
import sys
from unittest import mock

import jax
import pytest
from absl import flags
from absl.testing import flagsaver
from jax.experimental.compilation_cache import compilation_cache

from jaxprivacy.commands import common, stopping
from jaxprivacy.models import attack_presets
from jaxprivacy.report import again, html
from jaxprivacy.studies import attack_training, judge, reconstruction

ROOT = pathlib.Path(__file__).parents[2]


_FLAGS = {}  # of each script that was imported


def _is_ours(flag):
    """Whether a program of this repository defined it, or `script` put it back."""
    module = flags.FLAGS.find_module_defining_flag(flag, "launch")
    return module.split(".")[0] in ("jaxprivacy", "launch", "benchmarks")


def script(name):
    """Imports a launch script and makes its flags those that are parsed.

    Scripts have flags of the same names, because each is a process of its own; here
    they share one.
    """
    for flag in [flag for flag in flags.FLAGS if _is_ours(flag)]:
        delattr(flags.FLAGS, flag)
    package = "launch" if name == "documents" else "jaxprivacy.commands"
    for flag in _FLAGS.get(name, {}).values():
        flags.FLAGS[flag.name] = flag
        flags.FLAGS.register_key_flag_for_module(f"{package}.{name}", flag)
    before = set(flags.FLAGS)
    module = importlib.import_module(f"{package}.{name}")
    _FLAGS.setdefault(name, {f: flags.FLAGS[f] for f in set(flags.FLAGS) - before})
    return module


def flags_of(name):
    """The flags of a script that was imported."""
    script(name)
    return _FLAGS[name].values()


def run(name, *arguments):
    """Runs `python -m launch.NAME` as if in a new process; returns its exit status."""
    main = script(name).main
    return ended(lambda: common.run(main), f"launch/{name}.py", *arguments)


def ended(main, *command):
    """The exit status of a program, its command line being this one."""
    with (
        flagsaver.flagsaver(),
        mock.patch.object(sys, "argv", [*map(str, command)]),
        mock.patch.object(stopping, "leave", sys.exit),
    ):
        with pytest.raises(SystemExit) as ended:
            sys.exit(main())
    return ended.value.code or 0


def help_of(name):
    """What `python -m launch.NAME --help` says, in a process of its own."""
    command = [sys.executable, "-m", f"launch.{name}", "--help"]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def check_page(folder, figures):
    """The figures are there, the page holds each, loads nothing, and is made again."""
    assert {path.name for path in folder.iterdir()} == {
        "result.json",
        "report.html",
        *figures,
    }
    for name in figures:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    page = (folder / "report.html").read_text()
    kept = again.read(str(folder))
    assert html.page(kept.result, kept.facts, kept.figures) == page
    assert page.count("data:image/png;base64,") == len(figures)
    sources = re.findall(
        r"\b(?:src|href|srcset|data|action)\s*=\s*[\"']([^\"']*)", page
    )
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert not re.search(r"<script|<link|<iframe|@import|url\((?!['\"]?data:)", page)


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
    changed = {
        name: dataclasses.replace(of, least_steps=steps, **preset)
        for name, of in attack_presets.PRESETS.items()
    }
    return (
        mock.patch.dict(attack_presets.PRESETS, changed),
        mock.patch.multiple(attack_training, PATIENCE_STEPS=patience),
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
        judged = {"SAMPLES": 12, "SHOWN": 3, "STEPS": 3}
        stack.enter_context(mock.patch.multiple(attack_training, EPOCH_CHUNK=2))
        stack.enter_context(mock.patch.multiple(reconstruction, **judged))
        stack.enter_context(mock.patch.multiple(judge, STEPS=20))
        yield
