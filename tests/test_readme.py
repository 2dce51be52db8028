"""The example in the README works when pasted."""

import pathlib
import re

README = pathlib.Path(__file__).parents[1] / "README.md"


def test_the_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})  # noqa: S102 - our own text
    printed = capsys.readouterr().out.splitlines()
    firsts = [line.split()[0] for line in printed]
    assert firsts == ["loss_threshold", "gradient_norm", "level", "norms"]


def test_what_it_shows_and_names_is_there():
    text = README.read_text()
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert (README.parent / path).is_file()
    assert "jax-privacy" in text
