import io

import numpy as np
import pytest
from rich.console import Console

from jaxprivacy.report.tables import print_summary
from tests.report import made_up


def printed(report, width=80):
    stream = io.StringIO()
    print_summary(report, Console(file=stream, width=width))
    return stream.getvalue()


def widest_report():
    tprs = {0.1: (0.999, 0.123, 0.999), 0.01: (0.999, 0.123, 0.999)}
    members = [
        made_up.member_row((0.512, 0.412, 0.612), attack, attacker, mode, tprs)
        for attack in ("loss_threshold", "black_box", "white_box")
        for attacker in ("global", "local")
        for mode in ("passive", "isolating_gradient_ascent")
    ]
    members.append(members[0] | {"attack": "an attack of the user's own " * 4})
    images = [
        made_up.image_row(attack, (0.999, 0.123, 0.999), 123456.7)
        for attack in ("model_inversion", "gan_no_influence", "dcgan")
    ]
    return made_up.report(result=made_up.result(members, images, members))


@pytest.mark.parametrize("report", [widest_report(), made_up.report()])
def test_summary_fits_80_columns_and_loses_nothing(report):
    text = printed(report)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    wide = printed(report, width=300)
    for number in wide.split():
        if number[0].isdigit():
            assert number in text, number


def test_summary_says_what_the_page_says():
    text = " ".join(printed(made_up.report()).split())
    for expected in (
        "White-box 40.0 0.712 65.4",  # 1 % is not told by so few, and has no column
        "30.0-50.0 0.651-0.763 60.1-70.2",
        "What this means: of 100 people whose records were trained on, Loss threshold",
        "its 95 % interval",
        "GAN 3 90.0 12.2 3.25 - 123",
        "0.503 [0.420, 0.581] 0.65 holds",
        "Verdict: clear exposure",
        "AUC: the probability that an attack gives a member",
        "false positive rate (FPR): share of the non-members",
        "Frechet distance: how far two sets of images lie apart",
        "null check: an attack where there is nothing to find",
        "epsilon: the measure of differential privacy",
        "exposure is clear",
        "A made-up note.",
    ):
        assert expected in text, expected


def test_a_rate_that_only_some_rows_tell_has_a_footnote():
    resolved = {0.1: (0.4, 0.3, 0.5), 0.01: (0.2, 0.1, 0.3)}
    rows = [made_up.MEMBERS[0], made_up.member_row((0.7, 0.6, 0.8), tprs=resolved)]
    text = " ".join(printed(made_up.report(result=made_up.result(rows))).split())
    assert "TPR % at TPR % at attack 10 % FPR 1 % FPR AUC accuracy %" in text
    assert "-: too few non-members to resolve this FPR." in text


def test_no_footnote_where_each_rate_is_resolved():
    assert "too few" not in printed(widest_report())


def test_failed_null_check_and_empty_report():
    result = made_up.result(
        made_up.MEMBERS, nulls=[made_up.member_row((0.6, 0.55, 0.7))]
    )
    text = printed(made_up.report(result=result))
    assert "FAILS" in text.split() and "the null check fails" in text
    assert "Verdict: exposure cannot be determined" in text
    empty = printed(made_up.empty_report())
    assert "Membership inference\n" not in empty and "Verdict" in empty


def test_names_are_no_markup():
    row = made_up.MEMBERS[0] | {"attack": "[red]own[/red]"}
    report = made_up.report(result=made_up.result([row]), notes=["[bold]note"])
    text = printed(report)
    assert "[red]own[/red]" in text and "[bold]note" in text


def test_privacy_is_a_short_table():
    lines = printed(made_up.report()).splitlines()
    shown = [" ".join(line.split()) for line in lines]
    for expected in (
        "Noise on the uploads",
        "epsilon per parameter 10",
        "parameters uploaded, at most 105,700 of 105,707",
        "epsilon per epoch and participant 1.06e6",
        "epochs 60",
        "total epsilon, basic composition 6.34e7",
    ):
        assert expected in shown, expected
    unclipped = made_up.privacy()._replace(clip_first=False)
    result = made_up.result() | {"privacy": unclipped._asdict()}
    text = printed(made_up.report(result=result, tradeoff=None))
    assert "guarantee none" in " ".join(text.split()) and "6.34e7" not in text
    assert "bounds nothing" in text and "differential" not in text
    text = printed(made_up.report(result=made_up.result(), tradeoff=None))
    assert "Noise on the uploads" not in text


def test_uploads_and_the_budgets_of_a_sweep_are_shown():
    course = {"clipped": np.array([0.8, 0.25]), "cosine": np.array([0.1, 0.5])}
    result = made_up.report().result | {"courses": [course]}
    text = " ".join(printed(made_up.report(result=result)).split())
    for expected in (
        "% of an update beyond gamma, first and last round 80.0, 25.0",
        "cosine of update and upload, first and last round 0.10, 0.50",
        "10 6.34e7",
        "65.0 to",
        "differentially private with the total epsilon of their row",
    ):
        assert expected in text, expected


def many(**options):
    rows = made_up.many_rows(**options)
    return made_up.report(result=made_up.result(images=rows))


def test_many_reconstructions_are_shown_as_means():
    text = " ".join(printed(many()).split())
    assert "Reconstruction, means over rows" in text
    # Seven rows at 90 % and one at 10 %.
    assert "GAN 8 80.0 22.6 3.25 - 123" in text
    assert "56.4-100" in text
    single = " ".join(printed(many(classes=13, seeds=1)).split())
    assert "Real images 13 90.0" in single
    few = printed(many(classes=2))
    assert "means over rows" not in few and "Real images" in few


def test_one_row_among_many_has_no_interval():
    rows = [*made_up.many_rows(), made_up.image_row("dcgan", (0.7, 0.6, 0.8))]
    text = " ".join(printed(made_up.report(result=made_up.result(images=rows))).split())
    assert " 1 70.0 1.50 3.25 - 123" in text and "None" not in text


def test_means_fit_80_columns():
    attacks = ("model_inversion_mlp", "gan_no_influence", "dcgan")
    rows = [
        made_up.image_row(attack, (0.999, 0.9, 1.0), frechet, target)
        for attack in attacks
        for target, frechet in enumerate([1.234e6, 1.234e7, 2e6, 3e6, 1e6])
    ]
    report = made_up.report(result=made_up.result(images=rows))
    text = printed(report)
    assert max(map(len, text.splitlines())) <= 80 and "\u2026" not in text
    for number in printed(report, width=300).split():
        if number[0].isdigit():
            assert number in text, number


def study_40():
    """40 rows with all that can tell rows apart, and long."""
    return [
        made_up.member_row(
            (0.512, 0.412, 0.612),
            attack,
            attacker,
            mode,
            {0.1: (0.999, 0.123, 0.999), 0.01: (0.999, 0.123, 0.999)},
        )
        | {
            "layers": "Conv_0, Conv_1, Dense_0, an_unusually_long_name_of_a_layer",
            "gradients": f"Dense_{number}",
            "observed_rounds": list(range(1, 3 + number)),
            "participants": 4 + number,
            "attack_members": 25_000 + number,
            "pair": "base / fine-tuning" if number else "base / non-members",
            "setting": "own_setting" if number else "federated",
            "ascent_rate": 0.1 * number,
        }
        for attack in ("unsupervised", "gradient_norm")
        for attacker in ("global", "local")
        for mode in ("isolating", "isolating_gradient_ascent")
        for number in range(5)
    ]


def test_forty_rows_fit_and_lose_nothing():
    rows = study_40()
    assert len(rows) == 40
    report = made_up.report(result=made_up.result(rows, nulls=rows[:12]))
    text = printed(report)
    assert max(map(len, text.splitlines())) <= 80 and "\u2026" not in text
    shown = " ".join(text.split())
    for expected in ("25,004", "gradients of", "8 participants", "own setting, base"):
        assert expected in shown, expected


def test_several_seeds_are_shown_as_means():
    text = " ".join(printed(made_up.study_report(3)).split())
    assert "Membership inference, means over seeds" in text
    assert "Seeds: 0, 1, 2. Below each mean: its 95 % interval." in text
    # 0.95, 0.96 and 0.97, standard deviation 0.01; t(0.975, 2) / sqrt(3) is 2.484.
    assert "40.0 0.960" in text and "0.935-0.985" in text
    assert text.count("40.0 0.960") == 1
    one = " ".join(printed(made_up.study_report()).split())
    assert "means over" not in one and "0.550-0.970" in one and "seed" not in one


def test_null_check_of_an_attack_that_did_not_train_neither_holds_nor_fails():
    row = made_up.member_row((0.6, 0.55, 0.7)) | {"trained": False}
    text = printed(made_up.report(result=made_up.result(made_up.MEMBERS, nulls=[row])))
    table = text.split("Null checks")[1].split("Verdict")[0]
    assert "not trained" in table and not {"NO", "yes"} & set(table.split())


def test_of_many_null_checks_those_that_fail_are_listed():
    rows = made_up.study_rows(2)
    held = [row | {"auc": made_up.interval(0.5, 0.4, 0.6)} for row in rows]
    many = made_up.report(result=made_up.result(rows, nulls=held))
    assert "Null checks" not in printed(many)
    failed = [*held[1:], rows[0]]
    text = printed(made_up.report(result=made_up.result(rows, nulls=failed)))
    table = text.split("Null checks")[1].split("Verdict")[0]
    assert table.split().count("FAILS") == 1 and "holds" not in table.split()
    few = printed(made_up.report(result=made_up.result(rows, nulls=held[:3])))
    table = few.split("Null checks")[1].split("Verdict")[0]
    assert table.split().count("holds") == 3


def test_an_attack_that_did_not_train_is_named_in_its_row():
    rows = [made_up.MEMBERS[0], made_up.MEMBERS[1] | {"trained": False}]
    nulls = [made_up.NULLS[0] | {"trained": False, "detectable_auc": 0.64}]
    text = " ".join(
        printed(made_up.report(result=made_up.result(rows, nulls=nulls))).split()
    )
    assert "White-box not trained - -" in text and "0.712" not in text
    assert "Not trained: the attack learned nothing" in text
    assert "0.503 [0.420, 0.581] 0.64 not trained" in text


def test_positive_controls_are_found_or_missed():
    planted = made_up.NULLS[0] | {"control": "planted"}
    found = planted | {"auc": made_up.interval(0.8, 0.7, 0.9)}
    result = made_up.result(made_up.MEMBERS, nulls=[planted, found])
    words = printed(made_up.report(result=result)).split()
    assert "MISSED" in words and "found" in words and "planted" in words
    assert "FAILS" not in words


def test_the_terminal_shows_the_verdict_of_the_result():
    result = made_up.result(made_up.MEMBERS)
    result["verdict"] = {"level": "severe", "sentences": ["As it was written."]}
    text = printed(made_up.report(result=result))
    assert "Verdict: severe exposure" in text and "As it was written." in text
    assert "can be told apart" not in text
