"""Where the images of each class lie."""

import numpy as np
import pytest

from jaxprivacy.evaluation import regions


def drawn(count, seed=0, classes=2):
    """Classes about (10 k, 0), wide in the second feature."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = rng.normal(0, [1, 5], (count, 2)) + np.c_[10 * labels, 0 * labels]
    return features, labels


def test_99_percent_of_new_images_pass_and_few_of_another_class():
    fitted = regions.fit(*drawn(4000), classes=2)
    features, labels = drawn(4000, seed=1)
    for label in range(2):
        inside = regions.within(fitted, features, label)
        assert inside[labels == label].mean() == pytest.approx(0.99, abs=0.01)
        assert inside[labels != label].mean() < 0.01


def test_distances_follow_the_spread_of_the_features():
    fitted = regions.fit(*drawn(4000), classes=2)
    along, across = np.array([[0.0, 12.0]]), np.array([[6.0, 0.0]])
    assert regions.within(fitted, along, 0).all()
    assert not regions.within(fitted, across, 0).any()


def many_features(images, classes=40, size=64):
    """Few images of each class, in more features than the classes have images."""
    rng = np.random.default_rng(3)
    centres = rng.normal(0, 3, (classes, size))

    def draw(count):
        labels = np.repeat(np.arange(classes), count)
        return centres[labels] + rng.normal(size=(len(labels), size)), labels

    return draw(images), draw(200)


@pytest.mark.parametrize("images", [6, 30])
def test_99_percent_of_images_that_it_was_not_fitted_to_pass(images):
    """Distances to one's own mean and covariance would let 87 % pass, of six."""
    (features, labels), (new, of) = many_features(images)
    fitted = regions.fit(features, labels, classes=40)
    assert len(set(fitted.thresholds)) == 1
    passed = [
        regions.within(fitted, new[of == label], label).mean() for label in range(40)
    ]
    assert np.mean(passed) > 0.97


def test_a_class_may_have_no_image_or_one():
    """One is its own mean: it says nothing of how far images lie."""
    (features, labels), (new, of) = many_features(6)
    few = np.flatnonzero(labels % 2 == 0)
    some = np.concatenate(
        [few, [np.flatnonzero(labels == k)[0] for k in range(1, 40, 2)]]
    )
    alone, without = (
        regions.fit(features[which], labels[which], classes=41) for which in (few, some)
    )
    np.testing.assert_allclose(alone.precision, without.precision)
    assert np.isnan(without.means[40]).all()
    assert not regions.within(without, features, 40).any()
    passed = regions.within(without, new[of == 2], 2).mean()
    assert passed > 0.9


def test_where_no_class_has_two_images_nothing_passes():
    features = np.random.default_rng(0).normal(size=(5, 3))
    fitted = regions.fit(features, np.arange(5), classes=5)
    for label in range(5):
        assert not regions.within(fitted, features, label).any()


def test_a_class_with_enough_images_has_a_threshold_of_its_own():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], regions.ENOUGH)
    features = rng.normal(size=(len(labels), 2)) * np.where(labels, 3, 1)[:, None]
    fitted = regions.fit(features, labels, classes=2)
    assert fitted.thresholds[1] > 4 * fitted.thresholds[0]
