import numpy as np

from jaxprivacy.evaluation.membership import MembershipScores
from jaxprivacy.evaluation.membership_rows import Scored
from jaxprivacy.studies import whitebox_cases


def scored(supervision, selection, evaluation):
    """Members' scores above those of non-members in so many of ten pairs."""

    def two(right):
        return np.arange(10) < right, np.full(10, 0.5)

    row = {"attack": "white_box", "supervision": supervision}
    return Scored(row, MembershipScores(*two(selection), *two(evaluation)), None)


def test_a_rate_is_chosen_on_selection_records_alone():
    strong = [scored("supervised", 9, 2), scored("supervised", 1, 1)]
    weak = [scored("supervised", 6, 10), scored("supervised", 10, 10)]
    assert whitebox_cases._selected(strong) == 0.9
    assert whitebox_cases._selected(weak) == 0.6


def test_attacks_without_labels_choose_nothing():
    threshold = Scored({"attack": "loss_threshold"}, None, None)
    assert whitebox_cases._selected([threshold, scored("unsupervised", 9, 9)]) == 0.0
    both = [threshold, scored("supervised", 8, 1)]
    assert whitebox_cases._selected(both) == 0.8
