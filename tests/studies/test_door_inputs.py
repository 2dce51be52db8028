"""The forms in which records and parameters are given: all say the same."""

import numpy as np
import pytest

import jaxprivacy
from jaxprivacy.studies import streams, target_signals
from tests.launch import launched
from tests.studies import by_heart
from tests.studies.by_heart import CLASSES, SIZE, audit, linear


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


@pytest.fixture(scope="module")
def records():
    return by_heart.records()


@pytest.fixture(scope="module")
def params(records):
    return {"w": by_heart.weights(records[0])}


@pytest.fixture(scope="module")
def rows(records, params):
    return audit(linear, params, *records).result["membership"]


def batches(pair, size):
    """Of a size; the last is smaller."""
    x, y = pair
    return ((x[i : i + size], y[i : i + size]) for i in range(0, len(x), size))


def test_batches_say_what_arrays_say(records, params, rows):
    """Generators, lists, and batches of two records like a loader's."""
    forms = (
        [batches(pair, 7) for pair in records],
        [list(batches(pair, 50)) for pair in records],
        [[list(batch) for batch in batches(pair, 60)] for pair in records],
        [records[0], batches(records[1], 1)],
        [list(records[0]), batches(records[1], 2)],
    )
    for form in forms:
        found = audit(linear, params, *form).result
        for ours, theirs in zip(found["membership"], rows, strict=True):
            np.testing.assert_allclose(ours["auc"]["value"], theirs["auc"]["value"])


def test_no_more_than_some_batches_are_held(params):
    """Of a stream none of which is kept: weak references tell."""
    alive, most = [], 0

    class Counted(np.ndarray):
        def __del__(self):
            alive.remove(id(self))

    def stream(count, seed):
        nonlocal most
        rng = np.random.default_rng(seed)
        for _ in range(count):
            x = rng.normal(size=(100, SIZE)).astype(np.float32).view(Counted)
            alive.append(id(x))
            most = max(most, len(alive))
            yield x, rng.integers(0, CLASSES, 100)
            del x

    found = audit(linear, params, stream(12, 1), stream(24, 2))
    assert found.result["data"]["records"] == 3600
    assert most < 8


def test_trees_of_arrays_are_records_too(records, params, rows):
    """Bytes carry every type: floats, whole numbers, flags."""

    def apply(params, x):
        signs = 1 - 2.0 * x["more"]["flags"] - 0 * x["more"]["zeros"]
        return (x["half"] * signs) @ params["w"]

    trees = []
    for x, y in records:
        more = {"flags": x < 0, "zeros": np.zeros(x.shape, np.int16)}
        trees.append(({"half": np.abs(x), "more": more}, y))
    found = audit(apply, params, *trees).result
    for ours, theirs in zip(found["membership"], rows, strict=True):
        np.testing.assert_allclose(ours["auc"]["value"], theirs["auc"]["value"])
    assert found["data"]["shape"]["more"]["flags"] == [SIZE]
    assert found["data"]["copies_left_out"] == 0


def test_a_transcript_says_which_rounds(records, params, rows):
    blank = np.zeros_like(params["w"])
    seen = jaxprivacy.Transcript(
        np.array([10, 40]),
        {"w": np.stack([blank, params["w"]])},
        uploads={"w": np.zeros((2, 3, *blank.shape))},
        observer="server",
    )
    found = audit(linear, seen, *records)
    assert [r["auc"] for r in found.result["membership"]] == [r["auc"] for r in rows]
    norms = found.contents.gradient_norms
    assert norms.rounds.tolist() == [10, 40] and norms.unit == "round"
    settings = dict(found.contents.settings)
    assert settings["rounds observed"] == "10, 40" and settings["observer"] == "server"
    assert "uploads that were observed are not attacked" in found.contents.notes[-1]


def test_all_records_are_attacked_and_what_is_not_is_told(records, params):
    members, (x, y) = records
    found = audit(linear, params, (members[0][:40], members[1][:40]), (x, y))
    counts = {name: count for name, count, _ in found.contents.split_counts}
    assert counts["members"] == counts["non-members"] == 40
    assert counts["further non-members"] == 40


def test_a_few_shared_records_are_left_out(records, params):
    (x, y), (other_x, other_y) = records
    other_x = np.concatenate([x[:3], other_x])
    other_y = np.concatenate([y[:3], other_y])
    found = audit(linear, params, (x, y), (other_x, other_y))
    assert found.result["data"]["copies_left_out"] == 6
    assert "exact copy" in " ".join(found.contents.notes)


ONES = np.ones(30, int)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([], "^members: holds no batch; accepted are a pair"),
        (iter(()), "^members: holds no batch"),
        (([], []), r"^members: x of shape \(0,\) and y of shape \(0,\)"),
        (np.ones((3, SIZE)), "^members=ndarray: accepted are a pair"),
        ({"x": np.ones((3, SIZE))}, "^members=dict: accepted are a pair"),
        (3, "^members=int: accepted are a pair"),
        ([(np.eye(30, SIZE), ONES), 7], "^members, batch 1=int: accepted"),
        (
            iter([(np.eye(30, SIZE), ONES), (np.eye(30, 9), ONES)]),
            r"^members, batch 1: records of shape \(9,\); accepted is the shape of "
            r"members, batch 0, \(64,\)",
        ),
        (
            iter([(np.eye(30, SIZE), ONES), (np.eye(30, SIZE), 9 * ONES)]),
            "^y of members, batch 1: holds 9 at record 0; accepted are the integers 0",
        ),
        (
            iter([(np.eye(30, SIZE, dtype=int), ONES), (np.eye(30, SIZE), ONES)]),
            "^members, batch 1: x of type float32; accepted is that of the first batch",
        ),
        (
            ({"a": np.ones((30, 2)), "b": np.ones(29)}, ONES),
            r"^members: x with arrays of shapes \(30, 2\), \(29,\); accepted are",
        ),
        (({"a": np.ones((30, 2))}, ONES), "^non_members: records of shape"),
        (({"a": {"b": ["c"]}}, ONES), r"^members: x\['a'\]\['b'\] of type <U1"),
    ],
)
def test_records_that_are_none_are_refused(members, said, records, params):
    others = records[1]
    if "first batch" in said:
        others = (others[0].astype(int), others[1])
    with pytest.raises(jaxprivacy.InputError, match=said) as error:
        audit(linear, params, members, others)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rounds": [2, 1]}, r"rounds \[2, 1\]; accepted are whole numbers \(T,\)"),
        ({"rounds": [0.5, 1]}, "accepted are whole numbers"),
        ({"rounds": [1]}, r"of 1 rounds, of whose parameters an array has the shape"),
        ({"uploads": {"w": np.ones(3)}}, "of whose uploads an array has the shape"),
        ({"observer": "me"}, "observer of a Transcript=me: accepted are holder"),
    ],
)
def test_a_transcript_that_does_not_fit_is_refused(changes, said, records, params):
    seen = jaxprivacy.Transcript([1, 2], {"w": np.stack([params["w"]] * 2)})
    with pytest.raises(jaxprivacy.InputError, match=said) as error:
        audit(linear, seen._replace(**changes), *records)
    assert "\n" not in str(error.value)


def test_streams_are_cut_into_one_size_and_filled_up():
    x, y = np.arange(10.0)[:, None], np.arange(10)
    found = streams.stream("members", batches((x, y), 3))
    cut = list(streams.of_size(found.batches, 4))
    assert [(len(x), number) for x, _, number in cut] == [(4, 4), (4, 4), (4, 2)]
    back = np.concatenate([y[:number] for _, y, number in cut])
    np.testing.assert_array_equal(back, y)
    assert target_signals.AT_ONCE > 4
