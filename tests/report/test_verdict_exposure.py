"""What is said to readers of their risk, and of whom nothing is said."""

from jaxprivacy.report import verdict_exposure
from tests.report import made_up

FOUND = {
    "attack": "lira_online",
    "fpr": 0.01,
    "targets": 2,
    "members": 30,
    "always_found": 7,
    "records": [
        {"record": 40 + i, "label": i, "member_of": 2, "found_in": 2, "score": 9.0 - i}
        for i in range(12)
    ],
    "classes": [
        {"label": 3, "members": 20, "tpr": made_up.interval(0.8, 0.6, 1.0)},
        {"label": 1, "members": 10, "tpr": made_up.interval(0.1, None, None)},
    ],
}


def result(rate, low, high):
    row = made_up.member_row(
        (0.9, 0.85, 0.95), "lira_online", tprs={0.01: (rate, low, high)}
    )
    return made_up.result(members=[row]) | {"exposure": FOUND}


def test_two_sentences_for_everyone():
    """At 50 % found and 1 % wrong, Bayes' rule gives 98, 85 and 34 %."""
    first, second = verdict_exposure.meaning(result(0.5, 0.4, 0.6))
    assert (
        "LiRA, online names 50, and of 100 whose records were not it names 1" in first
    )
    assert "98 % were trained on if half" in second
    assert "85 % if one in ten" in second and "34 % if one in a hundred" in second


def test_where_no_more_is_shown_than_guessing_nobody_is_named():
    guessed = result(0.02, 0.0, 0.05)
    (only,) = verdict_exposure.meaning(guessed)
    assert "says nothing about a person" in only
    assert verdict_exposure.records(guessed) == []
    assert verdict_exposure.classes(guessed) == []


def test_where_a_null_check_fails_nothing_is_said():
    failed = made_up.member_row((0.7, 0.65, 0.75)) | {"detectable_auc": 0.6}
    doubtful = result(0.5, 0.4, 0.6) | {"null_checks": [failed]}
    assert verdict_exposure.meaning(doubtful) == []
    assert verdict_exposure.records(doubtful) == []


def test_without_a_rate_nothing_is_said():
    assert verdict_exposure.meaning(made_up.result()) == []
    unresolved = result(None, None, None)
    assert verdict_exposure.meaning(unresolved) == []


def test_records_and_classes_as_readers_see_them():
    shown = result(0.5, 0.4, 0.6)
    records = verdict_exposure.records(shown)
    assert len(records) == verdict_exposure.MOST_RECORDS
    assert records[0] == {
        "record": "40",
        "class": "0",
        "found in": "2 of 2",
        "score": "9.00",
    }
    first, second = verdict_exposure.classes(shown)
    assert first["TPR % at 1 %"] == "80.0\n60.0-100"
    assert second["TPR % at 1 %"] == "10.0"
    told = verdict_exposure.told(shown)
    assert told.startswith("7 of 30 members are found in every one of the 2 targets")
    old = made_up.result(members=shown["membership"])  # from before it was told
    assert verdict_exposure.records(old) == []


def test_the_smallest_rates_that_any_row_tells_are_shown():
    tprs = {0.1: (0.4, 0.3, 0.5), 0.01: (0.2, 0.1, 0.3), 0.001: (None, None, None)}
    row = made_up.member_row((0.9, 0.8, 0.95), tprs=tprs)
    assert verdict_exposure.shown_fprs([row]) == [0.1, 0.01]
    finer = made_up.member_row((0.9, 0.8, 0.95), tprs=tprs | {0.001: (0.1, 0.0, 0.2)})
    assert verdict_exposure.shown_fprs([row, finer]) == [0.01, 0.001]
