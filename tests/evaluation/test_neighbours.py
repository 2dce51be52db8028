"""How near images lie to the real ones of a class, pixel by pixel."""

from unittest import mock

import numpy as np
import pytest

from jaxprivacy.evaluation import neighbours


def grey(levels, size=2):
    return np.tile(np.reshape(levels, (-1, 1, 1, 1)), (1, size, size, 1)).astype(
        np.float32
    )


# Of 2 x 2 pixels: a difference of 0.1 is a distance of 0.2.
LEVELS = [0.0, 0.1, 0.3, 0.9, 1.0]
LABELS = np.array([0, 0, 0, 1, 1])


def test_a_table_by_hand():
    found = neighbours.fit(grey(LEVELS), LABELS, classes=3)
    own = np.array([0.2, 0.2, 0.4, 0.2, 0.2])
    other = np.array([1.8, 1.6, 1.2, 1.2, 1.4])
    # No class has enough images: the quantiles are those of all.
    np.testing.assert_allclose(found.farthest, np.quantile(own, 0.98), rtol=1e-5)
    np.testing.assert_allclose(found.ratios, np.quantile(own / other, 0.98), rtol=1e-5)
    # 0.4 and 0.392 apart from the nearest of class 0; the ratio is at most 0.31.
    asked = grey([-0.2, -0.19, 0.2, 0.6, 0.95])
    near = neighbours.near(found, asked, 0)
    np.testing.assert_array_equal(near, [False, True, True, False, False])
    np.testing.assert_array_equal(
        neighbours.near(found, asked, 1), [False] * 4 + [True]
    )
    # There is no image of class 2.
    assert not neighbours.near(found, asked, 2).any()


def test_it_is_what_a_plain_loop_finds():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(40, 4, 6, 2)).astype(np.float32)
    labels = rng.integers(0, 3, 40)
    with (
        mock.patch.object(neighbours, "AT_ONCE", 7),
        mock.patch.object(neighbours, "BLUR", 0),
    ):
        found = neighbours.fit(images, labels, classes=3)
    own, ratios = [], []
    for i, image in enumerate(found.images):
        apart = {True: [], False: []}
        for j, other in enumerate(found.images):
            if i != j:
                same = bool(labels[i] == labels[j])
                apart[same].append(np.linalg.norm(image - other))
        own.append(min(apart[True]))
        ratios.append(min(apart[True]) / min(apart[False]))
    np.testing.assert_allclose(found.farthest, np.quantile(own, 0.98), rtol=1e-4)
    np.testing.assert_allclose(found.ratios, np.quantile(ratios, 0.98), rtol=1e-4)
    np.testing.assert_array_equal(found.images, images.reshape(40, -1))


def classes_of_images(count, seed, classes=3):
    """Each class a pattern of its own of 16 x 16 pixels, with noise."""
    patterns = np.random.default_rng(9).normal(size=(classes, 16, 16, 1))
    labels = np.arange(count) % classes
    noise = np.random.default_rng(seed).normal(size=(count, 16, 16, 1))
    return (patterns[labels] + 0.5 * noise).astype(np.float32), labels


def test_real_images_pass_and_noise_and_other_classes_do_not():
    found = neighbours.fit(*classes_of_images(900, seed=0), classes=3)
    new, labels = classes_of_images(900, seed=1)
    for label in range(3):
        assert neighbours.near(found, new[labels == label], label).mean() > 0.93
        assert not neighbours.near(found, new[labels != label], label).any()
    noise = np.random.default_rng(2).normal(size=(100, 16, 16, 1))
    grey_stripes = np.zeros((1, 16, 16, 1))
    for wrong in (noise, noise * 0.1, grey_stripes, np.full_like(noise, np.nan)):
        assert not neighbours.near(found, wrong, 0).any()


def test_what_can_hardly_be_told_apart_passes_all_the_same():
    """Classes that overlap: the share of real images that pass is kept."""
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(1200, 3, 3, 1)), np.arange(1200) % 2
    found = neighbours.fit(images[:600], labels[:600], classes=2)
    passed = neighbours.near(found, images[600::2], 0)
    assert passed.mean() > 0.93


def test_a_class_with_enough_images_has_thresholds_of_its_own():
    rng = np.random.default_rng(0)
    spread = np.repeat([0.1, 1.0], 150)
    images = rng.normal(size=(300, 4, 4, 1)) * spread[:, None, None, None]
    labels = np.repeat([0, 1], 150)
    found = neighbours.fit(images, labels, classes=2)
    assert found.farthest[0] < 0.2 * found.farthest[1]
    few = np.r_[0:99, 150:249]
    assert len(set(neighbours.fit(images[few], labels[few], 2).farthest)) == 1


def test_not_all_of_many_images_are_kept_but_some_of_each_class():
    images, _ = classes_of_images(40, seed=0)
    labels = np.r_[np.zeros(38, int), 1, 2]
    with mock.patch.object(neighbours, "MOST", 6):
        found = neighbours.fit(images, labels, classes=3)
    np.testing.assert_array_equal(np.bincount(found.labels), [4, 1, 1])


@pytest.mark.parametrize("labels", [[0, 1, 2], [0]])
def test_where_no_class_has_two_images_nothing_is_near(labels):
    images = grey(LEVELS[: len(labels)])
    found = neighbours.fit(images, np.array(labels), classes=3)
    assert not neighbours.near(found, images, 0).any()


def test_a_grain_that_nobody_sees_counts_less():
    """Of 64 x 64 pixels, a chequerboard is blurred, a gradient is not."""
    rows, columns = np.mgrid[:64, :64]
    grain = (0.5 * (-1.0) ** (rows + columns))[None, :, :, None]
    slope = (0.5 * np.sign(rows - 31.5))[None, :, :, None]
    flat = [np.linalg.norm(neighbours._blurred(image)) for image in (grain, slope)]
    assert flat[0] < 0.1 * flat[1]


def test_what_is_flat_is_near_but_shows_nothing():
    """The mean of all images lies nearer to each of them than they to each other."""
    rng = np.random.default_rng(4)
    images = rng.normal(size=(240, 12, 12, 1)).astype(np.float32)
    labels = np.arange(240) % 2
    found = neighbours.fit(images, labels, classes=2)
    own = neighbours._contrast(neighbours._blurred(images[labels == 1]))
    assert found.contrasts[1] == pytest.approx(np.quantile(own, 0.005))
    flat = 0.1 * rng.normal(size=(50, 12, 12, 1)).astype(np.float32)
    assert not neighbours.near(found, flat, 1).any()
    lenient = found._replace(contrasts=np.zeros(2))
    assert neighbours.near(lenient, flat, 1).mean() > 0.9
    by_hand = grey([0.5])
    by_hand[0, 0] = 1.5  # Of 2 x 2 pixels one row: a deviation of 0.5.
    np.testing.assert_allclose(neighbours._contrast(by_hand), [0.5])
