import pathlib
import re
import shutil

import pytest

from jaxprivacy.errors import InputError
from jaxprivacy.report import documents
from jaxprivacy.report.numbers import Numbers
from tests.launch import launched
from tests.report.test_numbers import row, samples

ROOT = pathlib.Path(__file__).parents[2]
HERE = pathlib.Path("docs")


def made_up(schema=2):
    """A table of two results, one with a row that the other has not."""
    rows = {
        "white": {"title": "white box", "paper": "75", "attack": "white_box"},
        "black": {"title": "black box", "attack": "black_box", "of": ["b"]},
    }
    table = {"columns": ["auc", "tpr_0.01"], "results": {"a": "x/a", "b": "x/b"}}
    spec = {
        "titles": {"auc": "AUC %", "a": "Data"},
        "old": {"membership": "From before."},
        "tables": {"t": table | {"rows": rows, "of": "attack"}},
    }
    both = [row(members=9, non_members=9), row(attack="black_box")]
    a = {"schema": schema, "seconds": 1234.5, "seed": 0, "membership": both}
    return Numbers(spec, {"x/a": a, "x/b": a | {"schema": 2}})


def written(text, numbers=None, beside=HERE):
    return documents.write(text, numbers or made_up(), beside, HERE)


def test_a_table_is_written_between_its_marks():
    text = written("Before\n\n<!-- table t -->\nstale\n<!-- end -->\nafter")
    assert text == (
        "Before\n\n<!-- table t -->\n\n"
        "| data | attack | paper | AUC % | tpr_0.01 |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| Data | white box | 75 | 80.0 [70.0, 90.0] | 9.0 [8.0, 10.0] |\n"
        "| b | white box | 75 | 80.0 [70.0, 90.0] | 9.0 [8.0, 10.0] |\n"
        "| b | black box |  | 80.0 [70.0, 90.0] | 9.0 [8.0, 10.0] |\n\n"
        "[Data](x/a/result.json): seed 0, 9 members and as many non-members, 1,234 s; "
        "[b](x/b/result.json): seed 0, 9 members and as many non-members, 1,234 s.\n\n"
        "<!-- end -->\nafter"
    )
    assert written(text) == text
    linked = written("<!-- table t -->\n<!-- end -->", beside=HERE.parent)
    assert "(docs/x/a/result.json)" in linked


def played(*says):
    """Two scenarios, of which the second has one row."""
    rows = [samples("untrained", 0.1, 50.0), samples("gan", 0.9, 4.0)]
    first = {"title": "Two", "path": "x/a", "says": list(says)}
    table = {
        "list": "reconstruction",
        "scenarios": True,
        "columns": ["hit_rate", "works"],
        "of": "row",
        "results": {"a": first, "b": {"title": "Ten", "path": "x/b"}},
        "rows": {n: {"title": n, "attack": n} for n in ("untrained", "gan")},
    }
    a = {"schema": 2, "seconds": 1234.5, "seed": 0, "reconstruction": rows}
    results = {"x/a": a, "x/b": a | {"schema": 1, "reconstruction": rows[1:]}}
    return Numbers({"titles": {}, "old": {}, "tables": {"t": table}}, results)


def test_a_scenario_is_named_once_and_has_the_rows_of_its_result():
    text = written("<!-- table t -->\n<!-- end -->", played())
    assert text == (
        "<!-- table t -->\n\n"
        "| scenario | row | hit_rate | works |\n"
        "| --- | --- | --- | --- |\n"
        "| Two | untrained | 10.0 [5.0, 15.0] | - |\n"
        "|  | gan | 90.0 [85.0, 95.0] | 1 of 1 |\n"
        "| Ten† | gan | 90.0 [85.0, 95.0] | - |\n\n"
        "[Two](x/a/result.json): seed 0, 1,234 s; "
        "[Ten](x/b/result.json)†: seed 0, 1,234 s.\n\n"
        "<!-- end -->"
    )


def test_sentences_stand_beside_the_numbers_and_hold_some():
    says = {"paper": "Digits.", "seen": "Digits, {gan hit_rate.value} %."}
    text = written("<!-- sentences t -->\nold\n<!-- end -->", played(says))
    assert text == (
        "<!-- sentences t -->\n\n"
        "| scenario | the paper shows | what we see |\n"
        "| --- | --- | --- |\n"
        "| Two | Digits. | Digits, 90.0 %. |\n\n"
        "<!-- end -->"
    )
    of_row = {"row": "gan", "paper": "Sharper.", "seen": "No."}
    text = written("<!-- sentences t -->\n<!-- end -->", played(says, of_row))
    assert "| Two |  | Digits. | Digits, 90.0 %. |\n|  | gan | Sharper. | No. |" in text
    with pytest.raises(InputError, match="no dcgan; accepted are untrained, gan"):
        wrong = says | {"seen": "{dcgan hit_rate}"}
        written("<!-- sentences t -->\n<!-- end -->", played(wrong))


def test_numbers_are_written_into_sentences():
    text = "AUC <!--=t.a.white auc.value-->1.0<!--/--> %, more by "
    text += "<!--=t.b.white auc - t.b.black accuracy-->2.0<!--/-->."
    new = written(text)
    assert re.sub("<!--.*?-->", "", new) == "AUC 80.0 %, more by 10.0."
    assert written(new) == new


def test_old_results_are_marked_until_they_are_run_again():
    text = "<!-- table t -->\n<!-- end -->\nMarks: <!--=old t--><!--/-->."
    old = written(text, made_up(schema=1))
    assert "| Data† | white box | 75 | 80.0 [70.0, 90.0] | 9.0 |" in old
    assert "| b | white box" in old
    assert "[Data](x/a/result.json)†: " in old
    assert "-->† From before.<!--/-->" in old
    assert "†" not in written(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a <!--=t.a.white auc-->1", "mark that is closed"),
        ("<!-- table t -->\n|", "mark that is closed"),
        ("a\n<!--=t.a.white auc--><!--/-->", "mark within a line"),
        ("a <!--=t.a.white--><!--/-->", "accepted are ADDRESS FIELD"),
        ("a <!--=t.a.blue auc--><!--/-->", "t.a.blue: no blue"),
        ("<!-- table u -->\n<!-- end -->", "table u"),
        ("<!-- sentences t -->\n|", "<!-- sentences : accepted is a mark that is"),
        ("<!-- sentences u -->\n<!-- end -->", "sentences u"),
    ],
)
def test_a_mark_that_stands_for_nothing_is_refused(text, named):
    with pytest.raises(InputError, match=named):
        written(text)


def test_the_document_is_named_whose_mark_is_wrong(tmp_path):
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "BUILD_NOTES.md", "docs/page.md"):
        (tmp_path / name).write_text("")
    (tmp_path / "docs" / "numbers.toml").write_text("[tables]\n")
    (tmp_path / "docs" / "page.md").write_text("a <!--=t.a.white auc-->1")
    with pytest.raises(InputError) as caught:
        documents.render(tmp_path)
    assert str(caught.value).startswith("docs/page.md: <!--=")
    assert "mark that is closed" in str(caught.value)


def test_the_documents_say_what_their_results_say():
    """Where this fails, `python -m launch.documents` writes them anew."""
    for path, (old, new) in documents.render(ROOT).items():
        assert old == new, f"{path.name} differs; run python -m launch.documents"


def test_a_changed_digit_is_found_and_set_right(tmp_path, capsys):
    for path in documents.paths(ROOT):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(path, copy)
    for path in (ROOT / "docs").rglob("*"):
        if path.suffix in (".json", ".toml"):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    root = f"--root={tmp_path}"
    assert launched.run("documents", "--check", root) == 0
    page = tmp_path / "docs" / "paper_b.md"
    right = page.read_text()
    (number, *_) = re.findall(r"<!--=[^>]*-->\d+\.(\d)<!--/-->", right)
    wrong = re.sub(
        r"(<!--=[^>]*-->\d+\.)\d(<!--/-->)",
        lambda m: f"{m[1]}{(int(number) + 1) % 10}{m[2]}",
        right,
        count=1,
    )
    page.write_text(wrong)
    assert launched.run("documents", "--check", root) == 1
    assert page.read_text() == wrong
    assert "docs/paper_b.md" in capsys.readouterr().out
    assert launched.run("documents", root) == 0
    assert page.read_text() == right
