import json

import numpy as np
import pytest

from jaxprivacy.evaluation import membership, membership_rows, null_checks, tpr


def normal(shift, shape, seed):
    return np.random.default_rng(seed).normal(shift, size=shape)


NAMES = {"setting": "federated", "attacker": "global", "mode": "passive"}


def test_row_has_the_contracts_fields():
    selection = np.array([3.0, 4.0]), np.array([1.0, 2.0])
    evaluation = np.array([2.4, 2.6, 9.0]), np.arange(20.0) / 10
    scores = membership.MembershipScores(*selection, *evaluation)
    row = membership_rows.membership_row(scores, attack="white_box", **NAMES)
    assert {name: row[name] for name in ("attack", *NAMES)} == {
        "attack": "white_box",
        **NAMES,
    }
    assert (row["members"], row["non_members"], row["confidence"]) == (3, 20, 0.95)
    # Chosen on the selection set, where 2.5 is best; applied to the evaluation set.
    assert row["threshold"] == 2.5
    assert row["accuracy"]["value"] == 22 / 23
    assert row["auc"] == membership.auc(*evaluation)._asdict()
    assert [t["fpr"] for t in row["tpr_at_fpr"]] == [0.1, 0.01, 0.001]
    assert [t["value"] for t in row["tpr_at_fpr"]] == [1.0, None, None]
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize(
    "wrong", [np.array([1.0, np.nan]), np.array([np.inf]), [], 1.0]
)
@pytest.mark.parametrize("place", range(4))
def test_row_refuses_what_is_no_score(wrong, place):
    parts = [np.array([0.0, 1.0])] * 4
    parts[place] = np.asarray(wrong)
    name = membership.MembershipScores._fields[place]
    with pytest.raises(ValueError, match=f"{name} scores of white_box"):
        membership_rows.membership_row(
            membership.MembershipScores(*parts), attack="white_box", **NAMES
        )


def test_guessing_is_hardly_ever_above_guessing():
    """The best of 20 attacks that know nothing, in 20 studies."""
    wrong = 0
    for seed in range(20):
        parts = np.random.default_rng(seed).normal(size=(20, 4, 300))
        rows = [
            membership_rows.membership_row(
                membership.MembershipScores(*p), attack="a", **NAMES, attacks=20
            )
            for p in parts
        ]
        wrong += any(e["above_guessing"] for r in rows for e in r["tpr_at_fpr"])
    assert wrong <= 2


def test_the_interval_of_one_of_many_attacks():
    parts = [normal(s, 50, seed) for s, seed in ((1, 0), (0, 1), (1, 2), (0, 3))]
    scores = membership.MembershipScores(*parts)
    alone = membership_rows.membership_row(scores, attack="a", **NAMES)
    assert "auc_simultaneous" not in alone
    of_ten = membership_rows.membership_row(scores, attack="a", **NAMES, attacks=10)
    assert of_ten["auc"] == alone["auc"]
    wide = membership.auc(*scores[2:], 0.995)
    assert of_ten["auc_simultaneous"] == wide._asdict()
    assert wide.low < alone["auc"]["low"]
    for one, entry in zip(alone["tpr_at_fpr"], of_ten["tpr_at_fpr"], strict=True):
        assert entry["low"] == one["low"] and "simultaneous" not in one
    (widened, *_) = tpr.tpr_at_fpr(*scores[2:], confidence=0.995)
    ends = {"low": widened["low"], "high": widened["high"]}
    assert of_ten["tpr_at_fpr"][0]["simultaneous"] == ends


def test_wider_confidence_is_wider():
    parts = [
        normal(shift, 50, seed) for shift, seed in ((1, 0), (0, 1), (1, 2), (0, 3))
    ]
    scores = membership.MembershipScores(*parts)
    narrow, wide = (
        membership_rows.membership_row(
            scores, attack="a", **NAMES, confidence=confidence
        )
        for confidence in (0.95, membership.simultaneous_confidence(10))
    )
    for name in ("auc", "accuracy"):
        assert wide[name]["low"] < narrow[name]["low"]
        assert wide[name]["high"] > narrow[name]["high"]
    assert wide["tpr_at_fpr"][0]["high"] > narrow["tpr_at_fpr"][0]["high"]


def test_rows_of_a_study():
    """Every attack with its conditions; null checks of both kinds, widened together."""

    def scored(attack, seed, null=None):
        parts = [normal(s, 50, seed + i) for i, s in enumerate((1, 0, 1, 0))]
        return membership_rows.Scored(
            {"attack": attack, "attacker": "global", "mode": "passive", "seed": seed},
            membership.MembershipScores(*parts),
            null and null.scores,
        )

    untrained = scored("white_box", 30)
    first = scored("white_box", 0, scored("white_box", 20))
    study = [first, scored("black_box", 10)._replace(threshold=0.25)]
    study[1].row["seed"] = 0
    found, null = membership_rows.rows(study, "federated", [untrained])
    assert [row["attack"] for row in found] == ["white_box", "black_box"]
    assert [row["seed"] for row in found + null] == [0, 0, 0, 30]
    assert {row["setting"] for row in found + null} == {"federated"}
    assert found[1]["threshold"] == 0.25 != found[0]["threshold"]
    assert found[0]["over_outputs"]["against"] == "black_box"
    for row in null:
        assert row["confidence"] == pytest.approx(0.975)
        assert row["detectable_auc"] == null_checks.detectable_auc(50, 50, 0.975)
    assert null[0]["auc"] == membership.auc(*first.null[2:], 0.975)._asdict()
    assert null[1]["auc"] == membership.auc(*untrained.scores[2:], 0.975)._asdict()


def test_an_attack_that_did_not_train_widens_no_interval():
    parts = membership.MembershipScores(
        *(normal(s, 50, i) for i, s in enumerate((1, 0, 1, 0)))
    )
    names = {"attacker": "global", "mode": "passive"}
    study = [
        membership_rows.Scored(
            {"attack": attack, **names}, parts, parts, trained=real
        )._replace(null_trained=null)
        for attack, real, null in (
            ("white_box", True, False),
            ("black_box", False, True),
            ("loss_threshold", None, None),
        )
    ]
    found, null = membership_rows.rows(study, "federated")
    assert [row["trained"] for row in found] == [True, False, None]
    assert [row["trained"] for row in null] == [False, True, None]
    for row in found:
        wide = membership.auc(*parts[2:], 0.975)._asdict()
        assert row["auc_simultaneous"] == wide
    assert [row["confidence"] for row in null] == pytest.approx([0.975] * 3)
    assert null_checks.counted(null) == null[1:]
    assert ["over_outputs" in row for row in found] == [True, False, False]
    assert found[0]["over_outputs"]["against"] == "loss_threshold"
