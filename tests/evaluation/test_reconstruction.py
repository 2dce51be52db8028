import json

import numpy as np
import pytest
from scipy import linalg, stats

from jaxprivacy.evaluation import reconstruction


def images(count, seed, shape=(4, 4, 1)):
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape))


def test_frechet_by_hand():
    # One feature: (0 - 5)^2 + (sd 1 - sd 3)^2; the sd have ddof 1.
    a, b = np.array([[-1.0], [0.0], [1.0]]), np.array([[2.0], [5.0], [8.0]])
    assert reconstruction.frechet_distance(a, b) == pytest.approx(25 + 4)
    assert reconstruction.frechet_distance(a, a) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("counts", [(40, 30), (3, 40), (3, 4)])
def test_frechet_agrees_with_the_formula(counts):
    rng = np.random.default_rng(0)
    a, b = (
        rng.normal(i, 1 + i, (n, 6)) @ rng.normal(size=(6, 6))
        for i, n in enumerate(counts)
    )
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)

    def root(matrix):  # Of a symmetric matrix, singular or not.
        values, vectors = linalg.eigh(matrix)
        return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T

    middle = root(root(cov_a) @ cov_b @ root(cov_a))
    expected = np.sum((a.mean(0) - b.mean(0)) ** 2)
    expected += np.trace(cov_a + cov_b - 2 * middle)
    found = reconstruction.frechet_distance(a, b)
    assert found == pytest.approx(expected, rel=1e-6)
    assert found == pytest.approx(reconstruction.frechet_distance(b, a), rel=1e-9)
    if min(counts) > 6:
        product = linalg.sqrtm(cov_a @ cov_b).real
        assert np.trace(middle) == pytest.approx(np.trace(product))


def test_frechet_needs_two_finite_records():
    with pytest.raises(ValueError, match="features of 1 and 2 records"):
        reconstruction.frechet_distance(np.ones((1, 3)), np.ones((2, 3)))
    assert np.isnan(reconstruction.frechet_distance(np.full((2, 3), np.nan), np.eye(3)))


def test_diversity_by_hand():
    # Corners of a 3-4-5 triangle.
    corners = np.array([[0, 0], [3, 0], [0, 4]]).reshape(3, 1, 2, 1)
    assert reconstruction.diversity(corners) == pytest.approx((3 + 4 + 5) / 3)
    assert reconstruction.diversity(np.ones((4, 2, 2, 1))) == 0


def test_nearest_and_closest_by_hand():
    samples = np.array([[0.0, 0.0], [10.0, 0.0]]).reshape(2, 1, 2, 1)
    # From (0, 0): L2 3 and sqrt(8), L1 3 and 4.
    references = np.array([[3.0, 0.0], [2.0, 2.0]]).reshape(2, 1, 2, 1)
    found = reconstruction.nearest(samples, references)
    assert found == pytest.approx((np.sqrt(8) + 7) / 2)
    indices = reconstruction.closest_l1(samples, references)
    np.testing.assert_array_equal(indices, [0, 0])


def test_chunks_agree_with_plain_loops():
    samples, references = images(150, 0), images(9, 1)
    gaps = samples[:, None] - references[None]
    euclidean = np.sqrt((gaps**2).sum((2, 3, 4)))
    taxicab = np.abs(gaps).sum((2, 3, 4))
    assert reconstruction.nearest(samples, references) == pytest.approx(
        euclidean.min(1).mean()
    )
    indices = reconstruction.closest_l1(samples, references)
    np.testing.assert_array_equal(indices, taxicab.argmin(1))


def row(count=4, **changes):
    rng = np.random.default_rng(2)
    arguments = {
        "attack": "gan",
        "target_class": 1,
        "hits": np.array([True, False, True, True]),
        "confidence": np.array([0.9, 0.4, 0.8, 0.7]),
        "features": rng.normal(size=(4, 3)),
        "alike": count,
        "images": images(4, 3),
        "private_images": images(5, 4),
        "public_images": images(3, 5),
        "private_features": rng.normal(size=(5, 3)),
    }
    for name in ("hits", "confidence", "features", "images"):
        arguments[name] = arguments[name][:count]
    return reconstruction.reconstruction_row(**arguments | changes), arguments


def test_row():
    found, arguments = row()
    assert (found["attack"], found["target_class"], found["samples"]) == ("gan", 1, 4)
    assert found["hit_rate"]["value"] == 0.75
    assert 0 < found["hit_rate"]["low"] < 0.75 < found["hit_rate"]["high"] < 1
    assert found["confidence"] == pytest.approx(0.7)
    # Both references are cut to three, or more private images would be nearer.
    assert found["nearest_private"] == reconstruction.nearest(
        arguments["images"], arguments["private_images"][:3]
    )
    assert found["nearest_public"] == reconstruction.nearest(
        arguments["images"], arguments["public_images"]
    )
    assert found["frechet"] == reconstruction.frechet_distance(
        arguments["features"], arguments["private_features"]
    )
    assert found["diversity"] == reconstruction.diversity(arguments["images"])
    json.dumps(found, allow_nan=False)


def test_the_frechet_distance_is_of_so_many_samples_at_a_time():
    """The mean over the sets; what fills no set is left out."""
    rng = np.random.default_rng(5)
    features, references = rng.normal(size=(11, 3)), rng.normal(1, 1, (6, 3))
    sets = [features[:4], features[4:8]]
    want = np.mean([reconstruction.frechet_distance(s, references) for s in sets])
    got = reconstruction.frechet_of_few(features, references, 4)
    assert got == pytest.approx(want)
    assert got > reconstruction.frechet_distance(features[:8], references)


def test_row_of_one_sample_or_without_references():
    found, _ = row(1)
    assert found["frechet"] is None and found["diversity"] is None
    assert found["nearest_private"] > 0
    found, _ = row(public_images=images(0, 0), private_features=np.ones((1, 3)))
    assert found["nearest_private"] is None and found["nearest_public"] is None
    assert found["frechet"] is None and found["diversity"] > 0
    with pytest.raises(ValueError, match="samples of gan"):
        row(0)


def test_row_of_a_generator_that_diverged():
    nothing = np.full((4, 4, 4, 1), np.nan)
    found, _ = row(
        target_class=0,
        images=nothing,
        features=np.full((4, 3), np.inf),
        hits=np.zeros(4, bool),
        confidence=nothing[:, 0, 0, 0],
    )
    assert found["hit_rate"]["value"] == 0
    for name in ("confidence", "frechet", "nearest_private", "diversity"):
        assert found[name] is None, name
    json.dumps(found, allow_nan=False)


def summed(attack, hit, frechet, **changes):
    return {
        "attack": attack,
        "hit_rate": {"value": hit, "low": 0.0, "high": 1.0},
        "frechet": frechet,
        "nearest_private": 3.0,
        "nearest_public": None,
        "diversity": 1.0,
    } | changes


def test_summarise_by_hand():
    rows = [
        summed("gan", 0.4, 1.0),
        summed("real", 1.0, 8.0),
        summed("gan", 0.5, 2.0),
        summed("gan", 0.6, 3.0),
    ]
    gan, real = reconstruction.summarise(rows)
    assert (gan["attack"], gan["rows"]) == ("gan", 3)
    assert (real["attack"], real["rows"]) == ("real", 1)
    # Standard deviations 0.1 and 1, over the root of 3; t(0.975, 2) is 4.303.
    half = 4.302653 / np.sqrt(3)
    assert gan["hit_rate"]["value"] == pytest.approx(0.5)
    assert gan["hit_rate"]["low"] == pytest.approx(0.5 - 0.1 * half)
    assert gan["hit_rate"]["high"] == pytest.approx(0.5 + 0.1 * half)
    assert gan["frechet"]["value"] == pytest.approx(2.0)
    assert gan["frechet"]["low"] == 0.0  # 2 - 2.48 is cut: no distance is below 0.
    assert gan["frechet"]["high"] == pytest.approx(2.0 + half)
    same = {"value": 3.0, "low": 3.0, "high": 3.0, "rows": 3}
    assert gan["nearest_private"] == pytest.approx(same)
    # One row has no interval.
    assert real["frechet"] == {"value": 8.0, "low": None, "high": None, "rows": 1}
    json.dumps([gan, real], allow_nan=False)


def test_summarise_leaves_out_what_is_absent_and_says_so():
    rows = [summed("gan", 1.0, None), summed("gan", 0.9, 2.0), summed("gan", 1.0, 4.0)]
    (gan,) = reconstruction.summarise(rows)
    assert (gan["frechet"]["value"], gan["frechet"]["rows"]) == (3.0, 2)
    # Two rows, 2 and 4: 1 is their standard error and t(0.975, 1) is 12.706.
    assert gan["frechet"]["high"] == pytest.approx(3 + 12.7062, rel=1e-5)
    absent = {"value": None, "low": None, "high": None, "rows": 0}
    assert gan["nearest_public"] == absent
    assert gan["hit_rate"]["rows"] == 3 and gan["hit_rate"]["high"] == 1.0  # Cut.
    assert reconstruction.summarise([]) == []


def test_hit_rates_of_several_seeds_are_no_binomial_of_all_their_samples():
    """100, 5 and 0 % of 200 samples each: pooled, 35 % within 4 %."""
    rates = [[1.0, 0.98, 1.0], [0.05, 0.02, 0.09], [0.0, 0.0, 0.02]]
    (value, low, high), named = reconstruction.over_runs(rates, [0, 1, 2])
    assert value == pytest.approx(0.35) and named == "3 seeds"
    assert (low, high) == (0.0, 1.0)  # The mean of three says next to nothing.


def test_seeds_count_once_whatever_classes_they_have():
    values = np.array([0.5, 0.7, 0.6, 0.8])
    rates = np.stack([values, values - 0.1, values + 0.1], axis=1)
    (value, low, high), named = reconstruction.over_runs(rates, [0, 0, 1, 1])
    half = stats.t.ppf(0.975, 1) * np.std([0.6, 0.7], ddof=1) / 2**0.5
    assert named == "2 seeds" and value == pytest.approx(0.65)
    assert (low, high) == pytest.approx((max(0, 0.65 - half), min(1, 0.65 + half)))
    of_classes, named = reconstruction.over_runs(rates, [3, 3, 3, 3])
    half = stats.t.ppf(0.975, 3) * values.std(ddof=1) / 2
    assert named == "4 runs"
    assert of_classes == pytest.approx([0.65, 0.65 - half, 0.65 + half])


def test_one_run_keeps_its_own_interval():
    (value, low, high), named = reconstruction.over_runs([[0.5, 0.4, 0.6]], [7])
    assert (value, low, high, named) == (0.5, 0.4, 0.6, "samples")
