"""How tests are compiled, fast since most of them run for moments, and their order."""

import gc
import os
import signal
import subprocess
import sys

# Of the time that the tests took, most went into XLA's optimisations. Children inherit
# both variables; JAX reads the first when it is imported, XLA the second when it is
# first used.
FLAGS = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"


def accepted(flags):
    """Whether this version of XLA knows these flags; it aborts on others."""
    code = "import jax; jax.devices()"
    tried = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        env=os.environ | {"XLA_FLAGS": flags},
        capture_output=True,
    )
    return tried.returncode == 0


os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if "XLA_FLAGS" not in os.environ:  # A worker inherits them from who started it.
    os.environ["XLA_FLAGS"] = FLAGS if accepted(FLAGS) else ""

# What JAX caches lives on, and every collection walks through all of it: a twentieth of
# the time that the tests took.
gc.set_threshold(100_000, 50, 100)

# A script that runs the tests in its background has Ctrl-C ignored in them, and with
# that in what they start; they are about what it does.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Files of a minute or so, which would otherwise be handed out last, as they hold few
# tests: the last one would run alone.
LONGEST = (
    "test_whitebox",
    "test_audit",
    "test_resume",
    "test_gan_attack",
    "test_sweep",
)


def pytest_configure(config):
    """Lets files be handed out in their order, where tests run in several processes."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """Begins with the longest files."""

    def place(item):
        launches = item.path.parent.name == "launch"
        return (
            LONGEST.index(item.path.stem)
            if launches and item.path.stem in LONGEST
            else len(LONGEST)
        )

    items.sort(key=place)
