"""A run is the same wherever it is placed, and however many there are beside it."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.errors import InputError
from jaxprivacy.programs import placement
from tests.launch import launched

PLACEMENTS = (
    placement.VMAP,
    placement.MAP,
    placement.SPREAD,
    placement.BY_PLATFORM,
)


def descent(target, rate, key, start):
    """A small training: what is shared, and what is a run's own."""

    def step(w, index):
        noise = 0.01 * jax.random.normal(jax.random.fold_in(key, index), w.shape)
        return w - rate * (w - target) + noise, jnp.sum((w - target) ** 2)

    w, losses = jax.lax.scan(step, start["w"], jnp.arange(7))
    return {"w": w, "key": key}, losses


def inputs(count):
    keys = jax.random.split(jax.random.key(1), count)
    start = {"w": np.arange(3.0 * count, dtype=np.float32).reshape(count, 3)}
    return (jnp.arange(3.0), jnp.float32(0.2)), (keys, start)


def plain(count):
    """One run after the other, by a plain loop."""
    shared, (keys, start) = inputs(count)
    alone = jax.jit(descent)
    found = [alone(*shared, keys[i], {"w": start["w"][i]}) for i in range(count)]
    return jax.tree.map(lambda *parts: jnp.stack(parts), *found)


def assert_alike(found, expected):
    (found, losses), (expected, of_expected) = found, expected
    assert losses.shape == of_expected.shape
    np.testing.assert_allclose(losses, of_expected, rtol=1e-5)
    np.testing.assert_allclose(found["w"], expected["w"], rtol=1e-5)
    np.testing.assert_array_equal(
        jax.random.key_data(found["key"]), jax.random.key_data(expected["key"])
    )


@pytest.mark.parametrize("name", PLACEMENTS)
@pytest.mark.parametrize("count", [1, 5])
def test_a_map_is_a_plain_loop(name, count):
    assert_alike(placement.program(descent, name)(*inputs(count)), plain(count))


def test_it_may_be_traced_with_all_that_is_each_runs_own():
    doubled = jax.jit(lambda a: placement.over(lambda a: 2 * a, (), (a,)))
    np.testing.assert_array_equal(doubled(np.arange(4)), 2 * np.arange(4))


def test_another_placement_is_refused():
    accepted = "placement=everywhere: accepted are vmap, map, spread, by_platform"
    with pytest.raises(InputError, match=accepted):
        placement.over(jnp.sin, (), (jnp.ones(2),), "everywhere")


SEVERAL = """
import jax
jax.config.update("jax_num_cpu_devices", 3)
from jaxprivacy.programs import placement
from tests.programs import test_placement as law

assert jax.device_count() == 3
for count in (1, 3, 5, 6):
    for name in law.PLACEMENTS:
        found = placement.program(law.descent, name)(*law.inputs(count))
        law.assert_alike(found, law.plain(count))
        if name == placement.SPREAD and count % 3 == 0:
            assert len(found[1].sharding.device_set) == 3
print("alike")
"""


def test_all_placements_are_alike_on_three_devices():
    command = [sys.executable, "-c", SEVERAL]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, cwd=launched.ROOT
    )
    assert (done.returncode, done.stdout) == (0, "alike\n"), done.stderr


def test_lots_hold_each_run_once():
    for count in range(1, 12):
        for size in range(1, 12):
            for filled in (False, True):
                lots = placement.lots(count, size, filled=filled)
                own = np.concatenate([lot.which[: lot.count] for lot in lots])
                np.testing.assert_array_equal(own, np.arange(count))
                assert [lot.start for lot in lots] == list(range(0, count, size))
                assert all(set(lot.which[lot.count :]) <= {count - 1} for lot in lots)
                lengths = {len(lot.which) for lot in lots[: None if filled else -1]}
                assert lengths <= {size}


def test_the_last_lot_is_filled_or_small():
    assert [list(lot.which) for lot in placement.lots(5, 2)] == [[0, 1], [2, 3], [4]]
    filled = placement.lots(5, 2, filled=True)[-1]
    assert (list(filled.which), filled.count) == ([4, 4], 1)
