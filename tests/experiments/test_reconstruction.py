import itertools

import numpy as np
import pytest

from jaxprivacy import checks, data
from jaxprivacy.experiments import reconstruction
from jaxprivacy.experiments.settings import Settings

CLASSES = 5


@pytest.fixture(scope="module")
def dataset():
    y = (np.arange(400) % CLASSES).astype(np.int32)
    return data.Dataset("images", np.zeros((400, 4, 4, 1), np.float32), y, CLASSES)


def seats(dataset, **changes):
    settings = Settings(participants=3, **changes)
    split = data.split(dataset, participants=3, seed=settings.seed)
    return reconstruction.seats(settings, dataset, split), split


@pytest.mark.parametrize("target", [0, 1, 2, 3])
def test_the_adversary_holds_no_record_of_the_target(target, dataset):
    who, _ = seats(dataset, target_class=target)
    assert len(who.honest) == 2
    assert target not in dataset.y[who.adversary]
    assert set(dataset.y[who.private]) == {target}
    assert np.isin(who.private, np.concatenate(who.honest)).all()


def test_the_seats_hold_what_the_participants_held(dataset):
    who, split = seats(dataset)
    dealt = np.concatenate([*who.honest, who.adversary])
    held = np.concatenate(split.participants)
    np.testing.assert_array_equal(np.sort(dealt), np.sort(held))
    classes = [set(dataset.y[share]) for share in (*who.honest, who.adversary)]
    assert all(not a & b for a, b in itertools.combinations(classes, 2))


def test_what_judges_was_held_by_nobody(dataset):
    who, split = seats(dataset, target_class=1)
    held = np.concatenate(split.participants)
    for records in (who.real, who.public, who.judge):
        assert len(records) and not np.isin(records, held).any()
    # The row `real` is of images that the judge has not seen, nor are they compared
    # with themselves; the judge may know the public ones.
    for records in (who.public, who.judge):
        assert not np.isin(who.real, records).any()
    for records in (who.real, who.public):
        assert set(dataset.y[records]) == {1}
    everything = np.concatenate([held, who.judge, who.real])
    np.testing.assert_array_equal(np.sort(everything), np.arange(400))


@pytest.mark.parametrize(
    ("target", "said"), [(5, "accepted are 0 to 4"), (4, "accepted are 0, 1, 2, 3")]
)
def test_a_target_that_cannot_be_attacked(target, said, dataset):
    with pytest.raises(checks.InputError, match=f"--target_class={target}: .*{said}"):
        seats(dataset, target_class=target)


def test_a_target_that_nobody_holds():
    # 2 records of class 0 among 1000: none of them is drawn for the participants.
    y = np.r_[0, 0, 1 + np.arange(998) % 4].astype(np.int32)
    dataset = data.Dataset("images", np.zeros((1000, 4, 4, 1), np.float32), y, CLASSES)
    sizes = {"participants": 3, "members_per_participant": 40}
    split = data.split(dataset, **sizes, seed=0)
    assert 0 not in dataset.y[np.concatenate(split.participants)]
    with pytest.raises(checks.InputError, match="--target_class=0: "):
        reconstruction.seats(Settings(**sizes), dataset, split)


def test_a_target_that_only_participants_hold():
    # Of class 0, few as it is, all is held: nothing is left to compare with.
    y = np.r_[0, 0, 1 + np.arange(998) % 4].astype(np.int32)
    dataset = data.Dataset("images", np.zeros((1000, 4, 4, 1), np.float32), y, CLASSES)
    sizes = {"participants": 3, "members_per_participant": 260}
    split = data.split(dataset, **sizes, seed=0)
    assert set(np.flatnonzero(y == 0)) <= set(np.concatenate(split.participants))
    with pytest.raises(checks.InputError, match="--target_class=0: "):
        reconstruction.seats(Settings(**sizes), dataset, split)
