import html.parser

import pytest

from jaxprivacy.report import html as page
from jaxprivacy.report import plots
from tests.report import made_up

EVIL = '<script>alert("x")</script>'
# So that pages are made without drawing.
FIGURES = dict.fromkeys(plots.NAMES, b"\x89PNG made up")


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
    )


def test_every_string_is_escaped():
    tags = parsed(evil_report())
    assert "script" not in {tag for tag, _ in tags.found}
    assert "<script" not in page.render(evil_report(), FIGURES)
    # And still shown, as text, at each of its places.
    assert tags.text.count("alert(") >= 17


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
    assert len(images) == len(plots.NAMES)


def test_absent_parts_are_left_out():
    words = parsed(made_up.empty_report(), {}).text
    for absent in ("Null checks", "Reconstruction\n", "Who holds what", "ROC"):
        assert absent not in words
    assert "No membership inference attack was run." in words


def test_failed_null_check_heads_the_page():
    failed = made_up.member_row((0.6, 0.55, 0.65))
    result = made_up.result(made_up.MEMBERS, nulls=[failed])
    words = parsed(made_up.report(result=result)).text
    assert "numbers not to be trusted" in words
    assert words.index("The null check fails") < words.index("Members can be told")


def test_gradient_norms_without_a_white_box_row_are_shown():
    result = made_up.result(made_up.MEMBERS[:1])
    assert "Gradient norms" in parsed(made_up.report(result=result)).text
