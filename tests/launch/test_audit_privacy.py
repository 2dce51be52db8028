"""The audit of a privacy claim, from its flags to its report."""

import pytest

from tests.launch import contract, launched

SMALL = (
    "--records=300",
    "--canaries=100",
    "--mlp_widths=6",
    "--epochs=2",
    "--compilation_cache=",
)


@pytest.mark.parametrize(
    ("arguments", "claimed"),
    [
        (["--noise_multiplier=2"], "The accountant claims epsilon "),
        (["--noise_multiplier=0", "--max_norm=inf"], "No epsilon is claimed"),
        (["--sampling=shuffled"], "No epsilon is claimed"),
    ],
)
def test_a_report_is_written(arguments, claimed, tmp_path, capsys):
    with launched.compiled_fast():
        status = launched.run(
            "audit_privacy", f"--out={tmp_path / 'out'}", *SMALL, *arguments
        )
    told = capsys.readouterr().out
    assert status == 0
    result = contract.check((tmp_path / "out" / "result.json").read_text())
    launched.check_page(tmp_path / "out", ())
    page = " ".join((tmp_path / "out" / "report.html").read_text().split())
    flat = " ".join(told.split())
    assert claimed in flat and claimed in page
    assert "Lower bounds on epsilon" in flat and "Lower bounds on epsilon" in page
    audited = result["privacy_audit"]
    assert (audited["claim"] is None) == ("No" in claimed)
    assert (audited["no_claim"] is None) == (audited["refuted"] is not None)
    assert (audited["claim"] is None) == (audited["refuted"] is None)
    assert audited["canaries"] == 100 and 0 < audited["included"] < 100
    assert len(audited["bounds"]) == 4
    for row in audited["bounds"]:
        assert 0 <= row["right"] <= row["made"] <= 100 and row["epsilon"] >= 0


@pytest.mark.parametrize(
    ("argument", "accepted"),
    [
        ("--noise_multiplier=-1", "finite numbers of at least 0"),
        ("--max_norm=inf", "inf beside --noise_multiplier=0"),
        ("--canaries=100000", "accepted are 1 to 1437"),
        ("--sampling=none", "poisson, shuffled"),
        ("--rounds=3", "--help"),
    ],
)
def test_bad_arguments_end_in_one_line(argument, accepted, refused):
    assert accepted in refused(argument, script="audit_privacy")


def test_a_diverging_training_ends_in_one_line(tmp_path, capsys):
    arguments = ["--noise_multiplier=0", "--max_norm=inf", "--learning_rate=1e39"]
    status = launched.run(
        "audit_privacy", f"--out={tmp_path / 'out'}", *SMALL, *arguments
    )
    *stages, line = capsys.readouterr().err.splitlines()
    assert status == 2 and "error: --learning_rate=1e+39: " in line
    assert not any("Traceback" in stage for stage in stages)
    assert not (tmp_path / "out").exists()
