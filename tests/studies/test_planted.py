import numpy as np
import pytest

from jaxprivacy.evaluation import membership, membership_rows, null_checks
from jaxprivacy.studies import planted
from jaxprivacy.studies.attack_training import Positions

POOL = Positions(np.arange(100), np.arange(100, 160), np.arange(160, 561))


def drawn(signal, seed=0):
    return planted.plant(POOL, signal, np.random.default_rng(seed))


def test_half_of_each_purpose_s_records_are_called_members():
    members, others, _ = drawn(np.random.default_rng(0).normal(size=561))
    for name in Positions._fields:
        first, second, whole = (getattr(p, name) for p in (members, others, POOL))
        assert len(first) == len(second) == len(whole) // 2
        both = np.sort(np.concatenate([first, second]))
        np.testing.assert_array_equal(both, whole[: len(whole) // 2 * 2])


@pytest.mark.parametrize("values", [None, 4, 1])
def test_the_planted_auc_is_that_of_the_signal(values):
    """Also with ties; the mean over 200 draws is within 0.01 of it."""
    signal = np.random.default_rng(1).normal(size=561)
    if values:
        signal = np.digitize(
            signal, np.linspace(-1, 1, values - 1) if values > 1 else []
        )
    found = []
    for seed in range(200):
        members, others, auc = drawn(signal, seed)
        scores = signal[members.evaluation], signal[others.evaluation]
        found.append(membership.auc(*scores).value)
    assert auc == pytest.approx({None: 0.7, 4: 0.68, 1: 0.5}[values], abs=0.01)
    assert np.mean(found) == pytest.approx(auc, abs=0.01)


def test_what_was_planted_is_found_unless_labels_are_exchanged():
    signal = np.random.default_rng(2).normal(size=561)
    members, others, auc = drawn(signal)

    def control(first, second, scores=signal, attack="loss_threshold"):
        names = {"attack": attack, "attacker": "global", "mode": "passive"}
        sets = [
            scores[getattr(w, n)]
            for n in ("selection", "evaluation")
            for w in (first, second)
        ]
        scored = membership_rows.Scored(
            names | {"control": "planted", "planted": auc},
            membership.MembershipScores(*sets),
            None,
        )
        return membership_rows.control_rows([scored], "federated")[0]

    row = control(members, others)
    assert row["found"] and row["planted"] == auc and row["detectable_auc"] < auc
    assert not control(others, members)["found"]
    assert not control(members, others, np.zeros(561))["found"]
    noise = np.random.default_rng(3).normal(size=561)
    assert not control(members, others, noise, "white_box")["found"]


@pytest.mark.parametrize(
    "low, high, attack, found",
    [
        (0.65, 0.75, "loss_threshold", True),
        (0.55, 0.65, "loss_threshold", False),  # A rule ranks by what was planted.
        (0.55, 0.65, "white_box", True),  # A trained attack may know less,
        (0.75, 0.85, "white_box", False),  # but nothing more.
        (0.45, 0.75, "loss_threshold", False),
    ],
)
def test_control_found(low, high, attack, found):
    row = {"auc": {"low": low, "high": high}, "attack": attack, "planted": 0.7}
    assert null_checks.control_found(row | {"detectable_auc": 0.6}) is found
    for least in (0.75, None):  # Too few records: missing it says nothing.
        unsure = None if low < 0.5 else found
        row |= {"detectable_auc": least}
        assert null_checks.control_found(row) is unsure
