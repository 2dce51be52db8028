import numpy as np
import pytest

from jaxprivacy.data import stratify


@pytest.mark.parametrize(
    "sizes, total, least, expected",
    [
        ([5, 3, 2], 10, 0, [5, 3, 2]),
        # Ideal shares 2.5, 1.5 and 1: the tie goes to the lower class.
        ([5, 3, 2], 5, 0, [3, 1, 1]),
        # Ideal shares 1.4, 1.4 and 4.2: the largest remainders first.
        ([10, 10, 30], 7, 0, [2, 1, 4]),
        # Ideal shares 7.84, 0.08 and 0.08 leave two classes below 2.
        ([98, 1, 1], 8, 0, [8, 0, 0]),
        ([98, 2, 2], 8, 2, [4, 2, 2]),
        ([4, 4], 4, 2, [2, 2]),
    ],
)
def test_quotas_by_hand(sizes, total, least, expected):
    quota = stratify.quotas(np.array(sizes), total, least=least)
    np.testing.assert_array_equal(quota, expected)


def test_quotas_never_exceed_a_class():
    rng = np.random.default_rng(0)
    for _ in range(200):
        sizes = rng.integers(2, 40, size=rng.integers(2, 9))
        total = int(rng.integers(2 * len(sizes), sizes.sum() + 1))
        quota = stratify.quotas(sizes, total, least=2)
        assert quota.sum() == total
        assert (quota <= sizes).all()
        assert (quota >= 2).all()


def test_draw_takes_the_quota_of_each_class_at_random():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    drawn = stratify.draw(y, 10, np.random.default_rng(0))
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_array_equal(np.bincount(y[drawn]), [5, 3, 2])
    again = stratify.draw(y, 10, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, again)
    other = stratify.draw(y, 10, np.random.default_rng(1))
    assert not np.array_equal(drawn, other)
