"""Records with exact copies are not attacked, in any study, where others are enough."""

import pathlib

import numpy as np
import pytest

from jaxprivacy import data, errors
from jaxprivacy.data import attack_sets, copies
from jaxprivacy.studies import whitebox_shadows, whitebox_splits
from jaxprivacy.studies.whitebox_settings import WhiteboxSettings

KINDS = {
    "standalone": WhiteboxSettings(),
    "federated": WhiteboxSettings(setting="federated", attacker=("global", "local")),
    "finetune": WhiteboxSettings(setting="finetune"),
}
PAIRS = 60
RETAIL = pathlib.Path(__file__).parents[3] / "shared" / "data" / "retail100.npz"


def repeated(records, pairs, seed=0):
    """Records of noise, of which the last `pairs` equal the first, some relabelled."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(records, 3)).astype(np.float32)
    x[records - pairs :] = x[:pairs]
    order = rng.permutation(records)
    y = rng.permutation(np.arange(records) % 4).astype(np.int32)
    return data.Dataset("made up", x[order], y, 4)


def equal_pairs(x, first, second):
    """How many records of the first equal one of the second, told without hashes."""
    return sum((x[i] == x[second]).all(axis=1).any() for i in first)


def sets_of(split):
    """The attacked records of a split, by kind: (purpose, indices) of each."""
    kinds = [*split.members.values(), *split.non_members.values()]
    return [np.concatenate(sets) for sets in kinds]


def test_copies_by_hand():
    x = np.array([[1, 2], [1, 2], [2, 1], [0, 0], [-0.0, 0], [3, 3]], np.float32)
    expected = [True, True, False, True, True, False]
    assert copies.have_copies(x).tolist() == expected
    images = x.reshape(6, 1, 2, 1)
    assert copies.have_copies(images).tolist() == expected


def test_copies_are_left_out_of_each_kind():
    copied = np.arange(60) % 6 == 0
    found = copies.leave_out(copied, (np.arange(30), np.arange(30, 60)))
    assert (found.left_out, found.kept) == (10, False)
    assert [len(kind) for kind in found.kinds] == [25, 25]
    assert not copied[np.concatenate(found.kinds)].any()


def test_copies_are_kept_where_too_few_would_be_left():
    copied = np.arange(60) % 4 == 0
    kinds = np.arange(30), np.arange(30, 60)
    found = copies.leave_out(copied, kinds)
    assert (found.left_out, found.kept) == (0, True)
    assert [list(kind) for kind in found.kinds] == [list(kind) for kind in kinds]
    nothing = copies.leave_out(np.zeros(60, bool), (np.arange(3), np.arange(3, 60)))
    assert (nothing.left_out, nothing.kept) == (0, False)


def test_fewest_is_what_the_sets_need():
    for count in range(copies.FEWEST, 100):
        attack_sets.sizes(count, count)
    with pytest.raises(errors.InputError):
        attack_sets.sizes(copies.FEWEST - 1, copies.FEWEST - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_no_study_attacks_a_record_that_has_a_copy(kind):
    made = repeated(1000, PAIRS)
    split = whitebox_splits.split(KINDS[kind], made, 3, seed=1)
    held = np.concatenate(split.shares)
    # They are trained on all the same, and lie on both sides.
    assert equal_pairs(made.x, held, split.unheld) > 0
    assert len(held) + len(split.unheld) == 1000
    for attacked in sets_of(split):
        others = np.setdiff1d(np.arange(1000), attacked)
        assert equal_pairs(made.x, attacked, others) == 0
        assert len(np.unique(made.x[attacked], axis=0)) == len(attacked)
    assert 0 < split.copies_left_out <= 2 * PAIRS and not split.copies_kept


def test_the_audit_attacks_no_record_that_has_a_copy():
    made = repeated(1000, PAIRS)
    split = data.split(made, participants=2, seed=0)
    everything = [split.attack_train, split.selection, split.evaluation]
    attacked = np.concatenate([np.concatenate(records) for records in everything])
    others = np.setdiff1d(np.arange(1000), attacked)
    assert equal_pairs(made.x, attacked, others) == 0
    assert len(np.unique(made.x[attacked], axis=0)) == len(attacked)
    together = np.concatenate([*split.participants, split.public])
    unheld = np.concatenate([np.concatenate(r[1:]) for r in everything])
    np.testing.assert_array_equal(
        np.sort(np.concatenate([together, unheld])), np.arange(1000)
    )
    assert 0 < split.copies_left_out <= 2 * PAIRS and not split.copies_kept


def test_shadow_models_have_no_record_that_has_a_copy():
    made = repeated(1000, PAIRS)
    split = whitebox_splits.split(WhiteboxSettings(), made, 1, seed=1)
    for each in (10, 400):  # Of what nobody holds; of all that are left.
        owned, _ = whitebox_shadows.pool(made, split, each)
        assert not copies.have_copies(made.x)[owned].any()


@pytest.mark.parametrize("kind", KINDS)
def test_records_that_are_all_copies_are_attacked_and_marked(kind):
    """20 records, each 20 times: the verdict says that nothing can be told of them."""
    x = np.repeat(np.random.default_rng(0).normal(size=(20, 3)), 20, axis=0)
    made = data.Dataset("made up", x.astype(np.float32), np.arange(400) % 4, 4)
    split = whitebox_splits.split(KINDS[kind], made, 3, seed=1)
    assert (split.copies_left_out, split.copies_kept) == (0, True)
    audited = data.split(made, participants=2, seed=0)
    assert (audited.copies_left_out, audited.copies_kept) == (0, True)


def test_what_is_asked_for_beyond_what_copies_leave_is_refused_with_their_number():
    made = repeated(1000, PAIRS)
    settings = WhiteboxSettings(evaluation_records=270)
    plain = made._replace(x=np.arange(3000, dtype=np.float32).reshape(1000, 3))
    whitebox_splits.split(settings, plain, 1, seed=1)
    with pytest.raises(errors.InputError, match=r"records with exact copies are left"):
        whitebox_splits.split(settings, made, 1, seed=1)


def test_without_copies_nothing_changes():
    """The same draws as of data in which nothing is compared."""
    plain = repeated(400, 0)
    zeros = plain._replace(x=np.zeros((400, 3), np.float32))  # All are kept.
    for settings in KINDS.values():
        first, second = (
            whitebox_splits.split(settings, made, 2, seed=5) for made in (plain, zeros)
        )
        for one, other in zip(sets_of(first), sets_of(second), strict=True):
            np.testing.assert_array_equal(one, other)
    first, second = (
        data.split(made, participants=2, seed=5) for made in (plain, zeros)
    )
    np.testing.assert_array_equal(first.public, second.public)
    np.testing.assert_array_equal(first.evaluation, second.evaluation)
    assert first.copies_left_out == 0 and not first.copies_kept


@pytest.mark.skipif(not RETAIL.is_file(), reason=f"{RETAIL} is not at hand")
def test_retail_non_members_equal_no_training_record():
    """122 of 5,000 did; the sizes of its tables are met without them."""
    made = data.load(f"npz:{RETAIL}")
    assert copies.have_copies(made.x).sum() == 2230
    settings = WhiteboxSettings(
        members_per_participant=10000,
        attack_members=(4000,),
        attack_non_members=(4000,),
        evaluation_records=5000,
    )
    split = whitebox_splits.split(settings, made, 1, seed=0)
    _, _, evaluation = split.non_members["global"]
    trained = {made.x[i].tobytes() for i in split.shares[0]}
    assert len(evaluation) == len(split.members["global"].evaluation) == 5000
    assert not any(made.x[i].tobytes() in trained for i in evaluation)
    assert split.copies_left_out == 2230


def test_what_is_told():
    assert copies.told(3, False) == {"copies_left_out": 3, "copies_kept": False}
    assert copies.notes(0, False) == []
    (note,) = copies.notes(1234, False)
    assert note.startswith("1,234 records that could be attacked have an exact copy")
    (note,) = copies.notes(0, True)
    assert "copies are attacked too" in note
