import numpy as np
import pytest

from jaxprivacy.evaluation import diagnostics
from jaxprivacy.report import plots, plots_diagnostics
from tests.report import made_up


def legend(holder):
    return [entry.get_text() for entry in holder.get_texts()]


def test_norms_show_means_and_quartiles():
    content = made_up.diagnostics()
    figure = plots_diagnostics.norm_curves_figure(content)
    last, every = figure.axes
    assert "last layer" in last.get_ylabel() and "all layers" in every.get_ylabel()
    members, non_members = last.lines
    np.testing.assert_array_equal(members.get_xdata(), content.epochs)
    np.testing.assert_allclose(members.get_ydata(), content.members_norm.mean(axis=1))
    expected = content.non_members_norm.mean(axis=1)
    np.testing.assert_allclose(non_members.get_ydata(), expected)
    band = last.collections[0].get_paths()[0].vertices[:, 1]
    low, high = np.percentile(content.members_norm, [25, 75], axis=1)
    assert (band.min(), band.max()) == pytest.approx((low.min(), high.max()))
    expected = content.members_norm_all.mean(axis=1)
    np.testing.assert_allclose(every.lines[0].get_ydata(), expected)
    assert last.get_xlabel() == "epoch" and last.get_yscale() == "log"
    assert legend(figure.legends[0])[::2] == ["members, mean", "non-members, mean"]


def test_one_snapshot_of_the_last_layer_alone():
    content = made_up.diagnostics(epochs=1, unit="round")
    content = content._replace(members_norm_all=None, non_members_norm_all=None)
    figure = plots_diagnostics.norm_curves_figure(content)
    (axes,) = figure.axes
    assert axes.lines[0].get_marker() == "o" and axes.get_xlabel() == "round"
    assert plots.to_png(figure)


def stairs(axes):
    """The outline of each kind; its filling lies under it."""
    return [patch.get_data() for patch in axes.patches if not patch.get_fill()]


def test_histogram_of_the_last_norms_are_shares_and_keep_zeros():
    content = made_up.diagnostics()
    content.members_norm[-1, :3] = 0.0
    axes = plots_diagnostics.norm_histogram_figure(content).axes[0]
    assert axes.get_xscale() == "log"
    members, non_members = stairs(axes)
    assert members.values.sum() == pytest.approx(1)
    assert non_members.values.sum() == pytest.approx(1)
    assert members.values[0] >= 3 / content.members_norm.shape[1]
    norms = content.non_members_norm[-1]
    above = non_members.edges[:-1] >= 1
    expected = np.mean(norms >= non_members.edges[:-1][above][0])
    assert non_members.values[above].sum() == pytest.approx(expected)
    names = legend(axes.get_legend())
    assert names == ["members (3 of norm 0, leftmost)", "non-members"]


@pytest.mark.parametrize("norm", [0.0, 2.0])
def test_equal_norms_and_embeddings_are_drawn(norm):
    same = np.full((2, 5), norm)
    content = made_up.diagnostics(epochs=2)._replace(
        members_norm=same,
        non_members_norm=same,
        embedding_members=same[0],
        embedding_non_members=same[1],
    )
    for draw in ("norm_curves", "norm_histogram", "embedding"):
        figure = getattr(plots_diagnostics, f"{draw}_figure")(content)
        assert plots.to_png(figure), draw


def test_embedding_shows_both_kinds():
    content = made_up.diagnostics()
    axes = plots_diagnostics.embedding_figure(content).axes[0]
    members, non_members = stairs(axes)
    middle = (members.edges[1:] + members.edges[:-1]) / 2
    width = np.diff(members.edges)[0]
    mean = content.embedding_members.mean()
    assert np.sum(middle * members.values) == pytest.approx(mean, abs=width / 2)
    assert np.sum(middle * non_members.values) > np.sum(middle * members.values)


@pytest.mark.parametrize("threshold, measured", [(0.0, "accuracy"), (None, "AUC")])
def test_class_gaps_against_what_the_attack_finds(threshold, measured):
    kinds = plots_diagnostics.observed(made_up.diagnostics())
    gaps = diagnostics.class_gaps(*kinds, threshold)
    figure = plots_diagnostics.class_gap_figure(gaps, "White-box")
    norm, uncertainty, bar = figure.axes
    found = gaps.auc if threshold is None else gaps.attack_accuracy
    for axes, values in ((norm, gaps.norm_gap), (uncertainty, gaps.uncertainty_gap)):
        intervals, dots = axes.collections
        np.testing.assert_allclose(
            dots.get_offsets(), np.stack([values, found[:, 0]], axis=1)
        )
        np.testing.assert_allclose(dots.get_array(), gaps.test_accuracy)
        ends = [segment[:, 1] for segment in intervals.get_segments()]
        np.testing.assert_allclose(ends, found[:, 1:])
    assert norm.get_ylabel() == f"{measured} of White-box on a class"
    shown = f"{diagnostics.rank_correlation(gaps.norm_gap, found[:, 0]):.2f}"
    assert norm.get_title("left") == f"rank correlation {shown}"
    assert "test accuracy" in bar.get_ylabel()


def test_class_roc_names_gap_and_auc():
    kinds = plots_diagnostics.observed(made_up.diagnostics())
    groups = diagnostics.gap_groups(*kinds, diagnostics.class_gaps(*kinds))
    figure = plots_diagnostics.class_roc_figure(groups)
    *curves, chance = figure.axes[0].lines
    for line, group in zip(curves, groups, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), group.roc.fpr)
        np.testing.assert_array_equal(line.get_ydata(), group.roc.tpr)
    assert list(chance.get_xdata()) == [0, 1]
    names = legend(figure.legends[0])
    assert [name.split()[0] for name in names] == ["small", "medium", "large", "chance"]
    assert f"(2 classes): AUC {groups[0].auc.value:.3f}" in names[0]


def without(*names):
    gone = {f"{kind}_{n}": None for kind in ("members", "non_members") for n in names}
    return made_up.diagnostics()._replace(embedding_members=None, **gone)


@pytest.mark.parametrize(
    "content, expected",
    [
        (made_up.diagnostics(), {plots.GAPS, plots.CLASS_ROC, plots.EMBEDDINGS}),
        (without("score"), set()),
        (without("uncertainty"), set()),
        (without(), {plots.GAPS, plots.CLASS_ROC}),
        (made_up.diagnostics(classes=2), {plots.GAPS, plots.EMBEDDINGS}),
        (made_up.diagnostics(each=1), {plots.EMBEDDINGS}),
    ],
)
def test_what_is_absent_is_not_drawn(content, expected):
    drawn = set(plots.diagnostic_figures(content))
    assert drawn == expected | {plots.NORMS, plots.HISTOGRAMS}


def test_rows_stand_as_given_with_what_tells_them_apart():
    rows = made_up.study_rows()
    figure = plots_diagnostics.membership_rows_figure(rows)
    axes = figure.axes[0]
    names = [" ".join(t.get_text().split()) for t in axes.get_yticklabels()]
    assert names[0] == (
        "White-box (global, passive, outputs of Dense_0, Dense_1, Dense_2, all "
        "gradients, round 20)"
    )
    assert names[-1] == "Gradient norm (global, passive)"
    chance, *dots = axes.lines
    assert list(chance.get_xdata()) == [0.5, 0.5]
    assert [dot.get_xdata()[0] for dot in dots] == [r["auc"]["value"] for r in rows]
    places = [dot.get_ydata()[0] for dot in dots]
    assert places == sorted(places) and axes.yaxis_inverted()
    ends = [tuple(part.get_segments()[0][:, 0]) for part in axes.collections]
    assert ends == [(0.55, 0.97)] * len(rows)
    assert axes.get_xlabel().startswith("AUC")


def test_rows_of_several_seeds_are_drawn_as_means():
    report = made_up.empty_report()
    four = report._replace(result=made_up.result(made_up.study_rows()[:4]))
    assert plots.ROWS not in plots.draw(four)
    # Four conditions with three seeds are four means.
    rows = [row for row in made_up.study_rows(3) if row["auc"]["value"] < 0.78]
    means = report._replace(result=made_up.result(rows))
    assert plots.ROWS not in plots.draw(means)
    five = report._replace(result=made_up.result(made_up.study_rows()[:5]))
    assert plots.ROWS in plots.draw(five)


def test_a_mean_of_one_seed_has_no_interval_and_names_are_no_mathematics():
    rows = [
        {**row, "layers": "$1 or $2", "seeds": [0]} for row in made_up.study_rows()[:5]
    ]
    rows[0] = rows[0] | {"auc": made_up.interval(0.7, None, None), "layers": "$3"}
    figure = plots_diagnostics.membership_rows_figure(rows)
    assert len(figure.axes[0].collections) == 4
    assert figure.axes[0].get_yticklabels()[1].get_text().count("\\$") == 2
    assert figure.axes[0].get_xlabel().startswith("mean AUC over seeds")
    assert plots.to_png(figure)
