"""The figure of true positive rates over the number of reference models."""

import pytest

from jaxprivacy.report import plots_references


def row(attack, references, seed, rate):
    rates = [{"fpr": fpr, "value": rate} for fpr in plots_references.FPRS]
    return {
        "attack": attack,
        "references": references,
        "seed": seed,
        "tpr_at_fpr": rates,
    }


def test_lines_are_means_over_targets_and_attacks_alone_are_level():
    rows = [
        row("lira_online", count, seed, rate)
        for count, rates in ((4, (0.2, 0.4)), (8, (0.5, 0.7)))
        for seed, rate in enumerate(rates)
    ]
    rows += [row("loss_threshold", 0, seed, 0.1) for seed in range(2)]
    rows += [row("rmia_online", 4, 0, 0.3)]  # One target has no interval.
    for axes in plots_references.references_figure(rows).axes:
        line, level = sorted(axes.lines, key=lambda each: -len(set(each.get_ydata())))
        assert list(line.get_xdata()) == [4, 8]
        assert line.get_ydata() == pytest.approx([0.3, 0.6])
        assert set(level.get_ydata()) == {0.1}
        assert len(axes.collections) == 1  # the interval


def test_a_rate_that_is_not_known_has_no_panel():
    rows = [row("lira_online", 4, seed, 0.5) for seed in range(3)]
    for each in rows:
        each["tpr_at_fpr"][1]["value"] = None
    (axes,) = plots_references.references_figure(rows).axes
    assert "1.0%" in axes.get_title()
