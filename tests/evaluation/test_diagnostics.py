import numpy as np
import pytest

from jaxprivacy.evaluation import diagnostics, membership
from jaxprivacy.evaluation.diagnostics import Observed


def observed(*records):
    """From (label, norm, correct, uncertainty, score) of each record."""
    return Observed(*map(np.array, zip(*records, strict=True)))


# Class 2 has one member, class 7 no non-member, class 9 no member: all left out.
MEMBERS = observed(
    (5, 1.0, True, 0.1, 0.9),
    (1, 2.0, True, 0.2, 0.8),
    (5, 3.0, True, 0.3, 0.4),
    (1, 4.0, True, 0.4, 0.2),
    (2, 9.0, True, 0.5, 0.5),
    (7, 9.0, True, 0.5, 0.5),
    (7, 9.0, True, 0.5, 0.5),
)
NON_MEMBERS = observed(
    (1, 5.0, False, 0.9, 0.3),
    (1, 7.0, True, 0.5, 0.1),
    (2, 9.0, False, 0.5, 0.5),
    (2, 9.0, False, 0.5, 0.5),
    (5, 1.0, True, 0.1, 0.2),
    (5, 2.0, True, 0.1, 0.3),
    (5, 6.0, False, 0.7, 0.6),
    (9, 6.0, False, 0.7, 0.6),
    (9, 6.0, False, 0.7, 0.6),
)


def test_class_gaps_by_hand():
    gaps = diagnostics.class_gaps(MEMBERS, NON_MEMBERS, threshold=0.5)
    np.testing.assert_array_equal(gaps.label, [1, 5])
    assert gaps.left_out == 3
    np.testing.assert_allclose(gaps.norm_gap, [6 - 3, 3 - 2])
    np.testing.assert_allclose(gaps.uncertainty_gap, [0.7 - 0.3, 0.3 - 0.2])
    np.testing.assert_allclose(gaps.test_accuracy, [1 / 2, 2 / 3])
    # Class 1: 0.8 beats both, 0.2 one of 0.3 and 0.1. Class 5: 0.9 beats all three,
    # 0.4 two.
    np.testing.assert_allclose(gaps.auc[:, 0], [3 / 4, 5 / 6])
    # Class 1: 0.2 is missed. Class 5: 0.4 is missed and 0.6 called a member.
    np.testing.assert_allclose(gaps.attack_accuracy[:, 0], [3 / 4, 3 / 5])
    for rates in (gaps.auc, gaps.attack_accuracy):
        assert (rates[:, 1] < rates[:, 0]).all() and (rates[:, 0] < rates[:, 2]).all()


def test_without_threshold_no_accuracy_and_without_classes_nothing():
    assert diagnostics.class_gaps(MEMBERS, NON_MEMBERS).attack_accuracy is None
    few = Observed(*(part[4:5] for part in MEMBERS))
    gaps = diagnostics.class_gaps(few, NON_MEMBERS, threshold=0.5)
    assert gaps.left_out == 4 and len(gaps.label) == len(gaps.norm_gap) == 0
    assert gaps.auc.shape == gaps.attack_accuracy.shape == (0, 3)
    assert diagnostics.gap_groups(few, NON_MEMBERS, gaps) == []


@pytest.mark.parametrize("part", ["norm", "score", "label"])
def test_unequal_lengths_are_refused(part):
    short = MEMBERS._replace(**{part: np.zeros(3)})
    with pytest.raises(ValueError, match="members, shapes .*one length"):
        diagnostics.class_gaps(short, NON_MEMBERS)


def many(gaps, each=4):
    """Non-members' norms are above the members' by each class's gap."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(len(gaps)), each)
    return [
        Observed(
            label,
            1.0 + above * np.repeat(gaps, each),
            label >= 0,
            rng.random(len(label)),
            rng.normal(size=len(label)),
        )
        for above in (0, 1)
    ]


def test_thirds_go_by_the_gap_of_the_norm():
    kinds = many([0.5, -0.25, 4.0, 2.0, 1.0, 3.0, 0.75])
    gaps = diagnostics.class_gaps(*kinds)
    groups = diagnostics.gap_groups(*kinds, gaps)
    assert [group.name for group in groups] == ["small", "medium", "large"]
    labels = [list(group.label) for group in groups]
    assert labels == [[1, 0, 6], [4, 3], [5, 2]]
    assert groups[0].gaps == pytest.approx((-0.25, 0.75))
    assert groups[2].gaps == pytest.approx((3.0, 4.0))
    for group in groups:
        pooled = [kind.score[np.isin(kind.label, group.label)] for kind in kinds]
        expected = membership.roc(*pooled)
        np.testing.assert_array_equal(group.roc.tpr, expected.tpr)
        np.testing.assert_array_equal(group.roc.fpr, expected.fpr)
        assert group.auc == membership.auc(*pooled)


def test_two_classes_have_no_thirds():
    kinds = many([1.0, 2.0])
    assert diagnostics.gap_groups(*kinds, diagnostics.class_gaps(*kinds)) == []


def test_rank_correlation():
    # Ranks 1 2 3 4 against 2 1 3 4: 1 - 6 * 2 / (4 * 15).
    found = diagnostics.rank_correlation(
        np.array([1.0, 10.0, 100.0, 1e6]), np.array([0.2, 0.1, 0.3, 0.9])
    )
    assert found == pytest.approx(0.8)
    assert diagnostics.rank_correlation(np.ones(4), np.arange(4)) is None
    assert diagnostics.rank_correlation(np.arange(2), np.arange(2)) is None
