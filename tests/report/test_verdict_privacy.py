"""What is said of noise on the uploads: differential privacy only where it holds."""

import math

import numpy as np
import pytest

from jaxprivacy.report import html, plots, verdict_privacy
from jaxprivacy.report.verdict import verdict
from tests.report import made_up

COURSE = {"clipped": [0.831, 0.5, 0.12], "cosine": [0.1234, 0.2, 0.3]}
MET = (
    " On average 83.1 % of an update's coordinates lay beyond gamma in the first round "
    "and 12.0 % in the last; the cosine between an update and what was uploaded of it "
    "was 0.12 and 0.30."
)
CLAIMS = ("differentially", "differential privacy", "epsilon-", "changes the prob")


def said(privacy, **more):
    content = made_up.result() | {"privacy": privacy._asdict()} | more
    (sentence,) = verdict_privacy.sentences(content)
    assert sentence in verdict(content)["sentences"]
    return sentence


@pytest.mark.parametrize("total", [6.34e7, 10.5])
def test_a_guarantee_stands_with_its_total_and_what_was_clipped(total):
    shown = "6.34e7" if total > 1e6 else "10.5"
    assert said(made_up.privacy(total), courses=[COURSE]) == (
        "The uploads, clipped before the noise, are differentially private with an "
        "epsilon of 10 per parameter, which is 1.06e6 per epoch and participant and "
        f"{shown} in total; a total above 10 is no meaningful guarantee.{MET}"
    )
    kept = said(made_up.privacy(10.0), courses=[COURSE])
    assert "10 in total." in kept and "guarantee" not in kept


def test_the_paper_s_release_guarantees_nothing():
    sentence = said(made_up.privacy(1.0)._replace(clip_first=False), courses=[COURSE])
    assert sentence.endswith(verdict_privacy.NO_GUARANTEE + MET)
    assert "guarantees nothing" in sentence and "beyond gamma" in sentence
    assert not any(claim in sentence for claim in CLAIMS) and "total" not in sentence


@pytest.mark.parametrize("epsilon", [math.inf, None])  # As computed, and as JSON has it
@pytest.mark.parametrize("clip_first", [True, False])
def test_no_noise_guarantees_nothing(epsilon, clip_first):
    none = made_up.privacy(epsilon)._replace(
        epsilon_per_parameter=epsilon, clip_first=clip_first
    )
    assert said(none).startswith("No noise was added to the uploads, so that nothing")
    assert not verdict_privacy.guarantees(none._asdict())


def test_without_privacy_nothing_is_said():
    for absent in ({}, {"privacy": None}):
        assert verdict_privacy.sentences(made_up.result() | absent) == []


def test_what_was_logged_is_the_first_course_s_or_the_mean_over_its_runs():
    other = {"clipped": [0.0], "cosine": [0.0]}
    found = verdict_privacy.uploads({"courses": [COURSE, other], "runs": [other]})
    np.testing.assert_array_equal(found["clipped"], COURSE["clipped"])
    runs = [
        {"row": "gan", "clipped": [0.5, 0.3], "cosine": [0.2, 0.4]},
        {"row": "gan_no_influence", "clipped": [0.9, 0.9], "cosine": [0.9, 0.9]},
        {"row": "gan", "clipped": [0.7, 0.1], "cosine": [0.4, 0.8]},
    ]
    found = verdict_privacy.uploads({"courses": [], "runs": runs})
    np.testing.assert_allclose(found["clipped"], [0.6, 0.2])
    np.testing.assert_allclose(found["cosine"], [0.3, 0.6])
    # Nothing is clipped, or the result is older.
    assert set(verdict_privacy.uploads({"courses": [COURSE | {"clipped": None}]})) == {
        "cosine"
    }
    assert verdict_privacy.uploads({"courses": [{"accuracy": []}]}) == {}
    assert verdict_privacy.uploads({}) == {}


def test_a_single_round_is_said_once():
    one = {"clipped": [0.5], "cosine": [-0.25]}
    sentence = said(made_up.privacy(), courses=[one])
    assert "50.0 % of an update's coordinates lay beyond gamma in the only" in sentence
    assert sentence.endswith("was -0.25.")


def test_budgets_of_a_sweep():
    rows = verdict_privacy.budgets(made_up.tradeoff())
    assert [row["epsilon per parameter"] for row in rows] == ["0.01", "10", "none"]
    assert [row["total epsilon"] for row in rows] == ["63,400", "6.34e7", "none"]
    assert [row["beyond gamma %"] for row in rows] == [
        "80.0 to 20.0",
        "65.0 to 15.0",
        "50.0 to 10.0",
    ]
    assert rows[0]["cosine"] == "0.01 to 0.03" and rows[0]["hit rate %"] == "10.0"
    unclipped = made_up.tradeoff()._replace(clip_first=False, clipped=None)
    (first, *_) = verdict_privacy.budgets(unclipped)
    assert set(first) == {"epsilon per parameter", "accuracy %", "hit rate %"}


@pytest.mark.parametrize("clip_first", [True, False])
def test_the_page_claims_privacy_only_where_updates_are_clipped_first(clip_first):
    privacy = made_up.privacy()._replace(clip_first=clip_first)
    content = made_up.result(images=made_up.IMAGES) | {
        "privacy": privacy._asdict(),
        "courses": [COURSE],
    }
    report = made_up.report(
        result=content,
        tradeoff=made_up.tradeoff()._replace(clip_first=clip_first),
    )
    page = html.render(report, {plots.LEAKAGE: b"\x89PNG"})
    found = [claim for claim in CLAIMS if claim in page]
    assert bool(found) == clip_first, found
    assert ("total epsilon" in page) == ("6.34e7" in page) == clip_first
    assert ("guarantees nothing:" in page) != clip_first
    for expected in ("83.1 %, 12.0 %", "0.12, 0.30", "80.0 to 20.0"):
        assert expected in page, expected
