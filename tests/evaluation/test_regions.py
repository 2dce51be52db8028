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


def test_few_images_of_a_class_share_a_threshold_and_a_class_may_have_none():
    """Of six images a class, each beyond its own mean of which it is no part."""
    features, labels = drawn(6 * 30, classes=30)
    fitted = regions.fit(features, labels, classes=31)
    assert len(set(fitted.thresholds)) == 1
    assert np.isnan(fitted.means[30]).all()
    assert not regions.within(fitted, features, 30).any()
    new, of = drawn(6 * 300, seed=2, classes=30)
    passed = [
        regions.within(fitted, new[of == label], label).mean() for label in range(30)
    ]
    assert np.mean(passed) > 0.95


def test_a_class_with_enough_images_has_a_threshold_of_its_own():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], regions.ENOUGH)
    features = rng.normal(size=(len(labels), 2)) * np.where(labels, 3, 1)[:, None]
    fitted = regions.fit(features, labels, classes=2)
    assert fitted.thresholds[1] > 4 * fitted.thresholds[0]
