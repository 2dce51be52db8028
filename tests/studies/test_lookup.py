"""The positive control of attacks with references."""

import numpy as np
import pytest

from jaxprivacy.data import reference_sets
from jaxprivacy.evaluation import membership, membership_rows
from jaxprivacy.studies import (
    lookup,
    reference_attacks,
    reference_records,
    reference_scores,
)

CLASSES = 5
COUNT, OTHERS = 600, 120
# But for the regressions, whose trees take seconds.
COMPARING = tuple(
    name
    for name in (*reference_attacks.ATTACKS, *reference_attacks.OF_GRADIENTS)
    if not name.startswith("quantile")
)


@pytest.fixture(scope="module")
def labels():
    return np.arange(COUNT + OTHERS) % CLASSES


@pytest.fixture(scope="module")
def dealt(labels):
    rng = np.random.default_rng(0)
    held = reference_sets.halves(labels[:COUNT], 10, rng)
    parts = np.arange(COUNT) < 0, np.arange(COUNT) % 5 == 0
    own = np.arange(COUNT), COUNT + np.arange(OTHERS)
    return reference_records.Dealt(*own, held, *parts, 0, False)


def test_the_auc_that_was_planted_is_there(dealt, labels):
    found = lookup.models(dealt.held, labels, CLASSES, np.random.default_rng(1))
    aucs = [
        membership.auc(said[:COUNT][held], said[:COUNT][~held]).value
        for said, held in zip(found.said.log_probability, dealt.held, strict=True)
    ]
    assert np.mean(aucs) == pytest.approx(found.planted, abs=0.004)
    assert found.planted == pytest.approx(0.983, abs=0.001)


def test_signals_are_those_of_the_table_s_gradient(dealt, labels):
    """Cross-entropy by the logits of a row, one record after another."""
    found = lookup.models(dealt.held, labels, CLASSES, np.random.default_rng(1))
    for s, n in ((0, 0), (3, 17), (9, 700)):
        own = found.said.log_odds[s, n] + np.log(CLASSES - 1)  # beside zeros
        logits = np.zeros(CLASSES)
        logits[labels[n]] = own
        gradient = np.exp(logits) / np.exp(logits).sum() - np.eye(CLASSES)[labels[n]]
        norm = -np.log(np.linalg.norm(gradient))
        assert found.inside.norm[s, n] == pytest.approx(norm)
        assert found.inside.update[s, n] == pytest.approx(gradient @ logits)


@pytest.fixture(scope="module")
def rows(dealt, labels):
    records = np.random.default_rng(2).normal(size=(COUNT + OTHERS, 3)), labels
    scored = reference_scores.of_lookup(records, dealt, COMPARING, 0)
    return membership_rows.control_rows(scored, "standalone")


def test_every_attack_finds_it(rows):
    assert {row["attack"] for row in rows} == set(COMPARING)
    for row in rows:
        assert row["auc"]["value"] > 0.75, row["attack"]
        assert row["found"], row["attack"]


def test_an_attack_that_is_turned_round_misses_it(dealt, labels, monkeypatch):
    run = reference_attacks.ATTACKS["lira_online"]
    monkeypatch.setitem(reference_attacks.ATTACKS, "lira_online", lambda s: -run(s))
    records = np.zeros((COUNT + OTHERS, 3)), labels
    scored = reference_scores.of_lookup(records, dealt, ("lira_online",), 0)
    (row,) = membership_rows.control_rows(scored, "standalone")
    assert row["found"] is False
