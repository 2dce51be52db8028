import numpy as np
import pytest
from scipy.special import logit

from jaxprivacy.evaluation import three_way
from jaxprivacy.evaluation.intervals import clopper_pearson

KINDS = ("base", "fine-tuning", "fresh")
# Four records; the logit of a duel's probability of the first kind.
DUELS = {
    ("base", "fine-tuning"): logit([0.9, 0.2, 0.5, 0.9]),
    ("base", "fresh"): logit([0.8, 0.9, 0.1, 0.6]),
    ("fine-tuning", "fresh"): logit([0.5, 0.9, 0.3, 0.0]),
}
EVALUATION = {"base": [0, 3], "fine-tuning": [1], "fresh": [2]}


def test_votes_by_hand():
    found = three_way.votes(DUELS, KINDS)
    want = [[1.7, 0.6, 0.7], [1.1, 1.7, 0.2], [0.6, 0.8, 1.6], [1.5, 0.1, 1.4]]
    np.testing.assert_allclose(found, np.array(want) / 2)
    np.testing.assert_allclose(found.sum(axis=1), 1.5)


def test_a_duels_order_does_not_matter():
    turned = {(b, a): -scores for (a, b), scores in DUELS.items()}
    np.testing.assert_allclose(
        three_way.votes(turned, KINDS), three_way.votes(DUELS, KINDS)
    )


def test_row_by_hand():
    mistaken = DUELS | {("base", "fresh"): logit([0.1, 0.9, 0.1, 0.6])}
    row = three_way.three_way_row(
        {"attack": "white_box", "seed": 3}, mistaken, EVALUATION, 0.9
    )
    assert row["attack"] == "white_box" and row["seed"] == 3
    assert row["kinds"] == list(KINDS)
    assert row["confusion"] == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert row["accuracy"] == clopper_pearson(3, 4, 0.9)._asdict()
    assert three_way.recall(row) == [0.5, 1, 1]


def test_means_over_seeds():
    def row(attack, seed, right):
        confusion = [[right, 10 - right], [0, 10]]
        return {
            "attack": attack,
            "seed": seed,
            "kinds": ["a", "b"],
            "confusion": confusion,
            "confidence": 0.975,
            "accuracy": {"value": (right + 10) / 20, "low": 0.0, "high": 1.0},
        }

    rows = [row("x", 0, 4), row("y", 0, 5), row("x", 1, 8)]
    x, y = three_way.summarise(rows)
    assert y == rows[1]
    assert x["seeds"] == [0, 1] and x["confusion"] == [[12, 8], [0, 20]]
    assert x["accuracy"]["value"] == pytest.approx(0.8)
    assert x["accuracy"]["low"] < 0.7 < 0.9 < x["accuracy"]["high"]


def test_attacks_that_know_nothing_are_right_on_a_third():
    draw = np.random.default_rng(0)
    duels = {pair: draw.uniform(size=3000) for pair in DUELS}
    where = np.arange(3000).reshape(3, -1)
    row = three_way.three_way_row({}, duels, dict(zip(KINDS, where, strict=True)))
    assert row["accuracy"]["low"] < 1 / 3 < row["accuracy"]["high"]
