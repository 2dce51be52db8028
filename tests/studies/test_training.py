import numpy as np
import pytest

from jaxprivacy.data import Dataset
from jaxprivacy.studies import training
from jaxprivacy.studies.settings import Settings

TABLE = Dataset("table", np.arange(12, dtype=np.float32).reshape(6, 2), np.arange(6), 6)
IMAGES = Dataset("images", np.zeros((6, 8, 8, 1), np.float32), np.arange(6), 6)


def test_batch_gathers_in_order():
    found = training.batch(TABLE, np.array([4, 0]))
    np.testing.assert_array_equal(found.x, [[8, 9], [0, 1]])
    np.testing.assert_array_equal(found.y, [4, 0])
    np.testing.assert_array_equal(found.mask, [1, 1])


def test_stack_pads_to_the_largest_share():
    shares = [np.array([5]), np.array([1, 2, 3]), np.array([4, 0])]
    found = training.stack(TABLE, shares)
    assert found.x.shape == (3, 3, 2)
    np.testing.assert_array_equal(found.mask, [[1, 0, 0], [1, 1, 1], [1, 1, 0]])
    for share, x, y, mask in zip(shares, found.x, found.y, found.mask, strict=True):
        kept = np.asarray(mask) > 0
        np.testing.assert_array_equal(np.asarray(x)[kept], TABLE.x[share])
        np.testing.assert_array_equal(np.asarray(y)[kept], share)


@pytest.mark.parametrize(
    ("asked", "dataset", "name"),
    [(None, TABLE, "mlp"), (None, IMAGES, "cnn"), ("mlp", IMAGES, "mlp")],
)
def test_model_follows_the_data_unless_named(asked, dataset, name):
    assert training.model_name(Settings(model=asked), dataset) == name
