import numpy as np
import pytest

from jaxprivacy.report import plots, plots_studies
from tests.report import made_up


def legend(figure):
    return [entry.get_text() for entry in figure.legends[0].get_texts()]


def named(axes, label):
    (line,) = (line for line in axes.lines if line.get_label() == label)
    return line


def test_courses_share_their_rounds():
    courses = [made_up.course(), made_up.course("gan_no_influence")]
    figure = plots_studies.courses_figure(courses)
    accuracy, hit, frechet = figure.axes
    names = [axes.get_ylabel() for axes in figure.axes]
    assert names == ["test accuracy", "hit rate", "Frechet distance"]
    assert accuracy.get_shared_x_axes().joined(accuracy, frechet)
    assert frechet.get_yscale() == "log" and frechet.get_xlabel() == "round"
    for axes, values in zip(figure.axes, courses[0][2:5], strict=True):
        expected = values[:, 0] if values.ndim == 2 else values
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), expected)
        np.testing.assert_array_equal(axes.lines[0].get_xdata(), courses[0].rounds)
    band = hit.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(0.0)
    assert band[:, 1].max() == pytest.approx(0.95)
    assert legend(figure) == ["GAN", "GAN without influence"]
    colors = [line.get_color() for line in accuracy.lines]
    assert len(set(colors)) == 2 and colors == [x.get_color() for x in hit.lines]


def test_the_start_of_an_attack_is_marked_unless_it_is_the_first_round():
    courses = [made_up.course(), made_up.course("gan_improved", start=3)]
    figure = plots_studies.courses_figure(courses)
    for axes in figure.axes:
        assert len(axes.lines) == 3
        assert list(axes.lines[-1].get_xdata()) == [3, 3]
    assert legend(figure) == ["GAN", "GAN with additions", "attack begins"]


def test_runs_of_one_attack_share_color_and_entry():
    figure = plots_studies.courses_figure([made_up.course(), made_up.course(rounds=4)])
    first, second = figure.axes[0].lines
    assert first.get_color() == second.get_color() and legend(figure) == ["GAN"]


def test_what_became_of_clipped_uploads_has_panels():
    clipped, cosine = np.linspace(0.8, 0.1, 6), np.linspace(-0.1, 0.9, 6)
    courses = [made_up.course(clipped=clipped, cosine=cosine), made_up.course("dcgan")]
    *_, above, below = plots_studies.courses_figure(courses).axes
    assert (above.get_ylabel(), below.get_ylabel()) == ("beyond gamma", "cosine")
    assert below.get_xlabel() == "round"
    for axes, values in ((above, clipped), (below, cosine)):
        (line,) = axes.lines
        np.testing.assert_array_equal(line.get_ydata(), values)
    unclipped = [made_up.course(cosine=cosine)]
    assert len(plots_studies.courses_figure(unclipped).axes) == 3


def test_a_course_without_distances_is_drawn():
    course = made_up.course("costs $1 or $2", frechet=np.full(6, np.nan))
    figure = plots_studies.courses_figure([course])
    assert legend(figure)[0].count("\\$") == 2  # No mathematics.
    assert plots.to_png(figure)
    low, high = figure.axes[2].get_ylim()
    assert 0 < low < high


def test_what_no_logarithm_shows_leaves_a_gap():
    course = made_up.course(frechet=np.array([4.0, 0.0, np.nan]), rounds=3)
    line = plots_studies.courses_figure([course]).axes[2].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), [4.0, np.nan, np.nan])


def test_leakage_over_epsilon_with_no_privacy_apart():
    content = made_up.tradeoff()
    figure = plots_studies.privacy_leakage_figure(content)
    above, below = figure.axes
    line = named(below, "Frechet distance, mean")
    # log10 of 0.01 and 10; a fifth of their distance further: no privacy.
    np.testing.assert_allclose(line.get_xdata(), [-2, 1])
    np.testing.assert_allclose(below.get_xticks(), [-2, 1, 1.6])
    ticks = [tick.get_text() for tick in below.get_xticklabels()]
    assert ticks == ["0.01", "10", "none"]
    np.testing.assert_allclose(line.get_ydata(), content.frechet[:2].mean(axis=1))
    alone = below.lines[1]  # Not joined to the rest.
    assert alone.get_xdata() == pytest.approx([1.6])
    assert alone.get_ydata() == pytest.approx([content.frechet[2].mean()])
    (top,) = above.child_axes
    totals = [tick.get_text() for tick in top.get_xticklabels()]
    assert totals == ["63,400", "6.34e7"]
    np.testing.assert_allclose(top.get_xticks(), [-2, 1])
    assert below.get_yscale() == "log" and above.get_ylim()[1] >= 1


def test_totals_that_bound_nothing_are_not_shown():
    content = made_up.tradeoff()._replace(clip_first=False)
    assert not plots_studies.privacy_leakage_figure(content).axes[0].child_axes


def test_leakage_shows_means_seeds_and_intervals():
    content = made_up.tradeoff()
    figure = plots_studies.privacy_leakage_figure(content)
    above = figure.axes[0]
    means = named(above, "test accuracy, mean").get_ydata()
    np.testing.assert_allclose(means, content.accuracy[:2].mean(axis=1))
    dots, intervals = above.collections
    np.testing.assert_allclose(dots.get_offsets()[:, 1], content.accuracy.ravel())
    ends = [segment[:, 1] for segment in intervals.get_segments()]
    np.testing.assert_allclose(ends, content.hit_rate[:, 1:])
    hits = named(above, "hit rate, 95 % interval").get_ydata()
    np.testing.assert_allclose(hits, content.hit_rate[:2, 0])
    assert len(legend(figure)) == 5


def test_a_seed_without_a_distance_leaves_the_mean_of_the_others():
    content = made_up.tradeoff()
    content.frechet[0] = [np.nan, 7.0]
    content.frechet[1] = np.nan
    figure = plots_studies.privacy_leakage_figure(content)
    means = named(figure.axes[1], "Frechet distance, mean").get_ydata()
    np.testing.assert_array_equal(means, [7.0, np.nan])


@pytest.mark.parametrize(
    "epsilons, shown",
    [
        ((np.inf,), ["none"]),
        ((5.0,), ["5"]),
        ((1.0, 1.1, 100.0), ["1", "100"]),  # Labels would touch.
    ],
)
def test_epsilons_that_are_few_or_close(epsilons, shown):
    figure = plots_studies.privacy_leakage_figure(made_up.tradeoff(epsilons))
    labels = [tick.get_text() for tick in figure.axes[1].get_xticklabels()]
    assert labels == shown
    assert bool(figure.axes[0].child_axes) == np.isfinite(epsilons).any()
