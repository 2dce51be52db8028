import numpy as np
import pytest

from jaxprivacy import data


@pytest.fixture(scope="module")
def dataset():
    x = np.arange(600, dtype=np.float32)[:, None]
    x[-60:] = x[:60]  # Copies: of 120 records membership is no question.
    return data.Dataset("numbers", x, (np.arange(600) % 3).astype(np.int32), 3)


@pytest.fixture(scope="module")
def split(dataset):
    return data.split(
        dataset, participants=4, members_per_participant=80, victim=2, seed=1
    )


def test_the_others_give_as_many_as_the_set_has_members_class_for_class(dataset, split):
    found = data.of_others(dataset, split, 0)
    for part, members in zip(
        found, (split.selection.members, split.evaluation.members), strict=True
    ):
        wanted = np.bincount(dataset.y[members], minlength=3)
        for number, held in enumerate(split.participants):
            drawn = part[np.isin(part, held)]
            kinds = np.bincount(dataset.y[drawn], minlength=3)
            expected = 0 * wanted if number == split.victim else wanted
            np.testing.assert_array_equal(kinds, expected)
        assert len(part) == 3 * len(members) > 0


def test_none_stands_twice_or_has_a_copy(dataset, split):
    both = np.concatenate(data.of_others(dataset, split, 0))
    assert len(np.unique(both)) == len(both)
    assert not np.isin(both, [*range(60), *range(540, 600)]).any()
    assert not np.array_equal(both, np.concatenate(data.of_others(dataset, split, 1)))


def test_a_participant_without_a_class_gives_none_of_it(dataset):
    split = data.split(
        dataset, participants=2, members_per_participant=90, how="by_class", seed=1
    )
    for part in data.of_others(dataset, split, 0):
        assert np.isin(part, split.participants[1]).all()
        classes = np.unique(dataset.y[part])
        assert np.isin(classes, dataset.y[split.participants[0]]).all()
