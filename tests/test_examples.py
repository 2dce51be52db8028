"""The examples run, and say what they must of the models they train."""

import importlib.util
import pathlib

import pytest

FOLDER = pathlib.Path(__file__).parents[1] / "examples"
RULES = ("loss_threshold", "gradient_norm")
COMPARED = ("lira_online", "rmia_offline")


def example(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.py")))
def test_an_example_runs(name, capsys):
    options = {"attacks": RULES}
    if name == "one_logit":
        options = {"attacks": RULES + COMPARED, "references": 4}
    report = example(name).main(**options, progress=False)
    assert [finding.name for finding in report.findings] == list(options["attacks"])
    assert report.result["target"]["train_accuracy"] > 0.9
    assert "Verdict" in capsys.readouterr().out
