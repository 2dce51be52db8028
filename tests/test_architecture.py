"""The layers of the package: who may import what, and what is never used."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("jaxprivacy/**/*.py"), *ROOT.glob("launch/**/*.py")])
PARTS = {p.parent.name for p in ROOT.glob("jaxprivacy/*/__init__.py")}

# The parts of the package that each part may use beside `checks`, `types` and itself.
MAY_USE = {
    "data": set(),
    "models": set(),
    "targets": {"models", "training"},
    "training": {"models"},
    "federated": {"models", "training"},
    "attacks": {"federated", "models", "training"},
    "defenses": {"models", "training"},
    "evaluation": set(),
    "report": {"evaluation"},
    "experiments": {
        "attacks",
        "data",
        "defenses",
        "evaluation",
        "federated",
        "models",
        "report",
        "targets",
        "training",
    },
    "commands": {"experiments", "report"},
}
NUMPY_ONLY = ("data", "evaluation", "report")
SLOW = ("sklearn", "matplotlib", "tensorflow_datasets", "torch", "tensorflow", "orbax")


def imported(source):
    """The names of all modules, and of what is taken from them, at any depth."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide the part from this test"
            names |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return names


def uses(source, *modules):
    """Which of the modules a source imports, as a whole or in part."""
    return {
        module
        for module in modules
        for name in imported(source)
        if name == module or name.startswith(module + ".")
    }


def forbidden_calls(source):
    """What runs text as a program, or hands it to a shell, or unpickles."""
    found = uses(source, "pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in ("eval", "exec", "compile", "os.system", "os.popen"):
                found.add(name)
            for option in node.keywords:
                if option.arg in ("shell", "allow_pickle"):
                    if ast.unparse(option.value) != "False":
                        found.add(option.arg)
            if name.endswith("np.load"):
                safe = any(option.arg == "allow_pickle" for option in node.keywords)
                found |= set() if safe else {"np.load"}
    return found


def jits(source):
    """Whether `jax.jit` is used, under any of its spellings."""
    wanted = {"jax.jit", "jax.pjit", "jax.experimental.pjit.pjit", "nn.jit"}
    names = {
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
    }
    return bool((names | imported(source)) & wanted)


def part(path):
    """`data` of jaxprivacy/data/sources.py; `launch`; else the file's stem."""
    inside = path.relative_to(ROOT)
    if inside.parts[0] != "jaxprivacy":
        return inside.parts[0]
    return inside.parts[1] if len(inside.parts) > 2 else inside.stem


def named(path):
    return str(path.relative_to(ROOT))


@pytest.fixture(params=SOURCES, ids=named)
def path(request):
    return request.param


def test_the_walk_sees_every_form_of_import():
    source = """
import jax.numpy as jnp
from jaxprivacy import data as data_lib, types
def late():
    from jaxprivacy.models.targets import MLP
"""
    assert imported(source) == {
        "jax.numpy",
        "jaxprivacy",
        "jaxprivacy.data",
        "jaxprivacy.types",
        "jaxprivacy.models.targets",
        "jaxprivacy.models.targets.MLP",
    }
    assert uses(source, "jax", "jaxprivacy.data", "flax") == {"jax", "jaxprivacy.data"}
    assert uses("import jaxlib", "jax") == set()


def test_the_walk_sees_jit_and_forbidden_calls():
    assert jits("import jax\nf = jax.jit(f)")
    assert jits("import jax\n@jax.jit\ndef f(): pass")
    assert jits("from jax import jit")
    assert not jits("'jax.jit is only for experiments'")
    source = """
import pickle
eval(text)
subprocess.run(text, shell=True)
np.load(file, allow_pickle=True)
jax.eval_shape(f)
re.compile(text)
"""
    assert forbidden_calls(source) == {"pickle", "eval", "shell", "allow_pickle"}
    assert forbidden_calls("np.load(file)") == {"np.load"}


def test_every_part_has_its_place():
    assert set(MAY_USE) - {"defenses"} <= PARTS <= set(MAY_USE)
    assert len(SOURCES) > 30


def test_data_flows_one_way(path):
    here = part(path)
    others = set(MAY_USE) - {here} - MAY_USE.get(here, set())
    if here == "launch":
        others = set(MAY_USE) - {"commands", "report"}
    modules = [f"jaxprivacy.{other}" for other in others]
    assert not uses(path.read_text(), *modules)


def test_only_models_and_targets_import_flax(path):
    if part(path) not in ("models", "targets"):
        assert not uses(path.read_text(), "flax")


def test_jit_only_in_experiments(path):
    if part(path) != "experiments":
        assert not jits(path.read_text())


def test_numpy_only_where_no_model_is_run(path):
    if part(path) in NUMPY_ONLY:
        # `types` imports JAX too.
        assert not uses(path.read_text(), "jax", "flax", "optax", "jaxprivacy.types")


def test_flags_only_in_commands(path):
    # `data` silences TFDS, which logs by absl.logging.
    if part(path) not in ("commands", "launch"):
        assert not uses(path.read_text(), "absl.flags", "absl.app")
    assert not uses(path.read_text(), "launch")  # Which no wheel holds.


def test_no_test_is_imported_and_no_torch(path):
    forbidden = {"tests", "benchmarks", "torch"}
    if path.name == "torch_weights.py":  # An extra, imported when a file is read.
        forbidden -= {"torch"}
    assert not uses(path.read_text(), *forbidden)


def test_no_text_is_run_as_a_program(path):
    assert not forbidden_calls(path.read_text())


def test_what_is_slow_to_import_is_imported_when_needed():
    studies = ("audit", "gan_attack", "sweep_study", "whitebox")
    code = (
        f"import sys, {', '.join(f'jaxprivacy.experiments.{s}' for s in studies)}; "
        f"print(*set({SLOW!r}) & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)  # noqa: S603
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
