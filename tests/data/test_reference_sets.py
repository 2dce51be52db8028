"""Records of reference models: in half of them, of each class and with complements."""

import numpy as np
import pytest

from jaxprivacy import errors
from jaxprivacy.data import reference_sets


def drawn(models=8, seed=0):
    labels = np.random.default_rng(1).integers(7, size=501)
    return labels, reference_sets.halves(labels, models, np.random.default_rng(seed))


def test_each_record_is_in_half_of_the_models_and_each_model_has_half_of_each_class():
    labels, held = drawn()
    assert (held.sum(axis=0) == 4).all()
    assert (held[0::2] == ~held[1::2]).all()
    assert set(held.sum(axis=1)) <= {250, 251}
    for label in range(7):
        share = held[:, labels == label].sum(axis=1)
        assert np.ptp([*share, (labels == label).sum() / 2]) <= 1


def test_a_target_of_the_pool_leaves_no_count_that_tells_members():
    _, held = drawn()
    for target in (0, 3, 6):
        left = held[reference_sets.others(len(held), target)]
        assert target not in reference_sets.others(len(held), target)
        assert (left.sum(axis=0) == 3).all()
    assert reference_sets.others(8, 0, 5).tolist() == [2, 3, 6, 7]


def test_halves_are_random():
    (_, a), (_, b) = drawn(64), drawn(64, seed=1)
    assert 0.4 < np.mean(a[0] == b[0]) < 0.6
    pairs = np.corrcoef(a[::2, :50].astype(float).T)
    assert np.abs(pairs[~np.eye(50, dtype=bool)]).mean() < 0.2


@pytest.mark.parametrize("models", [0, 1, 7])
def test_an_odd_pool_is_refused(models):
    with pytest.raises(errors.InputError, match=f"references={models}: accepted are"):
        drawn(models)


def test_a_class_of_one_record_is_refused_by_name():
    with pytest.raises(errors.InputError, match="class 5 has a single record"):
        reference_sets.halves(np.array([4, 4, 5]), 2, np.random.default_rng(0))
