"""A sweep's runs are the single runs, whatever runs beside them."""

import dataclasses

import chex
import jax
import numpy as np
import pytest

from jaxprivacy import data, errors
from jaxprivacy.studies import collaboration, gan_attack, sweep
from jaxprivacy.studies.settings import GanSettings
from tests.launch import launched

SETTINGS = GanSettings(
    data="npz:made-up",
    model="mlp",
    mlp_widths=(4,),
    rounds=2,
    order="asynchronous",  # Whose runs keep most between two rounds.
    batch_size=4,
    generator_steps=1,
    generator_batch=2,
    injected=2,
    held_fraction=0.6,
)


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (90, 4, 4, 1)).astype(np.float32)
    return data.Dataset("images", x, (np.arange(90) % 3).astype(np.int32), 3)


def points(dataset, grid, rows=("gan",)):
    return [
        sweep.Point(cell, row, gan_attack.prepare_seats(cell, dataset).seats)
        for cell in sweep.expand(SETTINGS, grid)
        for row in rows
    ]


def test_parse_grid():
    got = sweep.parse_grid(["seed=0,2", "epsilon_per_parameter=0.5,inf"])
    assert got == {"seed": (0, 2), "epsilon_per_parameter": (0.5, np.inf)}
    assert isinstance(got["seed"][0], int)


@pytest.mark.parametrize(
    "words",
    [
        ["rounds=1,2"],
        ["seed"],
        ["seed="],
        ["seed=1.5"],
        ["seed=a"],
        ["seed=1,1"],
        ["seed=0", "seed=1"],
        ["influence=0,1"],
    ],
)
def test_a_grid_that_cannot_be_read_is_refused(words):
    with pytest.raises(errors.InputError, match=f"grid={words[-1]}: accepted"):
        sweep.parse_grid(words)


def test_cells_are_the_product_the_last_dimension_fastest():
    cells = sweep.expand(SETTINGS, {"seed": (3, 4), "upload_fraction": (0.1, 1.0)})
    got = [(c.seed, c.upload_fraction) for c in cells]
    assert got == [(3, 0.1), (3, 1.0), (4, 0.1), (4, 1.0)]
    assert all(c.rounds == SETTINGS.rounds for c in cells)


@pytest.mark.parametrize(
    ("each", "count", "memory", "devices", "want"),
    [
        (10, 7, 100, 1, 7),  # all fit
        (10, 7, 40, 1, 4),  # 4 and 3
        (10, 9, 40, 1, 3),  # 3 chunks of 3, not 4, 4 and 1
        (10, 7, 5, 1, 1),  # one always goes
        (10, 7, 80, 2, 8),  # 4 on each device, the last a repetition
        (10, 8, 45, 2, 4),
        (10, 1, 100, 2, 2),
    ],
)
def test_runs_at_once(each, count, memory, devices, want):
    got = sweep.runs_at_once(each, count, memory, devices)
    assert got == want
    assert got % devices == 0


def test_bytes_of_counts_arrays_and_not_keys():
    tree = (np.zeros((2, 3), np.float32), np.zeros(5, np.int8), jax.random.key(0))
    assert sweep.bytes_of(tree) == 24 + 5
    assert sweep.bytes_of(jax.eval_shape(lambda: tree[:2])) == 29


def test_holdings_of_different_sizes_are_filled_up(dataset):
    some = points(dataset, {"target_class": (0, 2)})
    args = sweep.stacked_arguments(some, ["target_class"])
    for i, point in enumerate(some):
        for got, want in (
            (args.holdings.honest[i, 0], point.seats.honest[0]),
            (args.holdings.adversary[i, 0], point.seats.adversary),
        ):
            np.testing.assert_array_equal(got[got >= 0], want)
    sizes = {len(p.seats.adversary) for p in some}
    assert len(sizes) == 2  # Otherwise nothing was filled up.
    np.testing.assert_array_equal(args.swept["target_class"], [0, 2])
    assert args.swept["target_class"].dtype == np.int32


@pytest.fixture(scope="module")
def swept(dataset):
    """Five runs in chunks of two, and what was told of their progress."""
    grid = {"seed": (0, 1), "learning_rate": (0.1, 0.3)}
    rows, told = ("gan",), []
    some = points(dataset, grid, rows)[:3]
    some.append(sweep.Point(some[0].settings, "gan_no_influence", some[0].seats))
    some.append(sweep.Point(some[0].settings, "gan_improved", some[0].seats))
    with launched.compiled_fast():
        found = sweep.run_points(
            SETTINGS,
            dataset,
            some,
            list(grid),
            logged_samples=3,
            memory=1,
            advance=told.append,
        )
    return some, found, told


def test_each_run_of_a_sweep_is_the_single_run(swept, dataset):
    some, found, _ = swept
    assert len(found) == len(some)
    with launched.compiled_fast():
        for i in (2, 4):
            point = some[i]
            once = collaboration.collaborative_run(point.settings, dataset, 3)
            want = once(
                point.seats,
                collaboration.swept(point.settings, point.row),
                collaboration.keys(point.settings.seed)[0],
                lambda share: None,
            )
            chex.assert_trees_all_close(found[i], want, rtol=1e-4, atol=1e-5)


def test_runs_differ_where_they_should(swept):
    _, found, _ = swept
    for i, a in enumerate(found):
        for b in found[i + 1 :]:
            with pytest.raises(AssertionError):
                chex.assert_trees_all_close(a.params, b.params, rtol=1e-4)


def test_progress_sums_to_one(swept):
    assert sum(swept[2]) == pytest.approx(1)


@pytest.mark.slow
def test_privacy_can_be_swept(dataset):
    some = points(dataset, {"epsilon_per_parameter": (1e-3, np.inf)})
    settings = dataclasses.replace(SETTINGS, rounds=1)
    with launched.compiled_fast():
        noisy, clean = sweep.run_points(
            settings,
            dataset,
            some,
            ["epsilon_per_parameter"],
            logged_samples=2,
            memory=2**30,
            advance=lambda share: None,
        )
    size = [
        np.mean([np.abs(leaf).mean() for leaf in jax.tree.leaves(run.params)])
        for run in (noisy, clean)
    ]
    assert np.isfinite(size).all() and size[0] != size[1]
