"""The layers of the package: who may import what, and what is never used."""

import ast
import functools
import graphlib
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("jaxprivacy/**/*.py"), *ROOT.glob("launch/**/*.py")])
PARTS = {p.parent.name for p in ROOT.glob("jaxprivacy/*/__init__.py")}

# The parts that each part may use beside `errors`, `checks`, `types`, `cards`, itself.
MAY_USE = {
    "cards": set(),
    "data": set(),
    "models": set(),
    "targets": {"models", "training"},
    "training": {"models"},
    "federated": {"models", "training"},
    "attacks": {"federated", "models", "targets", "training"},
    "defenses": {"federated", "models", "targets", "training"},
    "evaluation": set(),
    "report": {"evaluation"},
    "programs": {"training"},
    "studies": {
        "attacks",
        "data",
        "defenses",
        "evaluation",
        "federated",
        "models",
        "programs",
        "report",
        "targets",
        "training",
    },
    "commands": {"studies", "report"},
}
# From the ground up: a part imports those before it, and none behind it.
ORDER = [
    "errors",
    "checks",
    "types",
    "lock",
    "cards",
    "data",
    "models",
    "training",
    "targets",
    "federated",
    "defenses",
    "attacks",
    "programs",
    "evaluation",
    "report",
    "studies",
    "__init__",
    "commands",
    "launch",
]
MOST_LINES, MOST_OF_A_FUNCTION = 350, 60
MOST_STATEMENTS = 2.5  # that import of the package, in a file of it on average
# What is longer still, for the sake of what `help` says of it; what is no longer is
# taken out.
LONG = {
    "jaxprivacy/studies/door.py:audit",
}
NUMPY_ONLY = ("data", "evaluation", "report")
SLOW = ("sklearn", "matplotlib", "tensorflow_datasets", "torch", "tensorflow", "orbax")


parsed = functools.cache(ast.parse)


@functools.cache
def imported(source):
    """The names of all modules, and of what is taken from them, at any depth."""
    names = set()
    for node in ast.walk(parsed(source)):
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


def statements(source):
    """How many statements import of the package."""
    count = 0
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.Import):
            count += any(a.name.split(".")[0] == "jaxprivacy" for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            count += node.module.split(".")[0] == "jaxprivacy"
    return count


def functions(source):
    """The lines of each function, with its head and its docstring, by its name."""
    return [
        (node.name, node.end_lineno - node.lineno + 1)
        for node in ast.walk(parsed(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def circle(arrows):
    """Parts that import each other in a circle, from one back to it; none: ().

    Args:
      arrows: part -> the parts that it imports.
    """
    try:
        graphlib.TopologicalSorter(arrows).prepare()
    except graphlib.CycleError as error:
        return tuple(
            reversed(error.args[1])
        )  # The sorter tells who is imported by whom.
    return ()


def names(source, word):
    """The lines in which a variable, an argument or a module has this name."""
    found = set()
    for node in ast.walk(parsed(source)):
        said = {
            ast.Name: lambda n: [n.id],
            ast.arg: lambda n: [n.arg],
            ast.Attribute: lambda n: [n.attr],
            ast.keyword: lambda n: [n.arg],
            ast.alias: lambda n: [*n.name.split("."), n.asname],
            ast.ImportFrom: lambda n: n.module.split("."),
        }.get(type(node), lambda n: [])
        if word in said(node):
            found.add(node.lineno)
    return sorted(found)


def forbidden_calls(source):
    """What runs text as a program, or hands it to a shell, or unpickles."""
    found = uses(source, "pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve")
    for node in ast.walk(parsed(source)):
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
        for node in ast.walk(parsed(source))
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


def test_the_walk_sees_lengths_statements_and_names():
    source = """
import numpy, jaxprivacy.data
from jaxprivacy import checks, types
from jaxprivacyx import data
def long(settings):
    def inner():
        pass

    return settings
"""
    assert statements(source) == 2
    assert functions(source) == [("long", 5), ("inner", 2)]
    assert names(source, "settings") == [5, 9]
    assert names("from jaxprivacy.studies.settings import check", "settings") == [1]
    assert names("from jaxprivacy.studies import settings as s", "settings") == [1]
    assert names("f(settings=3)\na.settings", "settings") == [1, 2]
    assert not names("'settings'; my_settings = 3", "settings")


def test_a_circle_is_told_in_the_order_of_its_arrows():
    assert not circle({"a": {"b", "c"}, "b": {"c"}})
    found = circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    assert found[0] == found[-1]
    assert {*zip(found, found[1:], strict=False)} == {
        ("a", "b"),
        ("b", "c"),
        ("c", "a"),
    }


def test_the_walk_sees_jit_and_forbidden_calls():
    assert jits("import jax\nf = jax.jit(f)")
    assert jits("import jax\n@jax.jit\ndef f(): pass")
    assert jits("from jax import jit")
    assert not jits("'jax.jit is only for programs'")
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


def test_every_part_has_its_place_in_the_order():
    assert len(ORDER) == len(set(ORDER)) and PARTS <= set(ORDER)
    assert {part(path) for path in SOURCES} <= set(ORDER)
    for here, others in MAY_USE.items():
        above = others & set(ORDER[ORDER.index(here) :])
        assert not above, f"{here} may use {above}, which the order has above it"


def test_no_arrow_points_upwards(path):
    above = ORDER[ORDER.index(part(path)) + 1 :]
    found = uses(path.read_text(), *(f"jaxprivacy.{name}" for name in above))
    assert not found, f"{named(path)} imports {sorted(found)}, which stand above it"


def test_no_parts_import_each_other_in_a_circle():
    arrows = {}
    for path in SOURCES:
        others = {f"jaxprivacy.{name}": name for name in set(ORDER) - {part(path)}}
        found = uses(path.read_text(), *others)
        arrows.setdefault(part(path), set()).update(others[name] for name in found)
    found = circle(arrows)
    assert not found, f"{' imports '.join(found)}"


def test_no_file_is_too_long(path):
    lines = len(path.read_text().splitlines())
    told = f"{named(path)} has {lines} lines; accepted are at most {MOST_LINES}"
    assert lines <= MOST_LINES or named(path) in LONG, told


def test_no_function_is_too_long(path):
    told = [
        f"{named(path)}:{name} has {lines} lines"
        for name, lines in functions(path.read_text())
        if lines > MOST_OF_A_FUNCTION and f"{named(path)}:{name}" not in LONG
    ]
    assert not told, f"{', '.join(told)}; accepted are at most {MOST_OF_A_FUNCTION}"


def test_what_is_no_longer_too_long_is_not_excused():
    for excused in LONG:
        name, _, function = excused.partition(":")
        source = (ROOT / name).read_text()
        lines, most = len(source.splitlines()), MOST_LINES
        if function:
            lines, most = dict(functions(source)).get(function, 0), MOST_OF_A_FUNCTION
        assert lines > most, f"{excused} is short enough: take it out of LONG"


def test_few_statements_import_of_the_package():
    counts = {
        named(path): statements(path.read_text())
        for path in SOURCES
        if part(path) != "launch"
    }
    average = sum(counts.values()) / len(counts)
    most = sorted(counts, key=counts.get, reverse=True)[:5]
    told = ", ".join(f"{name} {counts[name]}" for name in most)
    assert average <= MOST_STATEMENTS, f"{average:.2f} on average, most in {told}"


def test_no_module_below_the_studies_names_settings(path):
    # The report tells settings, as names and values, and reads no setting itself.
    below = set(ORDER[: ORDER.index("studies")]) - {"report"}
    source = path.read_text()
    if part(path) in below:
        lines = names(source, "settings")
        assert not lines, f"{named(path)} names settings in lines {lines}"
    if part(path) == "report":
        assert not uses(source, "jaxprivacy.studies.settings")


def test_data_flows_one_way(path):
    here = part(path)
    others = set(MAY_USE) - {here, "cards"} - MAY_USE.get(here, set())
    if here == "launch":
        others = set(MAY_USE) - {"commands", "report"}
    modules = [f"jaxprivacy.{other}" for other in others]
    assert not uses(path.read_text(), *modules)


def test_only_models_and_targets_import_flax(path):
    if part(path) not in ("models", "targets"):
        assert not uses(path.read_text(), "flax")


def test_jit_only_in_programs(path):
    if part(path) != "programs":
        assert not jits(path.read_text()), f"{named(path)} compiles by itself"


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
        f"import sys, {', '.join(f'jaxprivacy.studies.{s}' for s in studies)}; "
        f"print(*set({SLOW!r}) & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)  # noqa: S603
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
