"""How programs are compiled in tests: fast, since most of them run for moments."""

import os
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
