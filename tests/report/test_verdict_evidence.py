"""What could not have been found is not called absent."""

import pytest

from jaxprivacy.report import verdict_evidence
from jaxprivacy.report.verdict import verdict
from tests.report.made_up import NULLS, interval, member_row, result

NOTHING = member_row((0.5, 0.42, 0.58))
FOUND = member_row((0.9, 0.85, 0.95))


def judged(*rows, nulls=NULLS, **target):
    content = result(rows, nulls=nulls)
    content["evidence"] = [target]
    found = verdict(content)
    return found["level"], " ".join(found["sentences"])


def test_a_model_as_good_as_its_largest_class_learned_nothing():
    learned_nothing = verdict_evidence.learned_nothing
    assert learned_nothing(0.22, 300, 0.25)
    # 87 of 300 may be 23.9 %, 100 of 300 are at least 28.0 %.
    assert learned_nothing(87 / 300, 300, 0.25)
    assert not learned_nothing(100 / 300, 300, 0.25)
    # Of few records nothing is shown, and most of one class are soon right.
    assert learned_nothing(2 / 4, 4, 0.25)
    assert learned_nothing(0.9, 1000, 0.9) and not learned_nothing(0.95, 1000, 0.9)


BLIND = [
    (
        {"train_accuracy": 0.22, "train_records": 300, "largest_class": 0.26},
        "not shown to have learned anything: it is right on 22.0 % of its 300",
    ),
    (
        {"copies": 60, "attacked_non_members": 60},
        "60 of the 60 attacked non-members are exact copies of records",
    ),
    ({"constant_inputs": True}, "all attacked records are equal"),
    ({"constant_outputs": True}, "gives every attacked record the same output"),
]


@pytest.mark.parametrize(("loss", "learned"), [(1.9, True), (2.0, False), (3.0, False)])
def test_a_loss_as_high_as_that_of_one_answer_for_all_says_nothing(loss, learned):
    target = {"train_loss": loss, "constant_loss": 2.0, "train_records": 50}
    said = verdict_evidence.untaught(target | {"measured_on": "attacked members"})
    assert (said == "") == learned
    assert learned or "mean loss on 50 attacked members" in said


@pytest.mark.parametrize("facts, reason", BLIND)
def test_where_nothing_could_be_seen_it_cannot_be_told(facts, reason):
    level, said = judged(NOTHING, **facts)
    assert level == "cannot_tell" and reason in said
    assert said.startswith("Whether members are exposed cannot be determined: ")
    # And what could have been found is said all the same.
    assert "would have been found with a probability" in said
    assert "No sign was found" not in said


@pytest.mark.parametrize("facts, reason", BLIND)
def test_what_was_found_is_found_where_there_are_two_kinds(facts, reason):
    level, said = judged(FOUND, **facts)
    if {"copies", "constant_inputs"} & set(facts):  # There is but one kind of record.
        assert level == "cannot_tell" and "At face value" in said
        assert "Nothing was found" not in said
    else:
        assert level == "severe" and reason not in said


def test_facts_that_leave_something_to_find_leave_the_level():
    level, _ = judged(
        NOTHING,
        train_accuracy=0.9,
        train_records=300,
        largest_class=0.26,
        copies=6,
        attacked_non_members=60,
        constant_inputs=False,
        constant_outputs=False,
    )
    assert level == "none_found"


def test_copies_count_as_far_as_they_hide_what_could_be_found():
    least = verdict_evidence.detectable([NOTHING])
    hiding = round(2 * (1 - least) * 60)
    assert judged(NOTHING, copies=hiding + 1, attacked_non_members=60)[0] == (
        "cannot_tell"
    )
    assert judged(NOTHING, copies=hiding - 1, attacked_non_members=60)[0] == (
        "none_found"
    )


def test_of_several_models_all_must_be_blind():
    content = result([NOTHING], nulls=NULLS)
    content["evidence"] = [{"constant_inputs": True}, {}]
    found = verdict(content)
    assert found["level"] == "none_found"
    assert "For 1 of the 2 models" in " ".join(found["sentences"])
    content["evidence"] = [{"constant_inputs": True}] * 2
    assert verdict(content)["level"] == "cannot_tell"


def test_too_few_records_have_no_power():
    few = NOTHING | {"members": 6, "non_members": 6}
    level, said = judged(few)
    assert level == "cannot_tell" and "so few records were attacked" in said
    assert judged(few | {"auc": interval(0.9, 0.7, 0.97)})[0] == "clear"


def test_without_null_checks_or_with_none_that_could_see():
    assert judged(NOTHING, nulls=())[0] == "cannot_tell"
    null = NULLS[0]
    assert judged(NOTHING, nulls=[null | {"detectable_auc": 0.7}])[0] == "none_found"
    for least in (0.95, None):
        level, said = judged(NOTHING, nulls=[null | {"detectable_auc": least}])
        assert level == "cannot_tell" and "the null checks would have found" in said
    untrained = null | {"trained": False}
    level, said = judged(NOTHING, nulls=[untrained])
    assert level == "cannot_tell" and "no null check could be counted" in said


def test_a_positive_control_must_be_found():
    planted = NULLS[0] | {"control": "planted"}
    missed = planted | {"auc": interval(0.55, 0.45, 0.65)}
    level, said = judged(NOTHING, nulls=[*NULLS, missed])
    assert level == "cannot_tell" and "a positive control" in said
    found = planted | {"auc": interval(0.8, 0.7, 0.9)}
    level, said = judged(NOTHING, nulls=[*NULLS, found])
    content = result([NOTHING], nulls=NULLS)
    content["positive_controls"] = [found | {"found": False}]
    assert verdict(content)["level"] == "cannot_tell"
    # It is no null check, and so does not fail as one.
    assert level == "none_found" and "fails" not in said
    assert "Of 1 positive control, in which a leak was planted to be found, 1 was" in (
        said
    )


def test_attacks_that_did_not_train_count_in_nothing():
    constant = member_row((0.99, 0.98, 1.0)) | {"trained": False}
    constant["over_outputs"] = {
        "against": "black_box",
        "auc": interval(0.4, 0.3, 0.5),
        "tpr_at_fpr": [],
    }
    rule = member_row((0.5, 0.42, 0.58), "loss_threshold") | {"trained": None}
    level, said = judged(constant, rule)
    assert level == "cannot_tell"
    assert "none of the attacks that need training did train" in said
    assert "1 of 2 attack runs did not train" in said
    assert "Loss threshold (global, passive) reaches" in said  # The best of one.
    assert "0.990" not in said and "holds the parameters" not in said
    # One that did train could have found something.
    trained = member_row((0.5, 0.42, 0.58), "black_box") | {"trained": True}
    assert judged(constant, rule, trained)[0] == "none_found"
    assert judged(constant, rule | {"auc": interval(0.9, 0.85, 0.95)})[0] == "severe"
    assert judged(constant)[0] == "cannot_tell"


def test_an_untrained_attacks_null_check_neither_holds_nor_fails():
    failing = NULLS[0] | {"auc": interval(0.6, 0.55, 0.65), "trained": False}
    level, said = judged(NOTHING, nulls=[*NULLS, failing])
    assert level == "none_found" and "fails" not in said
    assert "the AUC interval covers" in said


def test_ranked_the_other_way_round_is_not_nothing():
    level, said = judged(member_row((0.2, 0.1, 0.3), "loss_threshold"))
    assert level == "cannot_tell" and "ranks non-members above members" in said


def test_seeds_whose_attack_did_not_train_are_left_out():
    rows = [
        member_row(auc) | {"seed": seed, "trained": trained}
        for seed, auc, trained in (
            (0, (0.9, 0.85, 0.95), True),
            (1, (0.9, 0.85, 0.95), True),
            (2, (0.5, 0.4, 0.6), False),
        )
    ]
    level, said = judged(*rows)
    assert level == "severe" and "over 2 seeds" in said


def test_what_could_have_been_found_is_in_words():
    assert "AUC is 0.63 or more" in verdict_evidence.could_have_found(0.631)
    assert "no leak would have been found" in verdict_evidence.could_have_found(None)
