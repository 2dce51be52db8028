import pytest

from jaxprivacy.report.verdict import strength, verdict
from tests.report.made_up import (
    IMAGES,
    NULLS,
    interval,
    member_row,
    privacy,
    result,
)


def said(members=(), images=(), nulls=NULLS):
    return " ".join(verdict(result(members, images, nulls)))


def test_nothing_was_run():
    assert verdict(result()) == [
        "No membership inference attack was run.",
        "No reconstruction attack was run.",
    ]
    assert strength(result()) == ""


@pytest.mark.parametrize(
    "auc, word",
    [
        ((0.9, 0.81, 0.95), "severe"),
        ((0.9, 0.8, 0.95), "clear"),
        ((0.7, 0.61, 0.8), "clear"),
        ((0.7, 0.6, 0.8), "slight"),
        ((0.55, 0.51, 0.6), "slight"),
    ],
)
def test_strength_goes_by_the_lower_end(auc, word):
    content = result([member_row(auc)], nulls=NULLS)
    assert strength(content) == word
    first = verdict(content)[0]
    assert first.startswith("Members can be told apart") and f"is {word}:" in first
    assert f"{auc[0]:.3f} [{auc[1]:.3f}, {auc[2]:.3f}]" in first
    assert "White-box (global, passive)" in first


@pytest.mark.parametrize("auc", [(0.6, 0.5, 0.7), (0.5, 0.4, 0.6)])
def test_no_evidence(auc):
    content = result([member_row(auc)], nulls=NULLS)
    assert strength(content) == "no evidence"
    assert verdict(content)[0].startswith("No evidence at this sample size")


def test_the_best_attack_is_the_highest_auc_that_is_shown():
    rows = [
        member_row((0.6, 0.55, 0.65), "loss_threshold"),
        member_row((0.8, 0.75, 0.85), "white_box"),
        member_row((0.9, 0.45, 0.99), "black_box"),  # Too few records to tell.
    ]
    assert "White-box (global, passive), the best of 3, reaches an AUC of 0.800" in (
        said(rows)
    )
    rows[1] = member_row((0.7, 0.4, 0.85), "white_box")
    assert "Loss threshold (global, passive), the best of 3" in said(rows)


def test_the_best_of_many_is_judged_by_what_holds_for_all():
    row = member_row((0.62, 0.61, 0.63)) | {"auc_simultaneous": interval(0.62, 0.55, 1)}
    assert strength(result([row, row], nulls=NULLS)) == "slight"
    row["auc_simultaneous"] = interval(0.62, 0.49, 1)
    content = result([row, row], nulls=NULLS)
    assert strength(content) == "no evidence"
    # What is shown is the interval of the attack alone.
    assert "0.620 [0.610, 0.630]" in verdict(content)[0]
    assert verdict(content)[0].endswith("once widened for all 2 attacks.")
    row["tpr_at_fpr"][0]["above_guessing"] = False
    assert "not shown to be more than the 10 % of guessing" in said([row, row])
    low = member_row((0.4, 0.35, 0.45)) | {"auc_simultaneous": interval(0.4, 0.3, 0.51)}
    assert "ranks" not in said([low])


@pytest.mark.parametrize(
    "gain, sentence",
    [
        ((0.1, 0.05, 0.15), "learns more than who sees the outputs: on the same"),
        ((-0.1, -0.15, -0.05), "white-box attack falls short of the black-box attack"),
        ((0.1, -0.05, 0.25), "learns more than who sees the outputs is not shown"),
    ],
)
@pytest.mark.parametrize("seeds", [1, 2])
def test_white_box_against_black_box(gain, sentence, seeds):
    rows = [
        member_row((0.8, 0.7, 0.9), attack) | ({"seed": seed} if seeds > 1 else {})
        for seed in range(seeds)
        for attack in ("black_box", "white_box")
    ]
    for row in rows[1::2]:
        row["auc_over_black_box"] = interval(*gain)
    sentences = said(rows)
    assert sentence in sentences
    assert f"{gain[0]:.3f} [{gain[1]:.3f}, {gain[2]:.3f}]" in sentences
    assert "black-box attack" not in said(rows[:1])


def test_a_gain_shown_anywhere_is_said():
    rows = [
        member_row((auc, auc - 0.05, 0.99), "white_box", mode=mode)
        | {"auc_over_black_box": interval(*gain)}
        for auc, mode, gain in (
            (0.98, "isolating", (0.005, -0.01, 0.02)),
            (0.7, "passive", (0.06, 0.04, 0.08)),
        )
    ]
    assert "AUC of White-box (global, passive) is higher" in said(rows)


def test_several_seeds_are_judged_by_the_lowest():
    rows = [
        member_row((0.9, 0.85, 0.95))
        | {"seed": seed, "auc_simultaneous": interval(0.9, low, 0.97)}
        for seed, low in ((0, 0.81), (1, 0.7))
    ]
    assert strength(result(rows, nulls=NULLS)) == "clear"


def test_what_differs_between_seeds_is_not_said_of_their_mean():
    rows = [
        member_row((0.9, 0.85, 0.95), mode="gradient_ascent")
        | {"seed": seed, "ascent_rate": rate}
        for seed, rate in ((0, 0.1), (1, 0.5))
    ]
    assert "(global, gradient ascent), the best of 1" in said(rows)
    two = [rows[0] | {"ascent_rate": rate} for rate in (0.1, 2.0)]
    assert "rate 0.1)" in said(two)


def test_reversed_attack_is_named():
    rows = [member_row((0.2, 0.1, 0.3), "loss_threshold")]
    assert "Loss threshold (global, passive) ranks non-members above" in said(rows)
    assert "ranks non-members above" not in said([member_row((0.5, 0.4, 0.6))])


def test_largest_tpr_at_the_lowest_fpr_that_any_attack_resolves():
    rates = [
        {0.1: (0.5, 0.4, 0.6), 0.01: (0.03, 0.02, 0.05), 0.001: (None,) * 3},
        {0.1: (0.9, 0.8, 0.95), 0.01: (0.02, 0.004, 0.05), 0.001: (None,) * 3},
    ]
    rows = [
        member_row((0.7, 0.6, 0.8), name, tprs=tprs)
        for name, tprs in zip(("black_box", "white_box"), rates, strict=True)
    ]
    assert (
        "At a false positive rate of 1 %, Black-box (global, passive) finds 3.0 % "
        "[2.0, 5.0] of the members, more than the 1 % of guessing." in said(rows)
    )
    assert "not shown to be more than the 1 %" in said(rows[1:])
    unresolved = member_row((0.7, 0.6, 0.8), tprs={0.1: (None,) * 3})
    assert "false positive rate" not in said([unresolved])


def test_null_checks():
    rows = [member_row((0.9, 0.85, 0.95))]
    assert "the AUC interval covers 0.5" in said(rows)
    assert "all 2 AUC intervals cover 0.5" in said(rows, nulls=NULLS * 2)
    assert "No null check was run" in said(rows, nulls=())
    failed = (*NULLS, member_row((0.6, 0.55, 0.65), "black_box"))
    content = result(rows, nulls=failed)
    first = verdict(content)[0]
    assert first.startswith("The null check fails for Black-box (global, passive)")
    assert first.endswith("not to be trusted.")
    assert "holds" not in " ".join(verdict(content))
    assert strength(content) == "not to be trusted"
    untrained = member_row((0.6, 0.55, 0.65)) | {"target": "untrained"}
    first = verdict(result(rows, nulls=(*NULLS, untrained)))[0]
    assert "untrained model" in first and "differ by how they were sampled" in first


@pytest.mark.parametrize("total", [6.34e7, 10.5])
def test_privacy_that_guarantees_nothing(total):
    content = result() | {"privacy": privacy(total)._asdict()}
    (said_of_it,) = (line for line in verdict(content) if "epsilon" in line)
    shown = "6.34e7" if total > 1e6 else "10.5"
    assert said_of_it == (
        "The uploads are differentially private with an epsilon of 10 per parameter, "
        f"which is 1.06e6 per epoch and participant and {shown} in total; a total "
        "above 10 is no meaningful guarantee."
    )


def test_privacy_that_means_something_and_none():
    kept = " ".join(verdict(result() | {"privacy": privacy(10.0)._asdict()}))
    assert "10 in total." in kept and "guarantee" not in kept
    for absent in ({}, {"privacy": None}):
        assert "epsilon" not in " ".join(verdict(result() | absent))


def test_no_membership_is_said_last_and_once():
    sentences = verdict(result(images=IMAGES) | {"privacy": privacy()._asdict()})
    assert sentences[0].startswith("Class 3:")
    assert "epsilon" in sentences[1]
    assert sentences[2:] == ["No membership inference attack was run."]


def test_rows_of_several_seeds_are_judged_by_all_of_them():
    rows = [
        member_row(auc, attack) | {"seed": seed}
        for attack, seed, auc in (
            ("white_box", 0, (0.7, 0.62, 0.8)),
            ("white_box", 1, (0.8, 0.71, 0.9)),
            ("black_box", 0, (0.9, 0.85, 0.95)),
            ("black_box", 1, (0.5, 0.4, 0.6)),
        )
    ]
    content = result(rows, nulls=NULLS)
    assert strength(content) == "clear"  # By 0.62, not by the mean.
    first, low_fpr, *_ = verdict(content)
    assert "White-box (global, passive), the best of 2, reaches a mean AUC of " in first
    assert "0.750 [0.620, 0.900] over 2 seeds" in first
    # Both have 40 % [30, 50], and so has their mean.
    assert "40.0 % [30.0, 50.0] of the members on average" in low_fpr
    rows[2]["tpr_at_fpr"][0] = {"fpr": 0.1, "value": 0.8, "low": 0.7, "high": 0.9}
    assert "Black-box (global, passive) finds 60.0 % [30.0, 90.0]" in said(rows)
    rows[2]["tpr_at_fpr"][0] |= dict.fromkeys(("value", "low", "high"))
    rows[3]["tpr_at_fpr"][0] |= dict.fromkeys(("value", "low", "high"))
    assert "White-box (global, passive) finds 40.0 %" in said(rows)


def test_what_tells_rows_apart_is_named():
    rows = [
        member_row((value, 0.55, 0.95)) | {"layers": layers}
        for value, layers in ((0.6, "all"), (0.7, "last"))
    ]
    assert "White-box (global, passive, outputs of last), the best of 2" in said(rows)
    failed = [row | {"auc": row["auc"] | {"low": 0.56}} for row in rows]
    found = said(rows, nulls=failed)
    assert "fails for White-box (global, passive, all outputs)" in found


@pytest.mark.parametrize(
    "pair, kinds",
    [
        ("base / fine-tuning", "Base records can be told apart from fine-tuning"),
        ("base / non-members", "Base records can be told apart from non-members"),
        (None, "Members can be told apart from non-members"),
        ("odd", "Members can be told apart from non-members"),
    ],
)
def test_the_kinds_of_a_pair_are_named(pair, kinds):
    found = said([member_row((0.7, 0.65, 0.75)) | {"pair": pair}])
    assert found.startswith(kinds)
    reverse = said([member_row((0.2, 0.1, 0.3)) | {"pair": "base / fine-tuning"}])
    assert "ranks fine-tuning records above base records" in reverse
    assert "of the base records, more than" in reverse
