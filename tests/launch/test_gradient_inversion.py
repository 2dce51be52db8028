"""Gradient inversion from its flags to its report."""

import pytest

from jaxprivacy.report import plots
from tests.launch import contract, launched

TINY = (
    "--model=mlp",
    "--mlp_widths=64",
    "--activation=relu",
    "--attack=dense,trap",
    "--batch_size=1,4",
    "--records=3",
)


def test_a_report_is_written(tmp_path, capsys):
    out = tmp_path / "out"
    cache = f"--compilation_cache={tmp_path / 'cache'}"
    with launched.compiled_fast():
        status = launched.run("gradient_inversion", f"--out={out}", cache, *TINY)
    assert status == 0
    launched.check_page(out, {plots.INVERSIONS})
    result = contract.check((out / "result.json").read_text())
    rows = result["gradient_inversion"]
    named = [(row["attack"], row["batch_size"]) for row in rows if row["gain"]]
    assert named == [("dense", 1), ("trap", 1), ("dense", 4), ("trap", 4)]
    assert all(row["batches"] == 3 for row in rows)
    for row in rows:
        for name, most in (("found", 1), ("psnr", 60), ("ssim", 1)):
            # What is exact has an interval without width.
            assert row[name]["low"] <= row[name]["value"] <= row[name]["high"] <= most
    shown = capsys.readouterr().out
    assert "Dense layer" in shown and "Mean public" in shown


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("--attack=gan", "accepted are invert_gradients, dlg, dense, trap"),
        ("--attack=dense", "accepted with --model=mlp"),
        ("--batch_size=x", "accepted are integers of at least 1, separated by commas"),
        ("--records=2000", "accepted of 1797 records are at most 1777 batches of 1"),
        ("--data=nothing", "accepted are digits, att_faces"),
    ],
)
def test_what_is_wrong_ends_in_one_line(refused, argument, said):
    assert said in refused(argument, script="gradient_inversion")
