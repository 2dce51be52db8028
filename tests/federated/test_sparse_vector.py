"""The sparse-vector release against its listing, by hand and by distribution.

Every statistical test has a fixed seed and says the probability of rejecting a correct
release, had the seed not been fixed.
"""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import stats

from jaxprivacy.federated import sparse_vector

INFINITY = float("inf")
LEVEL = 1e-3  # of each statistical test, over all its comparisons together
RUNS = 10_000

# Sizes on both sides of the threshold and beyond the bound, of both signs.
UPDATE = np.array([0.0, 0.2, -0.4, 0.5, 0.7, -0.9, 1.0, -1.5, 3.0], np.float32)
# The threshold is so high that often fewer than `count` are released: then it matters
# most when rho is drawn.
SETTING = {"epsilon": 60.0, "count": 3, "threshold": 1.2, "bound": 1.0}


@jax.jit
def release_often(key, update, setting):
    """Compiled once for all tests: every number of the setting is traced."""
    keys = jax.random.split(key, RUNS)
    return jax.vmap(lambda key: sparse_vector.release(key, update, **setting))(keys)


def releases(seed=0, update=UPDATE, **changes):
    """Many releases of one update: values and masks, each (RUNS, n)."""
    setting = {**SETTING, **changes}
    return jax.tree.map(
        np.asarray, release_often(jax.random.key(seed), update, setting)
    )


def listing(rng, update, epsilon, count, threshold, bound, mistake=None):
    """The listing of A-SVT, line by line; `mistake` names what is done wrongly."""
    values, mask = np.zeros(len(update)), np.zeros(len(update), bool)

    def clip(x):
        return min(max(x, -bound), bound)

    def sigma(x):
        return 2 * count * (2 * bound) / x

    epsilon_1, epsilon_2 = 8 / 9 * epsilon, 2 / 9 * epsilon
    query_scale = (1 if mistake == "query scale" else 2) * sigma(epsilon_1)
    release_scale = (2 if mistake == "release scale" else 1) * sigma(epsilon_2)
    unvisited, uploaded = list(range(len(update))), 0
    rho = rng.laplace(scale=sigma(epsilon_1))
    while unvisited:
        j = unvisited.pop(rng.integers(len(unvisited)))
        if mistake == "rho for each":
            rho = rng.laplace(scale=sigma(epsilon_1))
        r = rng.laplace(scale=query_scale)
        if abs(clip(update[j])) + r >= threshold + rho:
            r_release = rng.laplace(scale=release_scale)
            centre = clip(update[j]) if mistake == "bound first" else update[j]
            values[j], mask[j] = clip(centre + r_release), True
            uploaded += 1
            if uploaded == count:
                break
            if mistake != "one rho":
                rho = rng.laplace(scale=sigma(epsilon_1))
    return values, mask


def listed(mistake=None, runs=RUNS, seed=1):
    rng = np.random.default_rng(seed)
    update = UPDATE.tolist()
    results = [listing(rng, update, **SETTING, mistake=mistake) for _ in range(runs)]
    return tuple(np.stack(part) for part in zip(*results, strict=True))


def subsets_p_value(a, b):
    """Chi-square test that two samples of masks have one distribution."""
    codes = [mask @ (1 << np.arange(mask.shape[1])) for mask in (a, b)]
    table = np.stack([np.bincount(c, minlength=1 << a.shape[1]) for c in codes])
    rare = table.sum(axis=0) < 40
    table = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    return stats.chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue


def p_value(a, b):
    """Whether two samples of releases have one distribution, Bonferroni-adjusted.

    Compared are how often each parameter is released, which subsets are (this sees
    dependence between parameters), and the values of each parameter.
    """
    (values_a, mask_a), (values_b, mask_b) = a, b
    found = [subsets_p_value(mask_a, mask_b)]
    for j in range(mask_a.shape[1]):
        hits = [mask[:, j].sum() for mask in (mask_a, mask_b)]
        table = [hits, [len(mask_a) - hits[0], len(mask_b) - hits[1]]]
        found.append(stats.chi2_contingency(table).pvalue)
        # Both samples have atoms at the bound: the test is then conservative.
        sent = values_a[mask_a[:, j], j], values_b[mask_b[:, j], j]
        found.append(stats.ks_2samp(*sent, method="asymp").pvalue)
    return min(found) * len(found)


@pytest.fixture(scope="module")
def sample():
    return releases()


def test_release_has_the_distribution_of_the_listing(sample):
    assert p_value(sample, listed()) > LEVEL


@pytest.mark.parametrize(
    "mistake",
    ["rho for each", "one rho", "query scale", "release scale", "bound first"],
)
def test_a_wrong_listing_is_told_apart(sample, mistake):
    assert p_value(sample, listed(mistake)) < LEVEL


def test_noise_scales_by_hand():
    # epsilon 9, c 4, gamma 0.5: sigma(x) = 8 / x, at x = 8 and x = 2.
    np.testing.assert_allclose(sparse_vector.noise_scales(9.0, 4, 0.5), [1, 2, 4])
    # 10 per parameter: 0.45, 0.9 and 1.8 gamma, whatever c.
    for count in (1, 105_707):
        scales = sparse_vector.noise_scales(10.0 * count, count, 1e-3)
        np.testing.assert_allclose(scales, [4.5e-4, 9e-4, 1.8e-3])
    assert sparse_vector.noise_scales(INFINITY, 4, 0.5) == (0, 0, 0)


def test_selection_spends_eight_ninths_and_release_one_ninth():
    epsilon, count, sensitivity = 3.0, 7, 2 * 0.25
    scales = sparse_vector.noise_scales(epsilon, count, sensitivity / 2)
    # AboveThreshold: scales 2D/e and 4D/e are e-private; Laplace: scale D/e is.
    np.testing.assert_allclose(2 * sensitivity / scales.threshold * count, 8 / 3)
    np.testing.assert_allclose(4 * sensitivity / scales.query * count, 8 / 3)
    np.testing.assert_allclose(sensitivity / scales.release * count, 1 / 3)


def test_visit_by_hand():
    queries = jnp.array([0.0, 2.0, 1.0, 3.0, 5.0, 4.0, 9.0])
    #     in force from position:  0, 1, 2, 3, 4, 5, 6 if the one before passed
    thresholds = jnp.array([2.0, 0.0, 3.0, 0.0, 4.5, 4.5, 0.0, 0.0])
    # 1 passes at 2; 2 does not at 3; 3 does, equal; 4 at 4.5; 5 not at 4.5; 6 does.
    for count, passed in ((9, [1, 3, 4, 6]), (3, [1, 3, 4]), (1, [1])):
        got = sparse_vector._visit(queries, thresholds, count)
        np.testing.assert_array_equal(np.flatnonzero(got), passed)


def test_without_noise_a_random_part_of_those_above_is_released():
    bounded = np.clip(UPDATE, -1, 1)
    above = np.abs(bounded) >= 0.5
    assert above.sum() == 6
    for count in (2, 6, 8):
        values, mask = releases(epsilon=INFINITY, count=count, threshold=0.5)
        assert set(mask.sum(axis=1)) == {min(count, 6)}
        assert not mask[:, ~above].any()
        np.testing.assert_array_equal(values, np.where(mask, bounded, 0))


def test_without_noise_every_subset_is_as_likely():
    _, mask = releases(epsilon=INFINITY, count=2, threshold=0.5)
    pairs = itertools.combinations(np.flatnonzero(np.abs(UPDATE) >= 0.5), 2)
    counts = [mask[:, pair].all(axis=1).sum() for pair in map(list, pairs)]
    assert (len(counts), sum(counts)) == (15, RUNS)
    assert stats.chisquare(counts).pvalue > LEVEL


def test_nothing_is_above_a_threshold_beyond_the_bound():
    values, mask = releases(epsilon=INFINITY, threshold=1.1)
    assert not mask.any()
    assert not values.any()


@pytest.mark.parametrize("epsilon", [INFINITY, 60.0])
def test_nan_is_never_released(epsilon):
    broken = UPDATE.copy()
    broken[[0, 4]] = np.nan
    values, mask = releases(update=broken, epsilon=epsilon, count=9, threshold=-1e9)
    np.testing.assert_array_equal(mask, np.tile(~np.isnan(broken), (RUNS, 1)))
    assert np.isfinite(values).all()


def test_halts_at_count(sample):
    values, mask = sample
    assert set(mask.sum(axis=1)) == {0, 1, 2, 3}
    assert not values[~mask].any()
    assert np.abs(values).max() == 1
    for count in (1, 4, 9):
        _, mask = releases(count=count, threshold=-1e9)
        assert set(mask.sum(axis=1)) == {count}


def test_the_key_decides(sample):
    chex.assert_trees_all_equal(releases(seed=0), sample)
    assert (releases(seed=1)[1] != sample[1]).any(axis=1).mean() > 0.5
    # No two runs of one call share their noise.
    sent = sample[0][(sample[0] != 0) & (np.abs(sample[0]) < 1)]
    assert len(np.unique(sent)) > 0.99 * len(sent)


GRID = {
    "epsilon": [INFINITY, 60.0, 5.0, 1e6],
    "count": [2, 3, 9, 1],
    "threshold": [0.6, 0.3, 0.1, -2.0],
    "bound": [1.0, 0.5, 2.0, 1e-3],
}


def vectorized(release, settings):
    return jax.vmap(release)(settings)


@pytest.mark.parametrize("loop", [vectorized, lax.map])
def test_swept_and_jitted_is_the_same_as_separately_and_eagerly(loop):
    key = jax.random.key(4)

    def release(setting):
        return sparse_vector.release(key, UPDATE, **setting)

    settings = jax.tree.map(jnp.asarray, GRID, is_leaf=lambda a: isinstance(a, list))
    together = jax.jit(lambda settings: loop(release, settings))(settings)
    for i in range(4):
        got = jax.tree.map(lambda a, i=i: a[i], together)
        # Python numbers, not traced.
        want = release({name: values[i] for name, values in GRID.items()})
        chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-7)
        chex.assert_trees_all_equal_shapes_and_dtypes(got, want)
        assert want[1].any()


def test_account_by_hand():
    epoch = sparse_vector.account(10.0, 105_707, 1.0, 1)
    assert epoch == (10.0, 105_707, 105_707, 1_057_070.0, 1, 1_057_070.0)
    assert [type(a) for a in epoch] == [float, int, int, float, int, float]
    assert sparse_vector.account(0.5, 200, 0.1, 3) == (0.5, 200, 20, 10.0, 3, 30.0)
    assert sparse_vector.account(2.0, 105_707, 0.1, 1).uploaded == 10_571
    assert sparse_vector.account(INFINITY, 200, 0.1, 3).epsilon_total == INFINITY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epsilon", 0),
        ("epsilon", -2.5),
        ("epsilon", float("nan")),
        ("bound", 0.0),
        ("bound", -1e-3),
        ("count", 0),
    ],
)
def test_release_refuses_numbers_out_of_range(name, value):
    with pytest.raises(ValueError, match=f"^{name}={value}: accepted are"):
        sparse_vector.release(jax.random.key(0), UPDATE, **{**SETTING, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epsilon_per_parameter", 0.0),
        ("parameters", 0),
        ("upload_fraction", 1.5),
        ("uploads", 0),
    ],
)
def test_account_refuses_numbers_out_of_range(name, value):
    good = {
        "epsilon_per_parameter": 10.0,
        "parameters": 10,
        "upload_fraction": 1.0,
        "uploads": 1,
    }
    with pytest.raises(ValueError, match=f"^{name}={value}: accepted are"):
        sparse_vector.account(**{**good, name: value})
