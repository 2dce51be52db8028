"""Who is at risk, on tables worked out by hand."""

import numpy as np
import pytest

from jaxprivacy.evaluation import exposure

# Three targets, five records; record 4 is in none.
MEMBER = np.array([[1, 1, 0, 1, 0], [1, 0, 1, 1, 0], [0, 1, 0, 1, 0]], bool)
FOUND = np.array([[1, 0, 1, 1, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 1]], bool)
SCORES = np.array([[4, 1, 9, 3, 0], [2, 0, 5, 1, 0], [9, 2, 9, 5, 9]], float)
EXPOSED = exposure.Exposed(MEMBER, FOUND, SCORES)


def test_records_the_surest_first():
    """Record 0 in 2 of 2, mean 3; 2 in 1 of 1, mean 5; 3 in 2 of 3; 1 never."""
    assert exposure.records(EXPOSED, 10) == [
        {"record": 2, "member_of": 1, "found_in": 1, "score": 5.0},
        {"record": 0, "member_of": 2, "found_in": 2, "score": 3.0},
        {"record": 3, "member_of": 3, "found_in": 2, "score": 3.0},
    ]
    assert len(exposure.records(EXPOSED, 2)) == 2


def test_who_is_always_found():
    assert exposure.always_found(EXPOSED) == (2, 4)  # 0 and 2, of 0 to 3


def test_classes_by_exposure():
    """Of class 0 the shares are 1/2, 1/1 and 0/1; of class 1 1/1, 1/2 and 1/1."""
    labels = np.array([0, 0, 1, 1, 1])
    first, second = exposure.classes(EXPOSED, labels)
    assert (first["label"], first["members"]) == (1, 4)
    assert first["tpr"]["value"] == pytest.approx(5 / 6)
    assert (second["label"], second["members"]) == (0, 4)
    assert second["tpr"]["value"] == pytest.approx(0.5)
    assert second["tpr"]["rows"] == 3
    alone = exposure.Exposed(*(a[:1] for a in EXPOSED))
    (one, other) = exposure.classes(alone, labels)
    assert one["tpr"]["value"] == 1 and one["tpr"]["low"] < 0.1  # one record
    assert other["tpr"]["value"] == 0.5


def test_no_more_non_members_than_allowed_lie_above_the_threshold():
    others = np.arange(100.0)
    rng = np.random.default_rng(0)
    for fpr in (0.0, 0.01, 0.1):
        above = exposure.found(rng.permutation(others), others, fpr)
        assert above.sum() == round(100 * fpr)
    assert not exposure.found(np.full(5, 3.0), np.full(50, 3.0), 0.1).any()  # ties


@pytest.mark.parametrize(
    ("tpr", "fpr", "prior", "wanted"),
    [
        (0.5, 0.01, 0.5, 0.5 / 0.51),
        (0.5, 0.01, 0.01, 0.005 / (0.005 + 0.0099)),
        (0.1, 0.1, 0.3, 0.3),  # guessing tells nothing beyond the prior
        (0.0, 0.0, 0.5, 0.0),
    ],
)
def test_precision_is_bayes_rule(tpr, fpr, prior, wanted):
    assert exposure.precision(tpr, fpr, prior) == pytest.approx(wanted)


def test_the_rate_that_few_non_members_tell():
    assert [exposure.told_fpr(n) for n in (100, 99, 10, 3)] == [0.01, 0.1, 0.1, 0.1]
