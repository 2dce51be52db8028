import struct

import numpy as np
import pytest

from jaxprivacy.report import plots
from tests.report import made_up


def size(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def test_draw_makes_a_figure_for_each_content():
    figures = plots.draw(made_up.everything())
    assert tuple(figures) == plots.ALL_NAMES
    for name, png in figures.items():
        width, height = size(png)
        assert width == 1400 and 200 < height < 2000, name
    assert plots.draw(made_up.empty_report()) == {}


def test_same_report_same_bytes():
    first, second = (
        plots.to_png(plots.training_figure(made_up.report().training)) for _ in "ab"
    )
    assert first == second


def test_roc_shows_curve_band_and_chance():
    curve = made_up.curve("costs $1 or $2")  # No mathematics.
    figure = plots.roc_figure([curve])
    axes = figure.axes[0]
    chance, line = axes.lines
    np.testing.assert_array_equal(chance.get_xdata(), chance.get_ydata())
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert axes.get_xlim() == pytest.approx((1 / 40, 1))
    assert line.get_drawstyle() == "steps-post"
    # At each FPR the highest TPR, as the curve itself has it.
    for fpr, tpr in zip(line.get_xdata(), line.get_ydata(), strict=True):
        if fpr >= 1 / 40:
            assert tpr == curve.roc.tpr[curve.roc.fpr == fpr].max()
    legend = [entry.get_text() for entry in figure.legends[0].get_texts()]
    assert legend[-1] == "chance" and legend[0].count("\\$") == 2
    assert f"AUC {curve.auc.value:.3f} [{curve.auc.low:.3f}" in legend[0]
    plots.to_png(figure)


def test_gradient_norms_show_medians():
    norms = made_up.report().gradient_norms
    axes = plots.gradient_norm_figure(norms).axes[0]
    members, non_members = axes.lines
    np.testing.assert_allclose(members.get_ydata(), np.median(norms.members, axis=1))
    expected = np.median(norms.non_members, axis=1)
    np.testing.assert_allclose(non_members.get_ydata(), expected)
    assert axes.get_yscale() == "log" and "all layers" in axes.get_ylabel()


def test_no_state_of_pyplot():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.draw(made_up.report(reconstructions=None, class_samples=()))
    assert dict(matplotlib.rcParams) == before
