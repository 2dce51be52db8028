"""A caption says what its figure shows, whichever way that is."""

import numpy as np
import pytest

from jaxprivacy.report import captions
from jaxprivacy.report.contents import GradientNorms
from tests.report import made_up

ROUNDS = np.arange(1, 6)


def norms(members):
    """Medians of 2 for non-members at all rounds."""
    others = np.full((5, 3), 2.0)
    return GradientNorms(ROUNDS, np.tile(members, (3, 1)).T, others, "all layers")


@pytest.mark.parametrize(
    "members, said",
    [
        ([1.0] * 5, "median lies below that of the non-members at all 5 rounds."),
        ([3.0] * 5, "median lies above that of the non-members at all 5 rounds."),
        (
            [1.0, 3, 3, 2, 1],
            "median lies below that of the non-members at 2 of 5 rounds, and above it "
            "at 2.",
        ),
    ],
)
def test_gradient_norms_in_both_directions(members, said):
    caption = captions.gradient_norms(norms(np.array(members)))
    assert caption.endswith(said)
    assert "training makes" not in caption


def test_the_mean_of_diagnostics_in_both_directions():
    content = made_up.diagnostics()
    higher = content.non_members_norm + 1
    below = content._replace(members_norm=content.members_norm * 0)
    assert "the members' mean lies below that of the non-members at all 8 epochs" in (
        captions.diagnosed_norms(below)
    )
    above = content._replace(members_norm=higher + 1, members_norm_all=None)
    assert "The members' mean lies above that of the non-members at all 8 epochs" in (
        captions.diagnosed_norms(above)
    )


def test_the_gap_of_accuracies():
    course = made_up.report().training
    said = captions.training(course)
    assert "90.0 % of the records that it was trained on and on 45.0 % of" in said
    assert "a gap of 45.0 percentage points" in said
    swapped = course | {"test_accuracy": course["train_accuracy"]}
    assert "no gap" in captions.training(swapped)


def test_the_model_behind_the_samples():
    said = captions.over_rounds(made_up.reconstructions())
    assert said.endswith("at that round: 20 % at the first to 90 % at the last.")
