import subprocess
import sys

MODULES = (
    "jaxprivacy.report.store",
    "jaxprivacy.report.tables",
    "jaxprivacy.report.progress",
    "jaxprivacy.evaluation.membership",
    "jaxprivacy.evaluation.reconstruction",
)
HEAVY = {"jax", "flax", "sklearn", "matplotlib", "tensorflow_datasets"}


def test_neither_jax_nor_what_is_slow_is_imported():
    code = f"import sys, {', '.join(MODULES)}; print(*{HEAVY!r} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
