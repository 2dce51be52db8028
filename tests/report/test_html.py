import html.parser

import pytest

from jaxprivacy.report import html as page, plots
from tests.report import made_up

EVIL = '<script>alert("x")</script>'
# So that pages are made without drawing.
FIGURES = dict.fromkeys(plots.ALL_NAMES, b"\x89PNG made up")


class Tags(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br", "line", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data + " "


def parsed(report, figures=None):
    return Tags(page.render(report, FIGURES if figures is None else figures))


@pytest.mark.parametrize("whole", [True, False])
def test_page_is_well_formed_and_loads_nothing(whole):
    report = made_up.report() if whole else made_up.empty_report()
    tags = parsed(report, FIGURES if whole else {})
    assert not tags.open
    loading = {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert not loading & {tag for tag, _ in tags.found}
    for tag, attributes in tags.found:
        assert not {"href", "srcset", "onload", "onerror", "style"} & set(attributes)
        if "src" in attributes:
            assert tag == "img"
            assert attributes["src"].startswith("data:image/png;base64,")
            assert attributes["alt"]
    source = page.render(report, FIGURES)
    for word in ("http://", "https://", "url(", "@import", "//cdn"):
        assert word not in source


def evil_report():
    row = made_up.MEMBERS[0] | dict.fromkeys(("attack", "attacker", "mode"), EVIL)
    row |= {"setting": EVIL}
    image = made_up.IMAGES[0] | {"attack": EVIL, "target_class": EVIL}
    result = made_up.result([row], [image], [row])
    result |= {"command": EVIL, "seed": EVIL, "versions": {EVIL: EVIL}}
    return made_up.report(
        result=result,
        settings=[(EVIL, EVIL)],
        split_counts=[(EVIL, 1, EVIL)],
        reconstructions=made_up.reconstructions()._replace(target_class=EVIL),
        notes=[EVIL],
        courses=[made_up.course(EVIL)],
        class_samples=[made_up.class_samples()[0]._replace(title=EVIL)],
    )


def test_every_string_is_escaped():
    tags = parsed(evil_report())
    assert "script" not in {tag for tag, _ in tags.found}
    assert "<script" not in page.render(evil_report(), FIGURES)
    # And still shown, as text, at each of its places.
    assert tags.text.count("alert(") >= 17


def test_every_string_of_many_rows_is_escaped():
    rows = [
        row | {"attack": EVIL, "target_class": EVIL, "seed": EVIL}
        for row in made_up.many_rows()
    ]
    report = evil_report()._replace(result=made_up.result(images=rows))
    assert "<script" not in page.render(report, FIGURES)
    # In each of 24 rows, the table of means, and what is said of the attack.
    assert parsed(report).text.count("alert(") >= 3 * 24 + 2


def test_page_says_what_was_found():
    tags = parsed(made_up.report())
    words = " ".join(tags.text.split())  # No-break spaces become plain ones.
    for expected in (
        "exposure is clear: White-box (global, isolating gradient ascent)",
        "The null check holds",
        "0.712 0.651 to 0.763",
        "65.4 % 60.1 to 70.2",
        "1,300",
        "A made-up note.",
        "python -m launch.audit --data=digits",
        "12.3 s",
        "holds the model's parameters",
        "keeps the other participants' updates from the victim",
        "99.0 % accuracy on its training records",
        "not the randomness of training",
    ):
        assert expected in words, expected
    images = [attributes for tag, attributes in tags.found if tag == "img"]
    # All but those of the diagnostics, which this report has not.
    assert len(images) == len(plots.ALL_NAMES) - len(plots.DIAGNOSTICS)


def test_absent_parts_are_left_out():
    words = parsed(made_up.empty_report(), {}).text
    for absent in ("Null checks", "Reconstruction\n", "Who holds what", "ROC"):
        assert absent not in words
    assert "No membership inference attack was run." in words


def test_failed_null_check_heads_the_page():
    failed = made_up.member_row((0.6, 0.55, 0.65))
    result = made_up.result(made_up.MEMBERS, nulls=[failed])
    words = parsed(made_up.report(result=result)).text
    assert "exposure cannot be determined" in words
    headline = "cannot be determined: the null check fails"
    assert words.index(headline) < words.index("At face value")


def test_gradient_norms_without_a_white_box_row_are_shown():
    result = made_up.result(made_up.MEMBERS[:1])
    assert "Gradient norms" in parsed(made_up.report(result=result)).text


def words(report, figures=None):
    return " ".join(parsed(report, figures).text.split())


def test_privacy_of_the_uploads():
    found = words(made_up.report())
    for expected in (
        "Noise on the uploads",
        "epsilon per parameter what the paper quotes 10",
        "105,700 of 105,707",
        "over the run 60",
        "over its parameters 1.06e6",
        "by basic composition 6.34e7",
        "changes the probability of any upload by at most a factor of e epsilon",
        "An epsilon above about 10 guarantees nothing in practice",
    ):
        assert expected in found, expected
    # A sweep has no one budget, but its figure.
    result = made_up.result(made_up.MEMBERS, made_up.IMAGES, made_up.NULLS)
    sweep = words(made_up.report(result=result))
    assert "Noise on the uploads" in sweep
    assert "what the paper quotes" not in sweep
    figures = {plots.TRAINING: b"\x89PNG"}
    assert "Differential" not in words(made_up.report(result=result), figures)


def tables_of_reconstruction(tags):
    inside = [tag for tag, _ in tags.found if tag in ("details", "summary")]
    return inside, " ".join(tags.text.split())


def test_few_reconstructions_are_one_table_without_means():
    rows = made_up.many_rows(classes=2)  # 12
    inside, found = tables_of_reconstruction(
        parsed(made_up.report(result=made_up.result(images=rows)))
    )
    assert not inside and "All 12 rows" not in found
    assert "Class Seed Samples" in found
    assert "Class 0: hit rate" in found


def test_many_reconstructions_are_means_and_the_rest_folded_away():
    rows = made_up.many_rows()
    rows[0]["frechet"] = None
    tags = parsed(made_up.report(result=made_up.result(images=rows)))
    inside, found = tables_of_reconstruction(tags)
    assert inside == ["details", "summary"] and "All 24 rows" in found
    # GAN: seven rows at 90 % and one at 10 %; 17.5 = mean of 2, 11, 12, ... 32.
    assert "GAN 8 80.0 % 56.4 to 100" in found
    assert "of 7 rows" in found
    assert "one row for each class and seed" in found
    assert "hit rate 90.0 % [80.0, 95.0], Frechet" not in found  # Not row by row.
    assert "differences between seeds" in found
    assert "another seed gives another model" not in found


def test_rows_without_seeds_have_no_column_of_them():
    found = words(made_up.report(result=made_up.result(images=made_up.IMAGES)))
    assert "Class Samples" in found
    assert "another seed gives another model" in found


def test_a_course_alone_makes_the_section_of_reconstruction():
    report = made_up.empty_report()._replace(courses=[made_up.course()])
    found = words(report, {plots.COURSES: b"\x89PNG"})
    assert "Over the rounds: accuracy of the shared model" in found


@pytest.mark.parametrize("train, test", [(None, 0.8), (None, None), (0.9, None)])
def test_accuracies_that_were_not_measured_are_left_out(train, test):
    result = made_up.result(images=made_up.IMAGES)
    result["target"] = {"train_accuracy": train, "test_accuracy": test}
    found = words(made_up.empty_report()._replace(result=result), {})
    assert ("accuracy on its training records" in found) == (train is not None)
    assert ("80.0 % accuracy on records it never saw" in found) == (test is not None)
    assert ("The attacked model" in found) == (train is not None or test is not None)
    assert "- %" not in found


def test_a_report_without_membership_does_not_speak_of_it():
    result = made_up.result(images=made_up.IMAGES)
    found = words(made_up.report(result=result, roc_curves=[], gradient_norms=None))
    assert found.count("No membership inference attack was run.") == 1
    assert found.count("embership inference") == 1
    assert "not to be trusted" not in found and "null check" not in found.lower()


@pytest.mark.parametrize("attack", ["gan_no_influence", "other"])
def test_samples_over_the_rounds_stand_with_their_attack_or_above_all(attack):
    images = made_up.reconstructions()._replace(attack=attack)
    found = words(made_up.report(reconstructions=images))
    assert found.count("Samples as the training went on") == 1
    before, _, rest = found.partition("Samples as the training went on")
    model = "uploads only what an honest participant would"
    assert (model in before) == (attack == "gan_no_influence")
    assert (model in rest) == (attack == "other")


def test_diagnostics_have_their_section():
    report = made_up.study_report()
    tags = parsed(report)
    found = " ".join(tags.text.split())
    assert found.count("What tells members from non-members") == 1
    images = [attributes["src"] for tag, attributes in tags.found if tag == "img"]
    assert len(images) == len(plots.ALL_NAMES)
    assert "Left out" not in found
    content = report.diagnostics
    content.members_label[content.members_label == 0] = 9
    assert "Left out: 2 classes with fewer than 2 members" in words(report)
    without = words(made_up.report(result=report.result))
    assert "What tells members from non-members" not in without
    # Of the norms alone nothing is said of classes.
    bare = made_up.study_report()._replace(
        diagnostics=content._replace(members_score=None)
    )
    assert "Left out" not in words(bare)


def test_several_seeds_are_means_and_the_rest_folded_away():
    tags = parsed(made_up.study_report(3))
    found = " ".join(tags.text.split())
    assert "0.960 0.935 to 0.985" in found
    assert "Seeds: 0, 1, 2. Means over the seeds" in found
    assert "All 21 rows" in found and "All 3 rows" in found
    assert "All 24 null checks, of which none fails" in found
    assert found.count("seed 2 federated") == 8  # Every row is still there.
    folded = [tag for tag, _ in tags.found].count("details")
    assert folded == 3 and not tags.open
    assert "another seed gives another model" not in found
    assert "the lowest of all seeds" in found
    one = words(made_up.study_report())
    assert "All 7 rows" not in one and "seed 0 federated" not in one
    assert "outputs of Dense_0, Dense_1, Dense_2, all gradients, round 20" in one


def test_a_mean_of_one_seed_stands_without_interval():
    rows = made_up.study_rows(2)
    report = made_up.study_report()._replace(result=made_up.result(rows[:-1]))
    found = words(report)
    assert "Gradient norm global, passive 40.0 % 0.950 65.4 %" in found
    assert "Some rows have 1 of them." in found and "None" not in found


def test_settings_are_explained_and_seats_only_where_there_are_some():
    rows = [row | {"setting": "standalone"} for row in made_up.study_rows()]
    found = words(made_up.report(result=made_up.result(rows)))
    assert "standalone setting the attacker holds a trained model" in found
    assert "global attacker" not in found and "federated setting" not in found
    both = made_up.result([*rows, made_up.MEMBERS[0]])
    assert "global attacker the parameter server" in words(made_up.report(result=both))


def test_every_string_of_a_study_is_escaped():
    keys = ("layers", "gradients", "pair", "supervision", "participants", "setting")
    rows = [
        row | dict.fromkeys(keys, f"{EVIL}{number}")
        for number, row in enumerate(made_up.study_rows(2))
    ]
    report = made_up.study_report()._replace(result=made_up.result(rows, nulls=rows))
    assert "<script" not in page.render(report, FIGURES)
    assert parsed(report).text.count("alert(") >= 2 * len(keys) * len(rows)


LEVELS = {
    "severe": "severe exposure",
    "clear": "clear exposure",
    "slight": "slight exposure",
    "none_found": "no exposure found",
    "cannot_tell": "exposure cannot be determined",
}


@pytest.mark.parametrize("level", LEVELS)
def test_the_page_shows_the_verdict_of_the_result(level):
    result = made_up.result(made_up.MEMBERS)
    result["verdict"] = {"level": level, "sentences": ["As it was written.", "More."]}
    found = words(made_up.report(result=result))
    assert f"{LEVELS[level]} As it was written." in found
    assert "can be told apart" not in found


def test_an_attack_that_did_not_train_has_no_numbers():
    rows = [made_up.MEMBERS[0], made_up.MEMBERS[1] | {"trained": False}]
    nulls = [made_up.NULLS[0] | {"trained": False}]
    found = words(made_up.report(result=made_up.result(rows, nulls=nulls)))
    assert found.count("not trained") >= 3 and "0.712" not in found


def test_terms_are_explained_once():
    found = words(made_up.report())
    for term in ("the probability that an attack", "false positive rate (FPR)"):
        assert found.count(term) == 1, term
    assert found.index("the probability that an attack") < found.index(
        "Membership inference"
    )


def test_captions_go_by_the_data():
    norms = made_up.report().gradient_norms
    lower = norms._replace(members=norms.members * 0, non_members=norms.non_members)
    higher = norms._replace(members=norms.members + 100)
    for given, side in ((lower, "below"), (higher, "above")):
        found = words(made_up.report(gradient_norms=given))
        assert f"median lies {side} that of the non-members at all 5 rounds" in found
