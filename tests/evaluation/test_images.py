"""PSNR, SSIM and matching: hand-computed, and against plain loops."""

import itertools

import numpy as np
import pytest

from jaxprivacy.evaluation import images

RNG = np.random.default_rng(0)


def pictures(count, side=16, channels=1):
    return RNG.uniform(-1, 1, (count, side, side, channels))


def test_psnr_by_hand():
    zero = np.zeros((4, 2, 2, 1))
    off = np.array([2.0, 0.2, 0.02, 0.0]).reshape(4, 1, 1, 1) + zero
    np.testing.assert_allclose(images.psnr(off, zero), [0, 20, 40, 60])
    # Half of the entries off by 1 of a span of 1.
    half = np.array([[0.0, 1.0]])
    want = 10 * np.log10(2)
    np.testing.assert_allclose(images.psnr(half, np.zeros((1, 2)), span=1), want)


def test_psnr_of_what_is_no_number_is_none():
    broken = np.full((1, 2, 2, 1), np.nan)
    assert images.psnr(broken, np.zeros_like(broken)) == 0


def test_ssim_by_hand():
    x = pictures(2)
    np.testing.assert_allclose(images.ssim(x, x), 1)
    # Of flat images only the means are left: 1.6 and 0.8 above black.
    flat = np.ones((1, 12, 12, 1))
    want = (2 * 1.6 * 0.8 + 0.02**2) / (1.6**2 + 0.8**2 + 0.02**2)
    np.testing.assert_allclose(images.ssim(0.6 * flat, -0.2 * flat), want)
    np.testing.assert_allclose(images.ssim(1.6 * flat, 0.8 * flat, 0, 2), want)
    # The negative has the opposite structure.
    assert images.ssim(-x, x).max() < -0.5


@pytest.mark.parametrize(("side", "window"), [(13, 11), (8, 7), (4, 3)])
def test_ssim_is_that_of_a_plain_loop(side, window):
    a, b = pictures(1, side, 2), pictures(1, side, 2)
    radius = window // 2
    grid = np.arange(window) - radius
    weights = np.exp(-(grid[:, None] ** 2 + grid**2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for i, j, c in itertools.product(
        range(side - window + 1), range(side - window + 1), range(2)
    ):
        p, q = (1 + x[0, i : i + window, j : j + window, c] for x in (a, b))
        mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
        var_p = (weights * (p - mean_p) ** 2).sum()
        var_q = (weights * (q - mean_q) ** 2).sum()
        both = (weights * (p - mean_p) * (q - mean_q)).sum()
        c1, c2 = 0.02**2, 0.06**2
        above = (2 * mean_p * mean_q + c1) * (2 * both + c2)
        values.append(above / ((mean_p**2 + mean_q**2 + c1) * (var_p + var_q + c2)))
    np.testing.assert_allclose(images.ssim(a, b), np.mean(values), rtol=1e-9)


def test_ssim_is_scikit_images():
    metrics = pytest.importorskip("skimage.metrics")
    a, b = pictures(3, 20, 3), pictures(3, 20, 3)
    for found, record, got in zip(a, b, images.ssim(a, b), strict=True):
        want = metrics.structural_similarity(
            found + 1,
            record + 1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=2,
            channel_axis=-1,
        )
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_matching_undoes_a_permutation():
    x = pictures(7)
    order = RNG.permutation(7)
    found = (x + 0.01 * RNG.normal(size=x.shape))[order]
    matched = images.match(found, x)
    np.testing.assert_array_equal(order[matched], np.arange(7))


def test_matching_has_the_smallest_sum():
    a, b = pictures(4, 2), pictures(4, 2)

    def total(order):
        return np.sum((a[list(order)] - b) ** 2)

    best = min(itertools.permutations(range(4)), key=total)
    np.testing.assert_array_equal(images.match(a, b), best)


def test_what_is_no_number_is_matched_with_what_is_left():
    x = pictures(3)
    found = x[[2, 0, 1]]
    found[0] = np.nan
    np.testing.assert_array_equal(images.match(found, x), [1, 2, 0])


def test_the_best_public_set_is_the_nearest_one():
    records = pictures(2)
    sets = np.stack([pictures(2), records[::-1] + 0.1, pictures(2)])
    np.testing.assert_allclose(images.best_public(sets, records), records + 0.1)


def test_right_bits_and_labels_by_hand():
    found = np.array([[0.9, 0.2, 0.6, 0.4], [0.0, 0.0, 0.0, 0.0]])
    records = np.array([[1, 0, 0, 1], [0, 0, 0, 1]])
    np.testing.assert_allclose(images.right_bits(found, records), [0.5, 0.75])
    assert images.right_labels(np.array([1, 1, 4, 0]), np.array([1, 0, 0, 2])) == 0.5
