import pytest

from jaxprivacy.report import text
from jaxprivacy.report.threats import THREATS, label, threat
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
        (None, "-"),
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


def test_each_threat_model_has_two_sentences():
    for name, (title, model) in THREATS.items():
        assert title and model.count(". ") == 1 and model.endswith("."), name


def test_names_of_the_studies():
    titles = {threat(name).title for name in THREATS}
    assert len(titles) == len(THREATS)
    assert threat("gan_improved").title == "GAN with additions"
    assert threat("model_inversion_mlp").title == "Model inversion of an MLP"
    assert "upper bound" in threat("dcgan").model


def test_labels():
    row = member_row((0.6, 0.5, 0.7), mode="gradient_ascent")
    assert label(row) == "White-box (global, gradient ascent)"
    assert label(row | {"attacker": "", "mode": None}) == "White-box"
    assert label({"attack": "gan"}) == "GAN"
    assert threat("an_own_attack") == ("an own attack", "")
