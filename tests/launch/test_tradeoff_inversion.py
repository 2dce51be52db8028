"""Gradient inversion under defenses, from the flags to the report."""

import dataclasses

import pytest

from jaxprivacy.report import plots
from jaxprivacy.studies import tradeoff_inversion, tradeoff_settings
from tests.launch import contract, launched

SMALL = (
    "--attacks=invert_gradients",
    "--records=300",
    "--model=mlp",
    "--mlp_widths=8",
    "--rounds=2",
    "--participants=3",
    "--updates=2",
    "--iterations=20",
    "--restarts=1",
    "--compilation_cache=",
)
DEFENSES = ("none", "top_k:1", "secure_aggregation", "dp_sgd:8")


pytestmark = pytest.mark.usefixtures("one_device")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with launched.compiled_fast():
        yield tmp_path_factory.mktemp("tradeoff_inversion")


@pytest.fixture(scope="module")
def result(folder):
    arguments = f"--defenses={','.join(DEFENSES)}", "--seeds=2", "--checkpoint="
    out = folder / "two"
    assert launched.run("tradeoff", f"--out={out}", *SMALL, *arguments) == 0
    return contract.check((out / "result.json").read_text())


def row_of(result, defense):
    (row,) = (row for row in result["tradeoff"] if row["defense"] == defense)
    return row


def test_each_defense_has_a_row(result, folder):
    names = [text.partition(":")[0] for text in DEFENSES]
    assert [row["defense"] for row in result["tradeoff"]] == names
    for row in result["tradeoff"]:
        assert row["psnr"]["rows"] == row["test_accuracy"]["rows"] == 2
        assert (row["epsilon"] is not None) == (row["defense"] == "dp_sgd")
        single = row["defense"] != "secure_aggregation"
        assert row["update_records"] == (1 if single else 3)
    counts = {who: count for who, count, _ in result["page"]["split_counts"]}
    assert counts["others"] == 300  # as --records says, of 900 that digits would have
    launched.check_page(folder / "two", (plots.TRADEOFF, plots.INVERSIONS))


def test_a_compression_that_sends_all_hides_nothing(result):
    plain, whole = (row_of(result, name) for name in ("none", "top_k"))
    for name in ("psnr", "ssim", "test_accuracy"):
        assert plain[name]["value"] == pytest.approx(whole[name]["value"], abs=1e-4)


def test_what_hides_something_changes_what_is_found(result):
    plain = row_of(result, "none")["psnr"]["value"]
    for name in ("secure_aggregation", "dp_sgd"):
        assert abs(row_of(result, name)["psnr"]["value"] - plain) > 0.1


def test_one_record_s_noised_gradient_shows_nothing_of_it(result):
    """At epsilon 8 the noise of every number is as large as the whole gradient."""
    row = row_of(result, "dp_sgd")
    assert row["noise_multiplier"] > 0.5
    assert row["psnr"]["value"] < row["guessed_psnr"]["value"]


def test_a_defense_less_or_other_records_change_what_is_kept_and_nothing_else(
    result, folder
):
    """No training of other records is taken for one's own, and none is another's."""
    kept = f"--checkpoint={folder / 'kept'}"

    def run(name, *arguments):
        out = folder / name
        given = ("--defenses=none", "--seeds=2", kept, *arguments)
        status = launched.run("tradeoff", f"--out={out}", *SMALL, *given)
        return status, out / "result.json"

    status, path = run("alone")
    assert status == 0
    alone = row_of(contract.check(path.read_text()), "none")
    whole = row_of(result, "none")
    for name in ("psnr", "test_accuracy", "train_accuracy"):
        assert alone[name] == pytest.approx(whole[name])
    settings = tradeoff_settings.TradeoffSettings(attacks=("invert_gradients",))
    prepared = tradeoff_inversion.prepare(settings)
    first, second = (
        tradeoff_inversion.identity(dataclasses.replace(settings, records=n), prepared)
        for n in (300, 200)
    )
    assert first != second


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--defenses=participant_dp:8"], "--defenses=participant_dp:8"),
        (["--defenses=mixup:1"], "--defenses=mixup:1"),
        (["--attacks=invert_gradients,gan"], "--attacks=invert_gradients,gan"),
        (["--attacks=invert_gradients,dlg"], "one alone"),
        (["--updates=0"], "--updates=0"),
        (["--updates=1000"], "--records=1000"),
        (["--update_size=0"], "--update_size=0"),
        (["--iterations=0"], "--iterations=0"),
    ],
)
def test_bad_arguments_end_in_one_line(arguments, told, refused):
    assert told in refused(*SMALL[:4], *arguments, script="tradeoff")
