"""A server's attacks on members under defenses, from the flags to the report."""

import pytest

from jaxprivacy.report import plots
from tests.launch import contract, launched

ATTACKS = ("mean_cosine", "fedmia_loss")
SMALL = (
    f"--attacks={','.join(ATTACKS)}",
    "--records=400",
    "--model=mlp",
    "--mlp_widths=8",
    "--rounds=3",
    "--participants=3",
    "--compilation_cache=",
    "--checkpoint=",
)
DEFENSES = ("none", "top_k:1", "sign", "secure_aggregation")


pytestmark = pytest.mark.usefixtures("one_device")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with launched.compiled_fast():
        yield tmp_path_factory.mktemp("tradeoff_server")


@pytest.fixture(scope="module")
def result(folder):
    arguments = f"--defenses={','.join(DEFENSES)}", "--seeds=2"
    out = folder / "two"
    assert launched.run("tradeoff", f"--out={out}", *SMALL, *arguments) == 0
    return contract.check((out / "result.json").read_text())


def row_of(result, defense, attack="mean_cosine"):
    (row,) = (
        row
        for row in result["tradeoff"]
        if (row["defense"], row["attack"]) == (defense, attack)
    )
    return row


def test_attacks_that_compare_uploads_have_none_under_secure_aggregation(
    result, folder
):
    names = [text.partition(":")[0] for text in DEFENSES]
    assert [(row["defense"], row["attack"]) for row in result["tradeoff"]] == [
        (defense, attack)
        for defense in names
        for attack in ATTACKS
        if (defense, attack) != ("secure_aggregation", "fedmia_loss")
    ]
    for row in result["tradeoff"]:
        assert row["auc"]["rows"] == 2
    launched.check_page(folder / "two", (plots.TRADEOFF,))


def test_a_compression_that_sends_all_hides_nothing(result):
    plain, whole = (row_of(result, name) for name in ("none", "top_k"))
    for name in ("auc", "test_accuracy"):
        assert plain[name]["value"] == pytest.approx(whole[name]["value"], abs=1e-3)


def test_signs_and_sums_show_other_things_than_uploads(result):
    plain = row_of(result, "none")["auc"]["value"]
    for name in ("sign", "secure_aggregation"):
        assert abs(row_of(result, name)["auc"]["value"] - plain) > 1e-3
    # The sum hides uploads, and changes nothing of the training.
    summed, alone = (row_of(result, n) for n in ("secure_aggregation", "none"))
    assert summed["test_accuracy"]["value"] == pytest.approx(
        alone["test_accuracy"]["value"], abs=0.01
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--defenses=participant_dp:8"], "--defenses=participant_dp:8"),
        (["--attacks=fedmia_loss,lira_online"], "are of one kind"),
        (["--participants=2"], "--participants=2"),
    ],
)
def test_bad_arguments_end_in_one_line(arguments, told, refused):
    assert told in refused(*SMALL, *arguments, script="tradeoff")
