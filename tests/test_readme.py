"""The examples in the README work when pasted."""

import pathlib
import re

from jaxprivacy.studies import target_audit

README = pathlib.Path(__file__).parents[1] / "README.md"


def test_the_examples_run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, more = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {}
    # Others train networks, as tests/launch/test_audit_of_a_target.py has them do.
    monkeypatch.setattr(target_audit, "ATTACKS", target_audit.ATTACKS[2:])
    exec(compile(first, "README.md", "exec"), names)  # noqa: S102 - our own text
    verdict = re.search(r'"(\w+ exposure)"', first)[1]
    assert f"Verdict: {verdict}" in capsys.readouterr().out
    assert (tmp_path / "reports" / "mine" / "report.html").is_file()
    exec(compile(more, "README.md", "exec"), names)  # noqa: S102 - our own text
    printed = capsys.readouterr().out.splitlines()
    firsts = [line.split()[0] for line in printed]
    assert firsts == ["loss_threshold", "gradient_norm", "level", "norms"]


def test_what_it_shows_and_names_is_there():
    text = README.read_text()
    assert len(text[: text.index("```python")].splitlines()) < 6
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        assert (README.parent / path).is_file()
    assert "jax-privacy" in text
