"""What defenses protect and cost, from the flags to the report."""

import numpy as np
import pytest

from jaxprivacy.cards import defenses
from jaxprivacy.data import Dataset
from jaxprivacy.evaluation.intervals import student_t
from jaxprivacy.report import plots, verdict_tradeoff
from jaxprivacy.studies import (
    privacy_audit,
    tradeoff_canaries,
    tradeoff_membership,
    tradeoff_settings,
)
from tests.launch import contract, launched
from tests.report import made_up

SMALL = (
    "--records=300",
    "--model=mlp",
    "--mlp_widths=16",
    "--rounds=4",
    "--references=4",
    "--targets_in_pool=2",
    "--attacks=loss_threshold,lira_online",
    "--compilation_cache=",
)


pytestmark = pytest.mark.usefixtures("one_device")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with launched.compiled_fast():
        yield tmp_path_factory.mktemp("tradeoff")


def run(out, *arguments):
    assert launched.run("tradeoff", f"--out={out}", *SMALL, *arguments) == 0
    return contract.check((out / "result.json").read_text())


@pytest.fixture(scope="module")
def result(folder):
    return run(
        folder / "two",
        "--defenses=none,mixup:0,dp_sgd:8",
        "--seeds=2",
        "--canaries=40",
        f"--checkpoint={folder / 'kept'}",
    )


def without_time(rows, *defenses):
    return [
        {k: v for k, v in row.items() if k != "seconds"}
        for row in rows
        if row["defense"] in defenses
    ]


def test_each_defense_has_its_rows(result, folder):
    rows = result["tradeoff"]
    assert [(r["defense"], r["strength"], r["attack"]) for r in rows] == [
        (defense, strength, attack)
        for defense, strength in (("none", None), ("mixup", 0), ("dp_sgd", 8))
        for attack in ("loss_threshold", "lira_online")
    ]
    strongest = verdict_tradeoff.strongest(rows)
    assert [row["defense"] for row in strongest] == ["none", "mixup", "dp_sgd"]
    for row in rows:
        contract.check_interval(row["auc"])
        assert row["auc"]["rows"] == 2
        assert (row["epsilon"] is not None) == (row["defense"] == "dp_sgd")
        if row["epsilon"] is not None:
            assert 7 < row["epsilon"] <= 8
    launched.check_page(folder / "two", (plots.TRADEOFF,))


def test_canaries_bound_what_is_promised_and_nothing_else(result):
    for row in result["tradeoff"]:
        assert (row["audit"] is not None) == (row["defense"] == "dp_sgd")
    audit = row["audit"]
    assert audit["epsilon"] <= audit["detectable"]
    assert not audit["refuted"] and audit["epsilon"] < row["epsilon"]
    assert (audit["canaries"], audit["confidence"]) == (40, 0.95)
    [told] = [s for s in result["verdict"]["sentences"] if "canaries" in s]
    assert "and not the 7.9" in told


def test_the_seeds_share_the_error_of_their_bounds():
    settings = tradeoff_settings.TradeoffSettings(seeds=5, rounds=7, local_epochs=2)
    given = settings.private(3, "cnn")
    assert 1 - given.confidence == pytest.approx(0.05 / 5)
    assert (given.seed, given.model, given.epochs) == (3, "cnn", 14)


def test_trainings_with_canaries_are_promised_what_the_defense_is():
    settings = tradeoff_settings.TradeoffSettings(
        records=300, rounds=4, seeds=2, canaries=40
    )
    audits = tradeoff_canaries.prepare(settings, "mlp")
    assert [audit.settings.seed for audit in audits] == [0, 1]
    for epsilon in (2.0, 8.0):
        for given, made in tradeoff_canaries.promising(audits, epsilon):
            claimed = privacy_audit.claim(given, made).epsilon
            assert 0.9 * epsilon < claimed <= epsilon


def test_the_largest_bound_of_all_seeds_counts_and_so_does_each_refutation():
    def of_seed(epsilon, refuted):
        rows = [("nothing", epsilon), ("gaussian", 9.0)]
        rows = [{"assumes": assumes, "epsilon": value} for assumes, value in rows]
        return {"bounds": rows, "detectable": 5, "refuted": refuted, "canaries": 9}

    assert tradeoff_canaries.summary([], 0.9) is None
    found = tradeoff_canaries.summary([of_seed(0.5, False), of_seed(2, True)], 0.9)
    assert found == {
        "epsilon": 2,
        "detectable": 5,
        "refuted": True,
        "canaries": 9,
        "confidence": 0.9,
    }
    row = made_up.tradeoff_row("dp_sgd", 1.0, 0.02, epsilon=1.0) | {"audit": found}
    told = verdict_tradeoff.verdict([made_up.tradeoff_row("none", None, 0.5), row])
    assert told["level"] == "severe"
    assert "epsilon of 1 is refuted, with 90 % confidence" in told["sentences"][-1]
    assert verdict_tradeoff.table([row])[0]["epsilon"] == "1\n> 2"


def test_at_strength_zero_it_is_the_plain_training(result):
    plain, idle = (without_time(result["tradeoff"], d) for d in ("none", "mixup"))
    for one, other in zip(plain, idle, strict=True):
        assert one["auc"] == other["auc"]
        assert one["test_accuracy"] == other["test_accuracy"]


def test_one_seed_of_one_defense_is_the_same_alone(result, folder):
    alone = run(folder / "one", "--defenses=none", "--seeds=1", "--checkpoint=")
    other = run(
        folder / "other", "--defenses=none", "--seeds=1", "--seed=1", "--checkpoint="
    )
    for row, first, second in zip(
        without_time(result["tradeoff"], "none"),
        alone["tradeoff"],
        other["tradeoff"],
        strict=True,
    ):
        values = [first["auc"]["value"], second["auc"]["value"]]
        assert values[0] != values[1]
        assert row["auc"] == pytest.approx(student_t(values, 1.0))
        assert first["auc"]["low"] is None


def test_a_temperature_hides_nothing_from_who_holds_the_parameters(folder):
    inside = ("gradient_norm", "white_box")
    with launched.small_attacks():
        found = run(
            folder / "inside",
            "--defenses=none,temperature:4",
            f"--attacks=entropy,{','.join(inside)}",
            "--seeds=1",
            "--checkpoint=",
        )
    plain, cooled = (
        {row["attack"]: row["auc"] for row in found["tradeoff"] if row["defense"] == of}
        for of in ("none", "temperature")
    )
    assert plain.keys() == cooled.keys() == {"entropy", *inside}
    assert plain["entropy"] != cooled["entropy"]
    assert all(plain[name] == cooled[name] for name in inside)


def test_what_did_not_train_is_not_the_strongest():
    def row(attack, auc, trained):
        rate = {"value": auc, "low": None, "high": None}
        fprs = [rate | {"fpr": fpr} for fpr in tradeoff_membership.FPRS]
        told = {"attacker": "global", "mode": "passive", "setting": "standalone"}
        counts = {"members": 50, "non_members": 50, "accuracy": rate, "auc": rate}
        made = {"attack": attack, "trained": trained, "tpr_at_fpr": fprs}
        return made | told | counts

    accuracy = {"train_accuracy": 1.0, "test_accuracy": 0.5}
    rows = [row("white_box", 0.9, False), row("lira_online", 0.7, None)]
    point = tradeoff_membership.Point(accuracy, rows, None, None, 1.0)
    found = tradeoff_membership.summary(defenses.read("none"), [point])
    assert [r["strongest"] for r in found] == [False, True]
    assert [r["trained"] for r in found] == [False, None]


def test_models_of_other_records_are_not_taken_for_a_seed_s():
    """With other labels in what a seed draws, whatever the first seed's data are."""
    data = Dataset("made up", np.zeros((4, 2), np.float32), np.arange(4) % 2, 2)
    names = [
        tradeoff_membership.kept_as(defenses.read(text), seed, dataset)
        for text in ("none", "mixup:1", "mixup:2")
        for seed in (0, 1)
        for dataset in (data, data._replace(y=1 - data.y))
    ]
    assert len(set(names)) == len(names) == 12
    assert names[0] == tradeoff_membership.kept_as(defenses.read("none"), 0, data)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--defenses=dp_sgd:0"], "--defenses=dp_sgd:0"),
        (["--defenses=dp_sgd:0.0001"], "noise multipliers of 0.2 to 1000"),
        (["--defenses=mixup:-1"], "alpha of the Beta"),
        (["--defenses=moat"], "--defenses=moat: accepted are none, dp_sgd"),
        (["--defenses=none:2"], "takes no strength"),
        (["--defenses=secure_aggregation"], "--defenses=secure_aggregation"),
        (["--attacks=gan", "--defenses=mixup:1"], "--defenses=mixup:1"),
        (["--attacks=gan,lira_online"], "--attacks=gan,lira_online"),
        (["--attacks=gan", "--participants=1"], "--participants=1"),
        (["--attacks=gan", "--update_norm=0"], "--update_norm=0"),
        (["--attacks=gan", "--target_class=10"], "--target_class=10"),
        (["--attacks=gan", "--defenses=participant_dp:1e-4"], "noise multipliers"),
        (["--defenses=none,none"], "each of them once"),
        (["--delta=1"], "--delta=1"),
        (["--max_norm=0"], "--max_norm=0"),
        (["--attacks=shadow"], "--attacks=shadow: accepted are loss_threshold"),
        (["--references=5"], "--references=5"),
        (["--canaries=-1"], "--canaries=-1"),
        (["--canaries=5", "--defenses=none"], "nothing is promised"),
        (["--canaries=5", "--attacks=gan"], "nothing is promised"),
        (["--canaries=5", "--defenses=dp_sgd:inf"], "nothing is promised"),
        (["--canaries=3000", "--defenses=dp_sgd:8"], "--canaries=3000: accepted are 1"),
        (["--seeds=0"], "--seeds=0"),
    ],
)
def test_bad_arguments_end_in_one_line(arguments, told, refused):
    assert told in refused(*arguments, script="tradeoff")


def test_the_verdict_says_what_intervals_show():
    rows = [
        made_up.tradeoff_row("none", None, 0.5),
        made_up.tradeoff_row("mixup", 1.0, 0.49, accuracy=0.92),
        made_up.tradeoff_row("dp_sgd", 8.0, 0.02, auc=0.52, accuracy=0.6, epsilon=7.9),
        made_up.tradeoff_row("dropout", 0.5, 0.7),
    ]
    told = verdict_tradeoff.verdict(rows)
    assert told["level"] == "clear"
    first, mixup, private, dropout, claim = told["sentences"]
    assert first.startswith("Without a defense") and "50.0 %" in first
    assert "not shown to differ" in mixup and "2.0 points of accuracy gained" in mixup
    assert "less than without a defense" in private and "epsilon 7.9" in private
    assert "30.0 points of accuracy lost" in private
    assert "more than without a defense" in dropout
    assert "not in it" in claim
    alone = verdict_tradeoff.verdict(rows[1:2])
    assert alone["level"] == "cannot_tell"
    nothing = verdict_tradeoff.verdict(
        [made_up.tradeoff_row("none", None, 0.01, auc=0.51)]
    )
    assert nothing["level"] == "none_found"
    assert len(nothing["sentences"]) == 1


def test_the_verdict_on_a_class_counts_where_the_attack_works():
    rows = [
        made_up.class_row("none", None, works=3),
        made_up.class_row("dp_sgd", 8.0, works=0, hit=0.01, epsilon=7.9),
        made_up.class_row("participant_dp", "inf", works=0, hit=0.0, too_poor=3),
    ]
    told = verdict_tradeoff.verdict(rows)
    assert told["level"] == told["parts"]["reconstruction"] == "clear"
    assert told["parts"]["membership"] is None
    plain, private, poor, _ = told["sentences"]
    assert "works in 3 of 3" in plain and "too little" not in plain
    assert "works in 0 of 3" in private and "epsilon 7.9" in private
    assert "privacy, inf: " in poor and "too little for the attack" in poor
    for works, too_poor, level in ((1, 0, "slight"), (0, 0, "none_found")):
        row = made_up.class_row("none", None, works=works, too_poor=too_poor)
        assert verdict_tradeoff.verdict([row])["level"] == level
    row = made_up.class_row("none", None, works=0, too_poor=1)
    assert verdict_tradeoff.verdict([row])["level"] == "cannot_tell"
    assert "GAN" in verdict_tradeoff.title(rows)


def test_the_verdict_on_updates_goes_by_the_psnr_above_guessing():
    rows = [
        made_up.update_row("none", None, 25.0),
        made_up.update_row("top_k", 0.1, 12.0),
    ]
    told = verdict_tradeoff.verdict(rows)
    assert told["level"] == told["parts"]["gradient_inversion"] == "severe"
    plain, compressed = told["sentences"]
    assert "25.0 dB" in plain and "less than without a defense" in compressed
    for psnr, level in ((17.0, "clear"), (13.0, "slight"), (10.0, "none_found")):
        row = made_up.update_row("none", None, psnr)
        assert verdict_tradeoff.verdict([row])["level"] == level
    (first, _) = verdict_tradeoff.table(rows)
    assert first["PSNR, dB"] == "25.0\n24.0-26.0" and first["guessed"].startswith("11")
