import pytest

from jaxprivacy.evaluation import null_checks
from jaxprivacy.report import verdict as verdict_lib
from tests.report.made_up import (
    IMAGES,
    NULLS,
    interval,
    member_row,
    privacy,
    result,
)


def level(content):
    return verdict_lib.verdict(content)["level"]


def verdict(content):
    return verdict_lib.verdict(content)["sentences"]


def said(members=(), images=(), nulls=NULLS):
    return " ".join(verdict(result(members, images, nulls)))


def test_nothing_was_run():
    assert verdict(result()) == [
        "No membership inference attack was run.",
        "No reconstruction attack was run.",
    ]
    assert level(result()) == "cannot_tell"
    parts = verdict_lib.verdict(result())["parts"]
    assert parts == {"membership": None, "reconstruction": None}


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
    assert level(content) == word
    first = verdict(content)[0]
    assert first.startswith("Members can be told apart") and f"is {word}:" in first
    assert f"{auc[0]:.3f} [{auc[1]:.3f}, {auc[2]:.3f}]" in first
    assert "White-box (global, passive)" in first


@pytest.mark.parametrize("auc", [(0.6, 0.5, 0.7), (0.5, 0.4, 0.6)])
def test_nothing_found_says_what_could_have_been(auc):
    content = result([member_row(auc)], nulls=NULLS)
    assert level(content) == "none_found"
    first = verdict(content)[0]
    assert first.startswith("No sign was found that members can be told apart")
    least = null_checks.detectable_auc(50, 60, 0.95)
    assert f"whose true AUC is {least:.2f} or more" in first
    assert "noticed with a probability of at least 0.8" in first


def test_the_best_attack_is_the_highest_auc_that_is_shown():
    rows = [
        member_row((0.6, 0.55, 0.65), "loss_threshold"),
        member_row((0.8, 0.75, 0.85), "white_box"),
        member_row((0.9, 0.45, 0.99), "black_box"),  # Too few records to tell.
    ]
    assert (
        "White-box (global, passive), the best of 3 attacks, reaches an AUC of 0.800"
        in (said(rows))
    )
    rows[1] = member_row((0.7, 0.4, 0.85), "white_box")
    assert "Loss threshold (global, passive), the best of 3 attacks" in said(rows)


def test_the_best_of_many_is_judged_by_what_holds_for_all():
    row = member_row((0.62, 0.61, 0.63)) | {"auc_simultaneous": interval(0.62, 0.55, 1)}
    assert level(result([row, row], nulls=NULLS)) == "slight"
    row["auc_simultaneous"] = interval(0.62, 0.49, 1)
    content = result([row, row], nulls=NULLS)
    assert level(content) == "none_found"
    # What is shown is the interval that decides.
    shown = "0.620 [0.490, 1.000] (widened to hold for all attacks together)"
    assert shown in verdict(content)[0] and "0.610" not in verdict(content)[0]


def test_the_rate_is_printed_with_the_interval_that_decides():
    row = member_row((0.7, 0.6, 0.8), tprs={0.01: (0.07, 0.029, 0.139)})
    assert "7.0 % [2.9, 13.9], more than the 1 % of guessing" in said([row])
    (entry,) = row["tpr_at_fpr"]
    entry["simultaneous"] = {"low": 0.009, "high": 0.2}
    found = said([row])
    assert "7.0 % [0.9, 20.0], which is not shown to be more than the 1 %" in found
    assert "2.9" not in found
    entry["simultaneous"] = {"low": 0.02, "high": 0.2}
    assert "7.0 % [2.0, 20.0], more than the 1 % of guessing" in said([row])
    entry["simultaneous"] = {"low": 0.0, "high": 0.009}
    assert "less than the 1 % of guessing" in said([row])
    # Before those were kept, what was decided stands without what did not decide it.
    del entry["simultaneous"]
    entry["above_guessing"] = False
    assert "7.0 %, not shown to be more than the 1 % of guessing" in said([row])


def test_reversed_by_the_interval_that_decides():
    low = member_row((0.4, 0.35, 0.45)) | {"auc_simultaneous": interval(0.4, 0.3, 0.51)}
    assert "ranks" not in said([low])


@pytest.mark.parametrize(
    "gain, sentence",
    [
        ((0.1, 0.05, 0.15), "An attacker who holds the parameters learns more"),
        ((-0.1, -0.15, -0.05), "No attack that holds the parameters comes up to"),
        ((0.1, -0.05, 0.25), "It is not shown that an attacker who holds the"),
    ],
)
@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("old", [True, False])
def test_parameters_against_outputs(gain, sentence, seeds, old):
    rows = [
        member_row((0.8, 0.7, 0.9), attack) | ({"seed": seed} if seeds > 1 else {})
        for seed in range(seeds)
        for attack in ("black_box", "white_box")
    ]
    for row in rows[1::2]:
        over = {"against": "black_box", "auc": interval(*gain), "tpr_at_fpr": []}
        row |= {"auc_over_black_box": over["auc"]} if old else {"over_outputs": over}
    sentences = said(rows)
    assert "White-box (global, passive)" in sentences
    assert "minus that of Black-box under the same conditions is" in sentences
    assert sentence in sentences
    assert f"{gain[0]:.3f} [{gain[1]:.3f}, {gain[2]:.3f}]" in sentences
    assert "holds the parameters" not in said(rows[:1])


def test_gains_at_low_false_positive_rates_say_what_they_compare():
    row = member_row((0.8, 0.7, 0.9), "white_box", mode="isolating")
    row["over_outputs"] = {
        "against": "loss_threshold",
        "auc": interval(0.1, 0.05, 0.15),
        "tpr_at_fpr": [
            {"fpr": 0.1} | interval(0.2, 0.1, 0.3),
            {"fpr": 0.01} | interval(0.025, 0.01, 0.04),
            {"fpr": 0.001} | interval(0.01, -0.02, 0.03),
        ],
    }
    other = member_row((0.7, 0.6, 0.8), "loss_threshold", mode="isolating")
    found = said([row, other])
    assert (
        "At a false positive rate of 1 %, the share of the members that White-box "
        "(global, isolating) finds minus that of Loss threshold under the "
        "same conditions is 2.5 percentage points [1.0, 4.0], which is more." in found
    )
    assert "1.0 percentage points [-2.0, 3.0], so that no gain is" in found
    assert "rate of 10 %, the share" not in found


def test_a_gain_shown_anywhere_is_said():
    rows = [
        member_row((auc, auc - 0.05, 0.99), "white_box", mode=mode)
        | {"auc_over_black_box": interval(*gain)}
        for auc, mode, gain in (
            (0.98, "isolating", (0.005, -0.01, 0.02)),
            (0.7, "passive", (0.06, 0.04, 0.08)),
        )
    ]
    assert "the AUC of White-box (global, passive) minus that" in said(rows)


def test_several_seeds_are_judged_by_the_lowest():
    rows = [
        member_row((0.9, 0.85, 0.95))
        | {"seed": seed, "auc_simultaneous": interval(0.9, low, 0.97)}
        for seed, low in ((0, 0.81), (1, 0.7))
    ]
    assert level(result(rows, nulls=NULLS)) == "clear"


def test_what_differs_between_seeds_is_not_said_of_their_mean():
    rows = [
        member_row((0.9, 0.85, 0.95), mode="gradient_ascent")
        | {"seed": seed, "ascent_rate": rate}
        for seed, rate in ((0, 0.1), (1, 0.5))
    ]
    assert "White-box (global, gradient ascent) reaches" in said(rows)
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
        "At a false positive rate of 1 %, Black-box (global, passive) finds the most "
        "members, 3.0 % [2.0, 5.0], more than the 1 % of guessing." in said(rows)
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
    start = (
        "Whether members are exposed cannot be determined: the null check fails for "
    )
    assert first.startswith(start + "Black-box (global, passive)")
    assert "can be told apart" not in " ".join(verdict(content))
    assert verdict(content)[1].startswith("At face value")
    assert first.endswith("not to be trusted.")
    assert "holds" not in " ".join(verdict(content))
    assert level(content) == "cannot_tell"
    untrained = member_row((0.6, 0.55, 0.65)) | {"target": "untrained"}
    first = verdict(result(rows, nulls=(*NULLS, untrained)))[0]
    assert (
        "a model that was trained on nothing" in first
        and "differ by how they were sampled" in first
    )


def test_no_membership_is_said_last_and_once():
    sentences = verdict(result(images=IMAGES) | {"privacy": privacy()._asdict()})
    assert sentences[0].startswith("What a class looks like can be reconstructed")
    assert sentences[1].startswith("Class 3:")
    assert "epsilon" in sentences[2]
    assert sentences[3:] == ["No membership inference attack was run."]


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
    assert level(content) == "clear"  # By 0.62, not by the mean.
    first, low_fpr, *_ = verdict(content)
    assert "White-box (global, passive), the best of 2 attacks, reaches a mean" in first
    assert "AUC of 0.750 [0.620, 0.900] over 2 seeds" in first
    # Both have 40 % [30, 50], and so has their mean.
    assert "finds the most members on average, 40.0 % [30.0, 50.0]" in low_fpr
    rows[2]["tpr_at_fpr"][0] = {"fpr": 0.1, "value": 0.8, "low": 0.7, "high": 0.9}
    assert (
        "Black-box (global, passive) finds the most members on average, 60.0 % [30.0"
        in (said(rows))
    )
    rows[2]["tpr_at_fpr"][0] |= dict.fromkeys(("value", "low", "high"))
    rows[3]["tpr_at_fpr"][0] |= dict.fromkeys(("value", "low", "high"))
    assert "White-box (global, passive) finds the most members on average, 40.0 %" in (
        said(rows)
    )


def test_what_tells_rows_apart_is_named():
    rows = [
        member_row((value, 0.55, 0.95)) | {"layers": layers}
        for value, layers in ((0.6, "all"), (0.7, "last"))
    ]
    assert (
        "White-box (global, passive, outputs of last), the best of 2 attacks"
        in said(rows)
    )
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
    assert "finds the most base records" in reverse
