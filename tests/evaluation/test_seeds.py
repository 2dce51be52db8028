import json

import numpy as np
import pytest

from jaxprivacy.evaluation import seeds

T_OF_2 = 4.302653 / np.sqrt(3)  # t(0.975, 2) over the root of 3 rows.


def row(value, seed, *, tpr=0.5, **condition):
    rate = {"value": value, "low": 0.0, "high": 1.0}
    return {
        "attack": "white_box",
        "setting": "standalone",
        "attacker": "",
        "mode": "passive",
        "threshold": value,  # Measured, so it keeps no rows apart.
        "auc": rate,
        "accuracy": rate | {"value": value / 2},
        "tpr_at_fpr": [{"fpr": 0.1} | rate | {"value": tpr}],
        "seed": seed,
    } | condition


def test_summarise_by_hand():
    rows = [row(0.6, 0), row(0.9, 0, layers="last"), row(0.7, 1), row(0.8, 2)]
    whole, last = seeds.summarise(rows)
    assert whole["seeds"] == [0, 1, 2] and last["seeds"] == [0]
    assert "layers" not in whole and last["layers"] == "last"
    assert whole["attack"] == "white_box" and "seed" not in whole
    # The standard deviation of 0.6, 0.7, 0.8 is 0.1.
    expected = {"value": 0.7, "low": 0.7 - 0.1 * T_OF_2, "high": 0.7 + 0.1 * T_OF_2}
    assert whole["auc"] == pytest.approx(expected | {"rows": 3})
    assert whole["accuracy"]["value"] == pytest.approx(0.35)
    assert whole["accuracy"]["high"] == pytest.approx(0.35 + 0.05 * T_OF_2)
    # One seed has no interval.
    assert last["auc"] == {"value": 0.9, "low": None, "high": None, "rows": 1}
    json.dumps([whole, last], allow_nan=False)


def test_intervals_are_cut_and_absent_rates_left_out():
    rows = [row(1.0, 0, tpr=None), row(0.9, 1, tpr=0.2), row(1.0, 2, tpr=0.4)]
    (mean,) = seeds.summarise(rows)
    assert mean["auc"]["high"] == 1.0 > mean["auc"]["low"] > 0
    (entry,) = mean["tpr_at_fpr"]
    # t(0.975, 1) times the standard error 0.1 is 1.27.
    assert entry == pytest.approx(
        {"fpr": 0.1, "value": 0.3, "low": 0.0, "high": 1.0, "rows": 2}
    )
    absent = seeds.summarise([row(0.5, s, tpr=None) for s in (0, 1)])[0]["tpr_at_fpr"]
    assert absent == [{"fpr": 0.1, "value": None, "low": None, "high": None, "rows": 0}]
    assert seeds.summarise([]) == []


@pytest.mark.parametrize("key", [k for k in seeds.CONDITIONS if k != "ascent_rate"])
def test_each_condition_keeps_rows_apart(key):
    value = [5, 10] if key == "observed_rounds" else "other"
    rows = [row(0.5, 0), row(0.6, 1), row(0.7, 0, **{key: value})]
    assert [len(group) for group in seeds.seed_groups(rows)] == [2, 1]


def test_a_rate_chosen_for_each_seed_does_not_keep_rows_apart():
    chosen = [row(0.5, 0, ascent_rate=0.1), row(0.6, 1, ascent_rate=0.5)]
    (mean,) = seeds.summarise(chosen)
    assert mean["seeds"] == [0, 1] and "ascent_rate" not in mean
    # One seed with both rates: then they were compared.
    compared = [*chosen, row(0.7, 0, ascent_rate=0.5)]
    groups = seeds.seed_groups(compared)
    assert [[r["seed"] for r in group] for group in groups] == [[0], [1, 0]]
    same = seeds.summarise([row(0.5, s, ascent_rate=0.1) for s in (0, 1)])
    assert same[0]["ascent_rate"] == 0.1


def test_means_of_what_is_gained():
    def gain(value, against):
        rate = {"value": value, "low": value - 0.1, "high": value + 0.1}
        rates = [{"fpr": 0.1} | rate]
        return {
            "over_outputs": {"against": against, "auc": rate, "tpr_at_fpr": rates},
            "trained": True,
        }

    rows = [row(0.8, s, **gain(v, "confidence")) for s, v in ((0, -0.1), (1, -0.3))]
    (mean,) = seeds.summarise(rows)
    assert mean["over_outputs"]["against"] == "confidence"
    assert mean["over_outputs"]["auc"]["value"] == pytest.approx(-0.2)
    # t(0.975, 1) times the standard error 0.1 is 1.27; a difference ends at -1.
    assert mean["over_outputs"]["auc"]["low"] == -1.0
    assert mean["over_outputs"]["tpr_at_fpr"][0]["value"] == pytest.approx(-0.2)
    assert mean["trained"] is True and "auc_over_black_box" not in mean
    other = row(0.8, 2, **gain(0.1, "black_box")) | {"trained": False}
    (mean,) = seeds.summarise([*rows, other])
    assert mean["over_outputs"]["against"] is None and mean["trained"] is False
    old = [row(0.8, s, auc_over_black_box={"value": 0.1 * s}) for s in (0, 1)]
    assert seeds.summarise(old)[0]["auc_over_black_box"]["value"] == 0.05


def test_victims_count_as_clusters():
    rows = [
        row(value, seed, victim=victim, ascent_rate=0.1 + victim)
        for seed, values in ((0, (0.6, 0.7, 0.8)), (1, (0.5, 0.5, 0.5)))
        for victim, value in enumerate(values)
    ]
    first, second = seeds.over_victims([*rows, row(0.9, 0)])
    assert (first["seed"], second["seed"]) == (0, 1)
    assert first["victims"] == [0, 1, 2] and "victim" not in first
    assert "seeds" not in first
    expected = {"value": 0.7, "low": 0.7 - 0.1 * T_OF_2, "high": 0.7 + 0.1 * T_OF_2}
    assert first["auc"] == pytest.approx(expected | {"rows": 3})
    assert second["auc"]["value"] == 0.5
    (mean,) = seeds.summarise([first, second])
    assert mean["auc"]["value"] == pytest.approx(0.6)
    assert seeds.over_victims([row(0.9, 0)]) == []
