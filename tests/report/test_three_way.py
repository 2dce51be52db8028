"""How the page, the terminal and the verdict say which of three kinds a record is."""

import io

import pytest
from rich.console import Console

from jaxprivacy.report import html as page
from jaxprivacy.report.tables import print_summary
from jaxprivacy.report.verdict import verdict
from tests.report import made_up

KINDS = ["base", "fine-tuning", "fresh"]


def row(attack, right, seed=0, kinds=KINDS):
    """Of ten records of a kind so many are told; the rest are taken for the next."""
    confusion = [[0] * 3 for _ in kinds]
    for i, count in enumerate(right):
        confusion[i][i], confusion[i][(i + 1) % 3] = count, 10 - count
    share = sum(right) / 30
    return {
        "attack": attack,
        "setting": "finetune",
        "attacker": "global",
        "mode": "passive",
        "layers": "all",
        "seed": seed,
        "kinds": kinds,
        "confusion": confusion,
        "confidence": 0.975,
        "accuracy": made_up.interval(share, share - 0.1, share + 0.1),
    }


ROWS = [row("white_box", (9, 6, 6)), row("black_box", (5, 5, 5))]
SEEDS = [*ROWS, row("white_box", (7, 4, 4), seed=1), row("black_box", (5, 5, 5), 1)]


def report(rows):
    return made_up.report(result=made_up.result() | {"three_way": rows})


def said(rows):
    return " ".join(page.render(report(rows), {}).split())


def test_the_verdict_says_it_of_the_best_attack():
    (sentence,) = (s for s in verdict(report(ROWS).result) if "Asked" in s)
    assert sentence == (
        "Asked whether a record is base, fine-tuning or fresh, White-box (passive) is "
        "right on 70.0 % [60.0, 80.0], 33.3 % being chance."
    )
    (sentence,) = (s for s in verdict(report(SEEDS).result) if "Asked" in s)
    assert "right on 60.0 % [" in sentence and "on average over the seeds" in sentence
    assert not [s for s in verdict(made_up.result()) if "Asked" in s]


@pytest.mark.parametrize("rows", [ROWS, SEEDS])
def test_the_terminal_shows_it_in_80_columns(rows):
    stream = io.StringIO()
    print_summary(report(rows), Console(file=stream, width=80))
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    assert "Which kind a record is" in words
    assert "70.0 90.0 60.0 60.0" in words or "60.0 80.0 50.0 50.0" in words


def test_the_page_shows_who_is_taken_for_what():
    words = said(ROWS)
    assert "Which kind a record is" in words
    assert "33 % would be right by chance" in words.replace("\N{NO-BREAK SPACE}", " ")
    wanted = '<th scope="row" class="name">base</th><td class="n">9</td><td class="n">1'
    assert wanted in words
    assert "Which kind" not in said([])


def test_every_string_is_escaped():
    evil = "<script>alert(1)</script>"
    assert "<script" not in said([row(evil, (9, 6, 6), evil, kinds=[evil] * 3)])
