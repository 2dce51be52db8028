import numpy as np
import pytest

from jaxprivacy.evaluation.reconstruction import over_runs
from jaxprivacy.experiments import sweep, sweep_study
from jaxprivacy.experiments.settings import GanSettings
from jaxprivacy.report import contents


def course(hits, start, clipped=None):
    rates = np.array([[hit, max(hit - 0.05, 0), min(hit + 0.05, 1)] for hit in hits])
    rounds = np.arange(2) + 1
    whole = contents.Course("gan", rounds, rates[:, 0], rates, hits, start)
    return whole._replace(clipped=clipped, cosine=hits)


def test_the_mean_course_has_an_interval_over_seeds():
    points = [
        sweep.Point(GanSettings(seed=seed), row, None)
        for seed in (0, 1, 2)
        for row in ("gan", "gan_no_influence")
    ]
    ends = [1.0, 0.3, 0.05, 0.3, 0.0, 0.3]
    courses = {
        i: course(np.array([0.5, end]), i + 1, None if i % 2 else np.array([1, end]))
        for i, end in enumerate(ends)
    }
    gan, other = sweep_study._averaged(points, courses)
    assert (gan.attack, other.attack) == ("gan", "gan_no_influence")
    assert gan.over == other.over == "3 seeds"
    wanted, _ = over_runs(
        np.stack([courses[i].hit_rate[1] for i in (0, 2, 4)]), [0, 1, 2]
    )
    np.testing.assert_allclose(gan.hit_rate[1], wanted)
    assert gan.hit_rate[1] == pytest.approx([0.35, 0.0, 1.0])
    np.testing.assert_allclose(gan.frechet, [0.5, 0.35])
    assert (gan.start_round, other.start_round) == (1, 2)
    np.testing.assert_allclose(gan.clipped, [1, 0.35])
    np.testing.assert_allclose(gan.cosine, [0.5, 0.35])
    assert other.clipped is None


def test_a_single_run_keeps_its_course():
    point = sweep.Point(GanSettings(seed=5), "gan", None)
    one = course(np.array([0.2, 0.4]), 3)
    (found,) = sweep_study._averaged([point], {0: one})
    np.testing.assert_array_equal(found.hit_rate, one.hit_rate)
    assert found.over == "samples"
