import numpy as np

from jaxprivacy.data import Dataset
from jaxprivacy.studies import evidence


def dataset(x, y):
    fields = dict.fromkeys(Dataset._fields)
    return Dataset(**fields | {"x": np.asarray(x, np.float32), "y": np.asarray(y)})


def test_copies_and_classes_are_counted():
    data = dataset([[0], [1], [2], [1], [3]], [0, 0, 1, 0, 1])
    outputs = np.array([[0.2, 0.8], [0.3, 0.7], [0.2, 0.8], [0.2, 0.8]])
    held, members, others = np.array([0, 1, 2]), np.array([1, 2]), np.array([3, 4])
    told = evidence.of_target(data, held, members, others, outputs)
    assert told == {
        "train_records": 3,
        "largest_class": 2 / 3,
        "copies": 1,
        "attacked_non_members": 2,
        "constant_inputs": False,
        "constant_outputs": False,
    }
    later = evidence.of_target(data, held, members, others, outputs, held[2:])
    assert (later["train_records"], later["largest_class"]) == (1, 1.0)


def test_constants_are_seen():
    data = dataset(np.ones((4, 2)), [0, 1, 0, 1])
    kinds = np.array([0]), np.array([2])
    same = np.full((2, 2), 0.5) + [[0], [1e-8]]
    told = evidence.of_target(data, np.arange(2), *kinds, same)
    assert told["constant_inputs"] and told["constant_outputs"] and told["copies"] == 1
    differ = same + [[0, 0], [1e-3, 0]]
    told = evidence.of_target(data, np.arange(2), *kinds, differ)
    assert not told["constant_outputs"]
