"""Levels and sentences on gradient inversion, and its section of the page."""

import pytest

from jaxprivacy.report import html, tables, verdict, verdict_inversion
from tests.report import made_up


def interval(value, low, high):
    return {"value": value, "low": low, "high": high, "rows": 8}


def row(psnr=(30.0, 28.0, 32.0), gain=(18.0, 16.0, 20.0), **changes):
    made = {
        "attack": "invert_gradients",
        "batch_size": 1,
        "local_steps": 1,
        "records": 8,
        "batches": 8,
        "over": "batches",
        "found": interval(0.9, 0.8, 1.0),
        "psnr": interval(*psnr),
        "ssim": interval(0.9, 0.8, 1.0),
        "right_bits": None,
        "right_labels": interval(1.0, 0.7, 1.0),
        "gain": {"over": "mean_image", **interval(*gain)},
    }
    return made | changes


GUESS = row() | {"attack": "mean_image", "local_steps": None, "gain": None}


def result(*rows):
    return made_up.result() | {"gradient_inversion": [*rows, GUESS]}


@pytest.mark.parametrize(
    ("psnr", "gain", "level"),
    [
        ((30.0, 28.0, 32.0), (18.0, 16.0, 20.0), "severe"),
        ((30.0, 19.0, 41.0), (18.0, 7.0, 20.0), "clear"),
        ((14.0, 13.0, 15.0), (2.0, 1.0, 3.0), "slight"),
        ((30.0, -5.0, 60.0), (18.0, -1.0, 37.0), "none_found"),
        ((9.0, 8.0, 10.0), (-2.0, -3.0, -1.0), "none_found"),
        ((30.0, None, None), (18.0, None, None), "cannot_tell"),
    ],
)
def test_the_level_goes_by_the_lower_ends(psnr, gain, level):
    said = verdict.verdict(result(row(psnr, gain)))
    assert said["level"] == said["parts"]["gradient_inversion"] == level
    assert all(said["sentences"])


def test_the_best_that_is_found_makes_the_headline():
    unsure = row((40.0, 5.0, 60.0), (28.0, -9.0, 60.0), attack="trap", batch_size=32)
    said = verdict.verdict(result(unsure, row()))["sentences"]
    assert said[0] == (
        "Records can be reconstructed closely from one update: Inverting gradients (1 "
        "record, 1 local step) reaches a PSNR of 30.0 dB [28.0, 32.0]."
    )
    assert said[1] == (
        "Trap layer (32 records, 1 local step) is not shown to differ from the mean "
        "public record: PSNR 40.0 dB [5.0, 60.0], a gain of 28.0 dB [-9.0, 60.0]."
    )
    assert "nearer to the records than the mean public record" in said[2]


def test_nothing_is_said_where_nothing_was_attacked():
    assert verdict_inversion.inversion(made_up.result()) == (None, [])
    assert "gradient_inversion" not in verdict.verdict(made_up.result())["parts"]


def test_it_stands_beside_other_attacks():
    both = made_up.result(made_up.MEMBERS) | {"gradient_inversion": [row()]}
    said = verdict.verdict(both)
    alone = verdict.verdict(made_up.result(made_up.MEMBERS))
    assert said["parts"]["membership"] == alone["parts"]["membership"]
    assert said["level"] == "severe"


def test_page_and_terminal_show_every_row(capsys):
    from rich import console

    binary = row(right_bits=interval(0.75, 0.7, 0.8), ssim=None, attack="dense")
    report = made_up.empty_report()._replace(result=result(row(), binary))
    page = html.render(report, {"gradient_inversion.png": b"\x89PNG"})
    for words in ("Gradient inversion", "Inverting gradients", "Mean public record"):
        assert words in page
    assert page.count("data:image/png;base64,") == 1
    assert "75.0 %" in page and "Phong" not in page
    tables.print_summary(report, console.Console(width=80))
    shown = capsys.readouterr().out
    for words in ("Dense layer read off", "75.0", "16.0-20.0", "bits %"):
        assert words in shown
