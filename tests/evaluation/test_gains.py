import numpy as np
import pytest

from jaxprivacy.evaluation import gains, membership, tpr


def scores(seed, shift, selection=None):
    """Two thousand of each kind; the selection records may say something else."""
    shifts = (shift if selection is None else selection, 0, shift, 0)
    rng = np.random.default_rng(seed)
    return membership.MembershipScores(*(rng.normal(s, size=300) for s in shifts))


def test_gains_are_over_the_best_output_only_attack_of_the_same_target():
    cases = [
        ("white_box", 0, scores(0, 1.0)),
        ("black_box", 0, scores(1, 0.2)),
        ("confidence", 0, scores(2, 0.8)),
        ("loss_threshold", 0, scores(3, 0.5)),
        ("gradient_norm", 1, scores(4, 1.0)),
        ("black_box", 1, scores(5, 0.5)),
        ("white_box", 2, scores(6, 1.0)),
    ]
    rows = [{"attack": attack, "seed": seed} for attack, seed, _ in cases]
    of = [s for *_, s in cases]
    found = gains.gains(rows, of)
    assert [i for i, row in enumerate(found) if "over_outputs" in row] == [0, 4]
    for i, other, against in ((0, 2, "confidence"), (4, 5, "black_box")):
        gain = found[i]["over_outputs"]
        assert gain["against"] == against
        assert gain["auc"]["confidence"] == pytest.approx(0.975)
        area = membership.auc_difference(of[i][2:], of[other][2:], 0.975)
        assert [gain["auc"][n] for n in ("value", "low", "high")] == pytest.approx(area)
        rates = tpr.difference(of[i][2:], of[other][2:], confidence=0.975)
        assert gain["tpr_at_fpr"] == rates
        assert gains.auc_gain(found[i]) == gain["auc"]


def test_an_attack_with_reference_models_sees_outputs_only():
    """It has no gain over outputs, and what holds the parameters is set beside it."""
    attacks = ("white_box", "black_box", "bavaria", "combined")
    of = [scores(i, shift) for i, shift in enumerate((0.5, 0.4, 1.5, 1.4))]
    found = gains.gains([{"attack": attack} for attack in attacks], of)
    assert [row["attack"] for row in found if "over_outputs" in row] == ["white_box"]
    assert found[0]["over_outputs"]["against"] == "bavaria"
    assert found[0]["over_outputs"]["auc"]["high"] < 0


def test_the_best_is_chosen_on_selection_records():
    """The one that is better on the evaluation records must not be known."""
    rows = [{"attack": a} for a in ("white_box", "black_box", "loss_threshold")]
    of = [scores(0, 1.0), scores(1, 0.9, selection=0.1), scores(2, 0.1, selection=0.9)]
    found = gains.gains(rows, of)
    assert found[0]["over_outputs"]["against"] == "loss_threshold"


def test_an_attack_that_did_not_train_is_not_compared():
    rows = [
        {"attack": "white_box", "trained": False},
        {"attack": "gradient_norm", "trained": None},
        {"attack": "black_box", "trained": False},
        {"attack": "loss_threshold", "trained": None},
    ]
    of = [scores(i, shift) for i, shift in enumerate((0.1, 0.5, 3.0, 0.4))]
    found = gains.gains(rows, of)
    assert ["over_outputs" in row for row in found] == [False, True, False, False]
    assert found[1]["over_outputs"]["against"] == "loss_threshold"
    alone = gains.gains(rows[:3], of[:3])
    assert not any("over_outputs" in row for row in alone)


@pytest.mark.parametrize(
    "condition",
    ["attacker", "mode", "pair", "observed_rounds", "participants", "attack_members"],
)
def test_gains_are_of_the_same_case(condition):
    of = [scores(seed, 1) for seed in range(4)]
    rows = [
        {"attack": attack, condition: value}
        for value in ([2], [4])
        for attack in ("white_box", "black_box")
    ]
    for i, found in enumerate(gains.gains(rows, of)[::2]):
        want = membership.auc_difference(of[2 * i][2:], of[2 * i + 1][2:])
        assert found["over_outputs"]["auc"]["value"] == pytest.approx(want.value)
    with pytest.raises(ValueError, match="conditions are the same"):
        gains.gains([{"attack": "black_box"}] * 2, of[:2])


def test_a_rule_stands_beside_attacks_of_every_size():
    rows = [
        {"attack": "white_box", "attack_members": 100},
        {"attack": "black_box", "attack_members": 50},
        {"attack": "loss_threshold"},
    ]
    found = gains.gains(rows, [scores(i, 1 + i) for i in range(3)])
    assert found[0]["over_outputs"]["against"] == "loss_threshold"
    found = gains.gains(rows[:2], [scores(i, 1) for i in range(2)])
    assert "over_outputs" not in found[0]


def test_old_results_say_what_they_said():
    old = {"value": 0.1, "low": 0.0, "high": 0.2}
    assert gains.auc_gain({"auc_over_black_box": old}) == old
    assert gains.auc_gain({}) is None


def test_a_network_that_sees_outputs_only_is_compared_with_and_not_compared():
    """A white-box row of the last layer's output uses nothing that it alone holds."""
    cases = [
        ({"attack": "white_box", "layers": "all"}, scores(0, 1.0)),
        ({"attack": "white_box", "layers": "-1", "outputs_only": True}, scores(1, 0.9)),
        ({"attack": "loss_threshold"}, scores(2, 0.5)),
    ]
    shared = {"setting": "standalone", "attacker": "global", "mode": "passive"}
    rows = [shared | row | {"trained": True} for row, _ in cases]
    whole, outputs, rule = gains.gains(rows, [s for _, s in cases])
    assert whole["over_outputs"]["against"] == "black_box"
    assert whole["over_outputs"]["auc"]["value"] == pytest.approx(
        membership.auc(*cases[0][1][2:]).value - membership.auc(*cases[1][1][2:]).value
    )
    assert "over_outputs" not in outputs and "over_outputs" not in rule
