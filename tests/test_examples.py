"""The examples run, and say what they must of the models they train."""

import importlib.util
import pathlib

import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "examples"
RULES = ("loss_threshold", "gradient_norm")


def example(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_an_example_runs(name, capsys):
    report = example(name).main(attacks=RULES, progress=False)
    assert [finding.name for finding in report.findings] == list(RULES)
    assert report.result["target"]["train_accuracy"] > 0.9
    assert "Verdict" in capsys.readouterr().out
