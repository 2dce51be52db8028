"""What a sweep is compared with goes to the seed and class that it belongs to.

By stubs that write down what they are given; nothing is trained.
"""

from unittest import mock

import jax
import numpy as np
import pytest

from jaxprivacy.data import Dataset
from jaxprivacy.studies import (
    bounds,
    collaboration,
    gan_attack,
    gan_baselines,
    sweep,
    sweep_baselines,
)
from jaxprivacy.studies.settings import GanSettings

SETTINGS = GanSettings(mlp_widths=(3,), held_fraction=0.6, compare=(), rounds=4)
GRID = {"seed": (0, 1), "target_class": (0, 2)}


@pytest.fixture(scope="module")
def dataset():
    levels = np.arange(120, dtype=np.float32) / 120
    x = np.tile(levels[:, None, None, None], (1, 4, 4, 1))
    return Dataset("grey", x, (np.arange(120) % 4).astype(np.int32), 4)


@pytest.fixture(scope="module")
def one(dataset):
    return {
        (cell.seed, cell.target_class): sweep.Point(
            cell, "gan", gan_attack.prepare_seats(cell, dataset).seats
        )
        for cell in sweep.expand(SETTINGS, GRID)
    }


def test_every_mlp_is_of_its_seed_and_class_and_nobody_attacks_it(dataset, one):
    asked = []

    def run_points(settings, dataset, points, names, **options):
        asked.append((settings, points, names))
        options["kept"]("chunk_0")
        return [
            collaboration.Attacked((p.settings.seed, p.seats.target_class), *[None] * 3)
            for p in points
        ]

    kept = []
    with mock.patch.object(sweep, "run_points", run_points):
        found = sweep_baselines.mlps(SETTINGS, dataset, one, 1e9, print, kept.append)
    [(settings, points, names)] = asked
    assert settings.model == "mlp" and settings.start_round == SETTINGS.rounds
    assert {point.row for point in points} == {"gan_no_influence"}
    assert names == ["seed", "target_class"]
    assert {key: params for key, (_, params) in found.items()} == {k: k for k in one}
    # Not where the attacked runs are kept.
    assert kept == ["mlp_chunk_0"]


def test_every_dcgan_is_of_its_victim_and_judged_by_its_seed(dataset, one):
    asked = []

    def dcgans(settings, images, keys, judges, advance):
        asked.append((images, keys, judges))
        return [bounds.Bound(i, 1, []) for i in range(len(images))]

    with mock.patch.object(gan_baselines, "dcgans", dcgans):
        found = sweep_baselines.dcgans(
            SETTINGS, dataset, one, {0: "first", 1: "second"}, print
        )
    [(images, keys, judges)] = asked
    assert judges == ["first", "first", "second", "second"]
    for i, (key, point) in enumerate(one.items()):
        assert found[key].generator == i
        np.testing.assert_array_equal(images[i], dataset.x[point.seats.private])
        want = collaboration.keys(key[0])[2]
        assert jax.random.key_data(keys[i]).tolist() == (
            jax.random.key_data(want).tolist()
        )


def test_a_judge_learns_from_no_row_real_of_any_class(one):
    seats = [point.seats for (seed, _), point in one.items() if seed == 0]
    learned = sweep_baselines.learned(seats)
    for who in seats:
        assert not np.isin(who.real, learned).any()
    assert set(learned) < set(seats[0].unheld)
