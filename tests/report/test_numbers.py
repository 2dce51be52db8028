import json

import pytest

from jaxprivacy.checks import InputError
from jaxprivacy.report import numbers as numbers_lib


def rate(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def row(seed=0, auc=0.8, attack="white_box", threshold=0.3, **more):
    return {
        "attack": attack,
        "seed": seed,
        "threshold": threshold,
        "trained": True,
        "auc": rate(auc, auc - 0.1, auc + 0.1),
        "accuracy": rate(0.7, 0.6, 0.8),
        "tpr_at_fpr": [
            {"fpr": 0.01} | rate(0.09, 0.08, 0.1),
            {"fpr": 0.001} | rate(None),
        ],
        **more,
    }


def numbers(*rows, schema=2, table=None, **result):
    """One table `t` of one result `a` with the rows `white` and `black`."""
    entries = {"white": {"attack": "white_box"}, "black": {"attack": "black_box"}}
    spec = {"tables": {"t": {"results": {"a": "a"}, "rows": entries, **(table or {})}}}
    return numbers_lib.Numbers(
        spec, {"a": {"schema": schema, "membership": list(rows), **result}}
    )


def told(address, field, *rows, **options):
    return numbers_lib.written(
        numbers_lib.find(numbers(*rows, **options), address), field
    )


def test_a_rate_of_one_seed_has_its_own_interval():
    assert told("t.a.white", "auc", row()) == "80.0 [70.0, 90.0]"
    assert told("t.a.white", "auc.value", row()) == "80.0"
    assert told("t.a.white", "auc:.2f", row()) == "0.80 [0.70, 0.90]"
    assert told("t.a.white", "tpr_0.01", row()) == "9.0 [8.0, 10.0]"
    assert told("t.a.white", "tpr_0.001", row()) == "-"


def test_several_seeds_are_a_mean_with_students_interval():
    rows = [row(seed, auc) for seed, auc in enumerate((0.6, 0.7, 0.8))]
    # t(0.975, 2) = 4.303; the standard error is 0.1 / sqrt(3).
    assert told("t.a.white", "auc", *rows) == "70.0 [45.2, 94.8]"


def test_an_old_tpr_interval_is_not_written():
    """It took its threshold for given. Over seeds it does not count."""
    assert told("t.a.white", "tpr_0.01", row(), schema=1) == "9.0"
    assert told("t.a.white", "tpr_0.01", row(trained=None)) == "9.0"
    assert told("t.a.white", "auc", row(), schema=1) == "80.0 [70.0, 90.0]"
    several = [row(seed) for seed in (0, 1)]
    assert told("t.a.white", "tpr_0.01", *several, schema=1) == "9.0"


@pytest.mark.parametrize(
    ("more", "is_trained"),
    [
        ({"threshold": 0.50009, "trained": None}, False),
        ({"threshold": 0.5002, "trained": None}, True),
        ({"threshold": 0.5, "attack": "loss_threshold", "trained": None}, True),
        ({"threshold": 0.5, "trained": True}, True),
        ({"threshold": 3.0, "trained": False}, False),
    ],
)
def test_which_attacks_were_trained(more, is_trained):
    assert numbers_lib.trained(row(**more)) == is_trained


def test_an_attack_that_did_not_train_has_no_number():
    idle = row(threshold=0.50001, trained=None)
    for field in ("auc", "auc.value", "accuracy", "tpr_0.01", "gain"):
        assert told("t.a.white", field, idle) == "not trained"
    rows = [row(seed=1), idle]
    assert told("t.a.white", "auc", *rows) == "not trained (1 of 2 seeds)"
    found = numbers_lib.find(numbers(*rows, row(attack="black_box")), "t.a")
    assert numbers_lib.idle(found, "membership") == "1 of 3"


def test_gains_are_over_outputs_and_in_old_results_over_the_black_box():
    gain = rate(0.02, -0.01, 0.05)
    at_one = [{"fpr": 0.01} | rate(-0.03, -0.04, -0.02)]
    new = row(over_outputs={"auc": gain, "tpr_at_fpr": at_one})
    assert told("t.a.white", "gain_tpr_0.01", new) == "-3.0 [-4.0, -2.0]"
    assert told("t.a.white", "gain_tpr_0.01", row()) == "-"
    assert told("t.a.white", "gain", new) == "+2.0 [-1.0, +5.0]"
    old = row(auc_over_black_box=gain)
    black = row(attack="black_box")
    assert told("t.a.white", "gain", old, black, schema=1) == "+2.0 [-1.0, +5.0]"
    idle = row(attack="black_box", threshold=0.5, trained=None)
    assert told("t.a.white", "gain", old, idle, schema=1) == "-"


def test_paths_into_lists_and_the_result_itself():
    courses = [{"attack": "gan", "frechet": [3.0, 2.0, 4.0], "hit": [rate(0.5)]}]
    table = {"list": "courses", "rows": {"gan": {"attack": "gan"}}}
    options = {"courses": courses, "table": table, "seconds": 7.6, "swept": {"a": 1}}
    assert told("t.a.gan", "frechet.min", **options) == "2"
    assert told("t.a.gan", "frechet.-1:.1f", **options) == "4.0"
    assert told("t.a.gan", "frechet.mean2:.1f", **options) == "3.0"
    assert told("t.a.gan", "hit.0.value:.0%", **options) == "50"
    assert told("t.a", "seconds:.0f", **options) == "8"


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("u.a.white", "no u; accepted are t"),
        ("t.b.white", "no b; accepted are a"),
        ("t.a.blue", "no blue; accepted are white, black"),
        ("t.a.black", "0 rows have"),
        ("t", "accepted are TABLE.RESULT"),
    ],
)
def test_an_address_that_stands_for_nothing_is_named(address, named):
    with pytest.raises(InputError, match=named):
        numbers_lib.find(numbers(row()), address)


def test_two_rows_of_one_seed_are_not_averaged():
    with pytest.raises(InputError, match="2 rows have .*; accepted is one a seed"):
        numbers_lib.find(numbers(row(), row()), "t.a.white")


def test_a_field_that_is_not_there_is_named():
    with pytest.raises(InputError, match="^acuracy: "):
        told("t.a.white", "acuracy", row())


def test_results_are_read_where_the_spec_says(tmp_path):
    (tmp_path / "numbers.toml").write_text(
        '[tables.t]\nresults = { a = { path = "{row}", rows = ["one"] } }\n'
        'rows = { one = {}, two = { of = ["b"] } }\n'
    )
    with pytest.raises(InputError, match="one/result.json: cannot be read"):
        numbers_lib.load(tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "result.json").write_text(json.dumps({"schema": 2}))
    assert numbers_lib.load(tmp_path).results == {"one": {"schema": 2}}
