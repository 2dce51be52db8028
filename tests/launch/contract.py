"""The contract of result.json, checked on what a run wrote."""

import dataclasses
import json
import math
import platform
import re

from jaxprivacy.report.verdict import LEVELS, verdict
from jaxprivacy.studies.inversion_settings import InversionSettings
from jaxprivacy.studies.privacy_settings import PrivacySettings
from jaxprivacy.studies.settings import GanSettings, Settings
from jaxprivacy.studies.tradeoff_settings import TradeoffSettings
from jaxprivacy.studies.whitebox_settings import WhiteboxSettings

SETTINGS = {
    "launch.audit": Settings,
    "launch.audit_privacy": PrivacySettings,
    "launch.gradient_inversion": InversionSettings,
    "launch.tradeoff": TradeoffSettings,
    "launch.whitebox": WhiteboxSettings,
}

ROWS = {
    "real",
    "other_class",
    "untrained",
    "model_inversion",
    "model_inversion_mlp",
    "gan_no_influence",
    "gan",
    "gan_improved",
    "dcgan",
}


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


def check_three_way(row):
    kinds, confusion = row["kinds"], row["confusion"]
    assert len(set(kinds)) == len(kinds) == len(confusion)
    assert all(len(counts) == len(kinds) for counts in confusion)
    check_interval(row["accuracy"])
    right = sum(confusion[i][i] for i in range(len(kinds)))
    assert math.isclose(row["accuracy"]["value"], right / sum(map(sum, confusion)))


def check_reconstruction(row):
    assert row["attack"] in ROWS
    assert isinstance(row["target_class"], int)
    check_interval(row["hit_rate"])
    assert 0 <= row["confidence"] <= 1
    for name in ("frechet", "nearest_private", "nearest_public", "diversity"):
        assert row[name] is None or row[name] >= 0 and math.isfinite(row[name])


def check_privacy(spent):
    """What uploads spend adds up."""
    per_upload = spent["epsilon_per_parameter"] * spent["uploaded"]
    assert 1 <= spent["uploaded"] <= spent["parameters"]
    assert math.isclose(spent["epsilon_per_upload"], per_upload)
    assert spent["uploads"] >= 1
    assert math.isclose(spent["epsilon_total"], per_upload * spent["uploads"])


def check_course(row):
    """Something is told of each round of a collaborative run."""
    assert row["attack"] in ROWS
    rounds = row["rounds"]
    assert rounds == list(range(1, len(rounds) + 1))
    for name in ("accuracy", "hit_rate", "frechet"):
        assert len(row[name]) == len(rounds), name
    assert all(0 <= accuracy <= 1 for accuracy in row["accuracy"])
    for rate in row["hit_rate"]:
        check_interval(rate)
    assert all(f is None or f >= 0 and math.isfinite(f) for f in row["frechet"])
    assert 1 <= row["start_round"] <= len(rounds)


def check_verdict(result):
    """It is the one that its numbers give, and its facts are there."""
    said = result["verdict"]
    assert said["level"] in LEVELS and all(said["sentences"])
    assert said == verdict(result)
    for target in result.get("evidence", []):
        assert 0 < target["largest_class"] <= 1 <= target["train_records"]
        if result["membership"]:
            assert 0 <= target["copies"] <= target["attacked_non_members"]
            assert target["constant_inputs"] in (True, False)
            assert target["constant_outputs"] in (True, False)


def check_origin(result):
    """The settings are told in full, and where the numbers come from."""
    script = result["command"].split()[2]
    kind = SETTINGS.get(script, GanSettings)  # Of a sweep's test, "launch.-c".
    assert set(result["settings"]) == {field.name for field in dataclasses.fields(kind)}
    assert result["settings"]["seed"] == result["seed"]
    assert result["in_effect"]["model"]
    data = result["data"]
    assert data["name"] == result["settings"]["data"]
    assert re.fullmatch("[0-9a-f]{64}", data["fingerprint"])
    assert data["records"] >= data["classes"] > 1 and data["shape"]
    commit = result["commit"]
    assert commit is None or re.fullmatch(r"[0-9a-f]{40,64}(\+changes)?", commit)
    machine = result["machine"]
    assert machine["cores"] > 0 and machine["backend"] == "cpu"
    assert platform.node() not in machine.values()


def check(text):
    """Checks the text of a result.json and returns what it holds."""
    result = strict(text)
    assert result["schema"] == 2
    assert result["command"].startswith("python -m launch.")
    assert isinstance(result["seed"], int)
    check_origin(result)
    assert {"jaxprivacy", "jax", "numpy"} <= set(result["versions"])
    assert result["seconds"] > 0
    assert set(result["target"]) == {"train_accuracy", "test_accuracy"}
    assert all(0 <= value <= 1 for value in result["target"].values())
    check_verdict(result)
    for row in [*result["membership"], *result.get("null_checks", [])]:
        check_membership(row)
    for row in result.get("three_way", []):
        check_three_way(row)
    for row in result["reconstruction"]:
        check_reconstruction(row)
    if result.get("privacy") is not None:
        check_privacy(result["privacy"])
    for row in result.get("courses", []):
        check_course(row)
    return result
