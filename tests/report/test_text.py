import pytest

from jaxprivacy import cards
from jaxprivacy.report import text
from jaxprivacy.report.threats import (
    ATTACKERS,
    MODES,
    SETTINGS,
    card,
    distinguishing,
    label,
    variant,
)
from tests.report.made_up import interval, member_row


@pytest.mark.parametrize(
    "value, shown",
    [(None, "-"), (0, "0.00"), (14, "14.0"), (0.1234, "0.123"), (1234.5, "1234")],
)
def test_significant(value, shown):
    assert text.significant(value) == shown


@pytest.mark.parametrize(
    "value, shown",
    [
        (None, "none"),  # As JSON has infinity.
        (float("inf"), "none"),
        (0.0, "0"),
        (0.01, "0.01"),
        (2.5, "2.5"),
        (100.0, "100"),
        (1057.07, "1,060"),
        (63_424.2, "63,400"),
        (99_990.0, "100,000"),
        (1_057_070.0, "1.06e6"),
        (1.1e6, "1.1e6"),
        (2e-5, "2e-5"),
    ],
)
def test_epsilon(value, shown):
    assert text.epsilon(value) == shown


def test_is_long():
    assert not text.is_long([{}] * 12) and text.is_long([{}] * 13)


@pytest.mark.parametrize(
    "value, shown", [(None, "-"), (0.0, "0.0"), (0.1234, "12.3"), (1.0, "100")]
)
def test_percent(value, shown):
    assert text.percent(value) == shown
    assert text.percent(1.0, 0) == "100"


def test_intervals():
    shown = text.percent_interval(interval(0.5, 0.25, 1.0))
    assert shown == "50.0 % [25.0, 100]"
    assert text.number_interval(interval(0.5, 0.25, 1.0)) == "0.500 [0.250, 1.000]"
    missing = interval(None, None, None)
    assert text.percent_interval(missing) == text.number_interval(missing) == "-"


@pytest.mark.parametrize(
    "value, shown", [(0.1, "10 %"), (0.001, "0.1 %"), (1 - 0.05 / 3, "98.33 %")]
)
def test_rate(value, shown):
    assert text.rate(value) == shown


def test_at_fpr():
    row = member_row((0.6, 0.5, 0.7), tprs={0.1: (0.4, 0.3, 0.5)})
    assert text.at_fpr(row, 0.1)["value"] == 0.4
    assert text.at_fpr(row, 0.2)["value"] is None


def test_each_card_tells_the_threat_in_two_sentences_and_where_it_comes_from():
    kinds = (cards.MEMBERSHIP, cards.RECONSTRUCTION, cards.INVERSION)
    assert len(cards.CARDS) == sum(map(len, kinds))
    for name, made in cards.CARDS.items():
        assert made.title and made.threat.count(". ") == 1, name
        assert made.threat.endswith("."), name
        assert set(made.sees) <= set(cards.SIGNALS), name
        assert set(made.needs) <= set(cards.NEEDS), name
    assert all(made.sees and made.source for made in cards.MEMBERSHIP)


def test_names_of_the_studies():
    titles = {made.title for made in cards.CARDS.values()}
    assert len(titles) == len(cards.CARDS)
    assert card("gan_improved").title == "GAN with additions"
    assert card("model_inversion_mlp").title == "Model inversion of an MLP"
    assert "upper bound" in card("dcgan").threat


def test_labels():
    row = member_row((0.6, 0.5, 0.7), mode="gradient_ascent")
    assert label(row) == "White-box (global, gradient ascent)"
    assert label(row | {"attacker": "", "mode": None}) == "White-box"
    assert label({"attack": "gan"}) == "GAN"
    assert card("an_own_attack").title == "an own attack"


def test_the_white_box_study_is_explained():
    attacks = "white_box black_box loss_threshold gradient_norm unsupervised shadow"
    assert set(attacks.split()) <= set(cards.CARDS)
    assert set(ATTACKERS) == {"global", "local"}
    assert set(SETTINGS) == {"standalone", "finetune", "federated"}
    modes = {"passive", "gradient_ascent", "isolating", "isolating_gradient_ascent"}
    assert set(MODES) == modes
    for name in ("unsupervised", "shadow"):
        # Neither is told of a record of the target whether it is a member.
        assert "whether it is a member" in card(name).threat


def rows(*conditions, **same):
    return [member_row((0.6, 0.5, 0.7)) | same | more for more in conditions]


def test_only_what_differs_tells_rows_apart():
    assert distinguishing(rows({}, {}, layers="all")) == ()
    two = rows({"layers": "all"}, {"layers": "-1,-2"}, seed=0, gradients="all")
    assert distinguishing(two) == ("layers",)
    assert label(two[1], distinguishing(two)) == (
        "White-box (global, passive, outputs of last, 2nd last)"
    )
    # Absent in one of two rows alike otherwise; but not in another attack.
    assert distinguishing(rows({"pair": "a / b"}, {})) == ("pair",)
    assert distinguishing(rows({"pair": "a / b"}, {"attack": "black_box"})) == ()
    # What goes with the attack is said by its name.
    others = rows({"pair": "a / b"}, {"attack": "black_box", "pair": "c / b"})
    assert distinguishing(others) == ()
    chosen = rows({"ascent_rate": 0.1}, {"mode": "isolating", "ascent_rate": 0.5}, {})
    assert distinguishing(chosen) == ("ascent_rate",)
    assert distinguishing(rows({"seed": 0}, {"seed": 1})) == ("seed",)
    assert distinguishing([]) == ()


@pytest.mark.parametrize(
    "condition, said",
    [
        ({"setting": "own_setting"}, "own setting"),
        ({"pair": "base / fine-tuning"}, "base / fine-tuning"),
        ({"supervision": "shadow"}, "shadow"),
        ({"layers": "none"}, "no outputs"),
        ({"layers": "Dense_0, Dense_1"}, "outputs of Dense_0, Dense_1"),
        ({"gradients": "all"}, "all gradients"),
        ({"gradients": "last"}, "gradients of last"),
        ({"gradients": "-3,-4,-1"}, "gradients of 3rd last, 4th last, last"),
        ({"gradients": "-1,Conv_0"}, "gradients of last, Conv_0"),
        ({"observed_rounds": [7]}, "round 7"),
        ({"observed_rounds": [5, 10]}, "rounds 5, 10"),
        ({"observed_rounds": list(range(10, 310, 10))}, "30 rounds from 10 to 300"),
        ({"participants": 41}, "41 participants"),
        ({"attack_members": 25000}, "25,000 members known"),
        ({"attack_non_members": 500}, "500 non-members known"),
        ({"ascent_rate": 0.5}, "rate 0.5"),
        ({"seed": 12345}, "seed 12345"),
    ],
)
def test_conditions_are_said_in_words(condition, said):
    (row,) = rows(condition)
    assert variant(row, tuple(condition)) == f"global, passive, {said}"
    assert variant(row) == "global, passive"
    assert variant({"attack": "gan"}, tuple(condition)) == ""


@pytest.mark.parametrize("setting", ["standalone", "finetune"])
def test_without_seats_the_attacker_is_not_named(setting):
    (row,) = rows({"setting": setting})
    assert label(row) == "White-box (passive)"
    assert label(row, ("setting",)) == f"White-box (passive, {setting})"


@pytest.mark.parametrize("setting", ["standalone", "finetune"])
def test_without_seats_rounds_are_epochs(setting):
    (row,) = rows({"setting": setting, "observed_rounds": [5, 10]})
    assert variant(row, ("observed_rounds",)) == "passive, epochs 5, 10"


def test_means_are_shown_of_several_seeds_alone():
    same = rows({"seed": 3}, {"seed": 3, "layers": "last"})
    assert text.shown_rows(same) is same
    both = [*same, same[0] | {"seed": 1}]
    assert [row["seeds"] for row in text.shown_rows(both)] == [[3, 1], [3]]
    assert text.seeds_named(both) == "Seeds: 1, 3. Some rows have 1 of them."
    assert text.seeds_named([both[0], both[2]]) == "Seeds: 1, 3."
    assert text.shown_rows([]) == [] and text.shown_rows(rows({}, {}))[0]["auc"]
