"""The contract of result.json, checked on what a run wrote."""

import json
import math

ROWS = {"real", "untrained", "model_inversion", "gan_no_influence", "gan", "dcgan"}


def strict(text):
    """Reads standard JSON: NaN and Infinity are refused."""

    def refuse(constant):
        raise ValueError(f"{constant} is not standard JSON")

    return json.loads(text, parse_constant=refuse)


def check_interval(interval, least=0.0, most=1.0):
    low, value, high = (interval[name] for name in ("low", "value", "high"))
    assert least <= low <= value <= high <= most
    assert low < high


def check_membership(row):
    for name in ("attack", "setting", "attacker", "mode"):
        assert row[name] and isinstance(row[name], str)
    assert row["members"] > 0 and row["non_members"] > 0
    check_interval(row["auc"])
    check_interval(row["accuracy"])
    assert [rate["fpr"] for rate in row["tpr_at_fpr"]] == [0.1, 0.01, 0.001]
    for rate in row["tpr_at_fpr"]:
        if rate["fpr"] < 1 / row["non_members"]:
            assert rate["value"] is rate["low"] is rate["high"] is None
        else:
            check_interval(rate)


def check_reconstruction(row):
    assert row["attack"] in ROWS
    assert isinstance(row["target_class"], int)
    check_interval(row["hit_rate"])
    assert 0 <= row["confidence"] <= 1
    for name in ("frechet", "nearest_private", "nearest_public", "diversity"):
        assert row[name] is None or row[name] >= 0 and math.isfinite(row[name])


def check(text):
    """Checks the text of a result.json and returns what it holds."""
    result = strict(text)
    assert result["schema"] == 1
    assert result["command"].startswith("python -m launch.")
    assert isinstance(result["seed"], int)
    assert {"jaxprivacy", "jax", "numpy"} <= set(result["versions"])
    assert result["seconds"] > 0
    assert set(result["target"]) == {"train_accuracy", "test_accuracy"}
    assert all(0 <= value <= 1 for value in result["target"].values())
    for row in [*result["membership"], *result["null_checks"]]:
        check_membership(row)
    for row in result["reconstruction"]:
        check_reconstruction(row)
    return result
