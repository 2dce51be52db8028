import numpy as np
import pytest

from jaxprivacy.evaluation.reconstruction import over_runs
from jaxprivacy.report import contents
from jaxprivacy.studies import courses


def course(attack, hits, start, clipped=None):
    rates = np.array([[hit, max(hit - 0.05, 0), min(hit + 0.05, 1)] for hit in hits])
    rounds = np.arange(2) + 1
    whole = contents.Course(attack, rounds, rates[:, 0], rates, hits, start)
    return whole._replace(clipped=clipped, cosine=hits)


def test_the_mean_course_has_an_interval_over_seeds():
    seeds = [0, 0, 1, 1, 2, 2]
    ends = [1.0, 0.3, 0.05, 0.3, 0.0, 0.3]
    of_runs = [
        course("gan", np.array([0.5, end]), i + 1, np.array([1, end]))
        if i % 2 == 0
        else course("gan_no_influence", np.array([0.5, end]), i + 1)
        for i, end in enumerate(ends)
    ]
    gan, other = courses.averaged(of_runs, seeds)
    assert (gan.attack, other.attack) == ("gan", "gan_no_influence")
    assert gan.over == other.over == "3 seeds"
    wanted, _ = over_runs(
        np.stack([of_runs[i].hit_rate[1] for i in (0, 2, 4)]), [0, 1, 2]
    )
    np.testing.assert_allclose(gan.hit_rate[1], wanted)
    assert gan.hit_rate[1] == pytest.approx([0.35, 0.0, 1.0])
    np.testing.assert_allclose(gan.frechet, [0.5, 0.35])
    assert (gan.start_round, other.start_round) == (1, 2)
    np.testing.assert_allclose(gan.clipped, [1, 0.35])
    np.testing.assert_allclose(gan.cosine, [0.5, 0.35])
    assert other.clipped is None


def test_a_single_run_keeps_its_course():
    one = course("gan", np.array([0.2, 0.4]), 3)
    (found,) = courses.averaged([one], [5])
    np.testing.assert_array_equal(found.hit_rate, one.hit_rate)
    assert found.over == "samples"
