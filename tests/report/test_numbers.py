import json

import pytest

from jaxprivacy.errors import InputError
from jaxprivacy.report import measures, numbers as numbers_lib


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
    assert measures.trained(row(**more)) == is_trained


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


def samples(attack, hit, frechet, seed=0, target=3, **more):
    low = {"hit_rate": rate(hit, hit - 0.05, hit + 0.05), "frechet": frechet}
    return {"attack": attack, "seed": seed, "target_class": target} | low | more


def scenarios(*rows, schema=2, **result):
    """One scenario `s` of a table `t`, with the rows that are there."""
    names = ("real", "other_class", "untrained", "model_inversion", "gan", "dcgan")
    table = {
        "list": "reconstruction",
        "scenarios": True,
        "rows": {name: {"attack": name} for name in names},
        "results": {"s": {"path": "s"}},
    }
    result = {"schema": schema, "reconstruction": list(rows)} | result
    return numbers_lib.Numbers({"tables": {"t": table}}, {"s": result})


def of_scenario(row, field, *rows, **options):
    found = numbers_lib.find(scenarios(*rows, **options), f"t.s.{row}")
    return numbers_lib.written(found, field)


def test_classes_are_averaged_within_a_seed_before_the_seeds():
    """Means by seed 0.3, 0.4, 0.5; pooled, six rows would claim half the width."""
    rows = [
        samples("gan", mean + apart, 10 * mean, seed, target)
        for seed, mean in enumerate((0.3, 0.4, 0.5))
        for target, apart in ((3, -0.1), (8, 0.1))
    ]
    # t(0.975, 2) = 4.303; the standard error is 0.1 / sqrt(3).
    assert of_scenario("gan", "hit_rate", *rows) == "40.0 [15.2, 64.8]"
    # A distance has no largest value, and its interval none below 0.
    assert of_scenario("gan", "frechet:.2f", *rows) == "4.00 [1.52, 6.48]"
    wide = [samples("gan", 0.5, f, seed) for seed, f in enumerate((1.0, 5.0))]
    # t(0.975, 1) = 12.706 times 2.
    assert of_scenario("gan", "frechet:.2f", *wide) == "3.00 [0.00, 28.41]"
    assert of_scenario("gan", "frechet:.2f", samples("gan", 0.5, None)) == "-"


def test_a_single_seed_shows_the_interval_over_its_samples():
    one = samples("gan", 0.5, 4.0)
    assert of_scenario("gan", "hit_rate", one) == "50.0 [45.0, 55.0]"
    assert of_scenario("gan", "frechet:.2f", one) == "4.00"


def test_the_accuracy_of_the_shared_model_that_an_attack_saw():
    def run(row, seed, accuracy, **more):
        told = {"row": row, "seed": seed, "target_class": 3}
        return told | {"class_accuracy": accuracy, "test_accuracy": 0.1} | more

    rows = [samples("gan", 0.9, 4.0, seed) for seed in (0, 1, 2)]
    rows += [samples(name, 0.9, 4.0) for name in ("dcgan", "model_inversion")]
    runs = [run("gan", seed, 0.7 + 0.1 * seed) for seed in (0, 1, 2)]
    runs.append(run("gan_no_influence", 0, 0.95))
    told = {"runs": runs, "judge_accuracy": 0.97}
    # Not above 1: 0.8 and its 0.248 to either side.
    assert of_scenario("gan", "shared_accuracy", *rows, **told) == "80.0 [55.2, 100.0]"
    assert of_scenario("dcgan", "shared_accuracy", *rows, **told) == "-"
    inverted = of_scenario("model_inversion", "shared_accuracy", *rows, **told)
    assert inverted == "95.0"
    # Results from before runs were kept have it in their courses, without a class.
    old = [{"attack": "gan", "accuracy": [0.2, 0.6]}]
    found = of_scenario("gan", "shared_accuracy", rows[0], schema=1, courses=old)
    assert found == "60.0"


def test_swept_settings_tell_runs_apart():
    swept = [
        samples("gan", 0.9, 4.0, swept={"epsilon": value}) for value in (1.0, None)
    ]
    runs = [
        {"row": "gan", "epsilon": value, "class_accuracy": accuracy}
        for value, accuracy in ((1.0, 0.3), (None, 0.9))
    ]
    numbers = scenarios(*swept, runs=runs)
    rows = numbers.spec["tables"]["t"]["rows"]
    rows["none"] = {"attack": "gan", "swept.epsilon": "null"}
    rows["one"] = {"attack": "gan", "swept.epsilon": 1.0}

    def found(row):
        at = numbers_lib.find(numbers, f"t.s.{row}")
        return numbers_lib.written(at, "shared_accuracy")

    assert (found("one"), found("none")) == ("30.0", "90.0")


def test_in_how_many_runs_an_attack_works():
    rows = [
        row
        for seed in (0, 1, 2)
        for row in (
            samples("untrained", 0.1, 50.0, seed),
            samples("other_class", 0.2, 10.0, seed),
            samples("real", 0.95, 1.0, seed),
            samples("gan", 0.9, (4.0, 4.0, 20.0)[seed], seed),
            samples("dcgan", 0.9, 2.0, seed),
        )
    ]
    assert of_scenario("gan", "works", *rows) == "2 of 3"
    assert of_scenario("dcgan", "works", *rows) == "3 of 3"
    for name in ("real", "untrained", "other_class"):
        assert of_scenario(name, "works", *rows) == "-"
    # Without an untrained generator nothing can be said.
    assert of_scenario("gan", "works", *rows[3:4]) == "-"


def test_a_scenario_shows_the_rows_that_its_result_holds():
    numbers = scenarios(samples("gan", 0.9, 4.0), samples("real", 0.9, 4.0))
    assert numbers_lib.shown_rows(numbers, "t", "s") == ["real", "gan"]
    # What it names has to be there.
    numbers.spec["tables"]["t"]["results"]["s"]["rows"] = ["untrained", "gan"]
    assert numbers_lib.shown_rows(numbers, "t", "s") == ["untrained", "gan"]
    with pytest.raises(InputError, match="0 rows have"):
        numbers_lib.find(numbers, "t.s.untrained")


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
