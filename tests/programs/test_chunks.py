"""The driver against a plain loop: the same numbers, cut, stopped and resumed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.programs import chunks
from jaxprivacy.programs.checkpoint import Checkpoint

TOTAL = 23
START = {"place": jnp.float32(0.3), "seen": jnp.int32(0)}


def one(state, index):
    """A step whose numbers depend on all before, and on its index."""
    place = jnp.sin(3 * state["place"]) + 0.1 * index
    return {"place": place, "seen": state["seen"] + 1}, {"place": place, "at": index}


@jax.jit
def step(state, indices):
    return jax.lax.scan(one, state, indices)


def plain(total=TOTAL):
    """The same by a plain loop."""
    state, places = START, []
    for index in range(total):
        state, log = jax.jit(one)(state, jnp.int32(index))
        places.append(log["place"])
    return state, np.array(places)


def run(length=5, **options):
    shares = []
    given = chunks.run(
        step, START, TOTAL, length=length, advance=shares.append, **options
    )
    return given, shares


class Folder:
    """A checkpoint in memory, and what was saved."""

    def __init__(self):
        self.saved = []

    def checkpoint(self):
        def save(done, tree):
            self.saved.append((done, jax.tree.map(np.asarray, tree)))

        def restore(shapes):
            if not self.saved:
                return None
            done, tree = self.saved[-1]
            expected = jax.tree.map(lambda a: (a.shape, a.dtype), shapes(done))
            assert expected == jax.tree.map(lambda a: (a.shape, a.dtype), tree)
            return done, tree

        return Checkpoint(restore, save)


@pytest.mark.parametrize(
    ("total", "count", "length"),
    [(40, 10, 4), (60, 10, 6), (1, 10, 1), (7, 10, 1), (100, 10, 10), (15, 3, 5)],
)
def test_chunk_length(total, count, length):
    assert chunks.chunk_length(total, count) == length


def test_chunks_are_alike():
    for total in range(1, 200):
        assert total % chunks.chunk_length(total) == 0


@pytest.mark.parametrize("length", [1, 5, 23, 40])
def test_chunks_of_any_length_are_a_plain_loop(length):
    (state, log), shares = run(length)
    expected, places = plain()
    assert int(state["seen"]) == TOTAL
    np.testing.assert_allclose(state["place"], expected["place"], rtol=1e-5)
    np.testing.assert_allclose(log["place"], places, rtol=1e-5)
    np.testing.assert_array_equal(log["at"], np.arange(TOTAL))
    assert len(shares) == -(-TOTAL // length) and sum(shares) == pytest.approx(1)
    assert shares[0] == pytest.approx(min(length, TOTAL) / TOTAL)


def test_logs_are_joined_on_the_axis_of_steps():
    def several(state, indices):
        state, log = step(state, indices)
        return state, jax.tree.map(lambda a: jnp.stack([a, -a]), log)

    _, log = chunks.run(
        several, START, TOTAL, length=5, advance=lambda share: None, axis=1
    )
    np.testing.assert_array_equal(log["at"], [np.arange(TOTAL), -np.arange(TOTAL)])


@pytest.mark.parametrize("chunk", [1, 2, 4, 5])
def test_an_interrupted_run_goes_on_to_the_same_numbers(chunk):
    folder, told = Folder(), []

    def killed(share):
        told.append(share)
        if len(told) == chunk:
            raise KeyboardInterrupt

    options = {"length": 5, "checkpoint": folder.checkpoint()}
    with pytest.raises(KeyboardInterrupt):
        chunks.run(step, START, TOTAL, advance=killed, **options)
    assert folder.saved[-1][0] == min(5 * chunk, TOTAL)
    given, shares = run(checkpoint=folder.checkpoint())
    jax.tree.map(np.testing.assert_array_equal, given, run()[0])
    assert len(shares) == 1 + 5 - chunk and sum(shares) == pytest.approx(1)


def test_a_run_of_many_chunks_is_saved_ten_times_at_most():
    folder = Folder()
    run(1, checkpoint=folder.checkpoint())
    assert len(folder.saved) == chunks.MOST_SAVES and folder.saved[-1][0] == TOTAL


def enough(done, state, log):
    """Stops at the first chunk in which a place above 1.3 was reached so far."""
    assert len(log["at"]) == done == int(state["seen"])
    return bool((log["place"] > 1.3).any())


def test_a_rule_stops_the_run_after_the_chunk_that_it_names():
    (state, log), shares = run(2, stop=enough)
    first = int(np.argmax(plain()[1] > 1.3))  # The index of the step.
    expected = min(TOTAL, 2 * (first // 2 + 1))
    assert 2 < expected < TOTAL - 2, "the rule stops neither at once nor at the end"
    assert int(state["seen"]) == len(log["at"]) == expected
    assert sum(shares) == pytest.approx(1)


def test_a_stopped_run_is_kept_and_does_not_go_on():
    folder = Folder()
    first, _ = run(2, stop=enough, checkpoint=folder.checkpoint())
    saves = len(folder.saved)
    again, shares = run(2, stop=enough, checkpoint=folder.checkpoint())
    jax.tree.map(np.testing.assert_array_equal, first, again)
    assert len(folder.saved) == saves and shares == [1.0]


def test_a_runner_takes_what_is_swept_as_an_argument():
    class Pair:
        def __init__(self, swept):
            self.init = lambda key, params: params + swept
            self.rounds = lambda key, state, indices: jax.lax.scan(
                lambda s, i: (s * swept + i, s), state, indices
            )

    runs = chunks.runner(Pair)
    keys = tuple(jax.random.split(jax.random.key(0)))
    for swept in (0.5, 0.25):
        state, log = chunks.run_rounds(
            runs, swept, keys, jnp.float32(1), 4, lambda share: None
        )
        value, seen = 1 + swept, []
        for index in range(4):
            seen.append(value)
            value = value * swept + index
        np.testing.assert_allclose(state, value, rtol=1e-6)
        np.testing.assert_allclose(log, seen, rtol=1e-6)
