import pytest

from jaxprivacy.report.verdict import strength, verdict
from tests.report.made_up import NULLS, image_row, member_row, result


def said(members=(), images=(), nulls=NULLS):
    return " ".join(verdict(result(members, images, nulls)))


def test_nothing_was_run():
    assert verdict(result()) == [
        "No membership inference attack was run.",
        "No reconstruction attack was run.",
    ]
    assert strength(result()) == ""


@pytest.mark.parametrize(
    "auc, word",
    [
        ((0.9, 0.81, 0.95), "severe"),
        ((0.9, 0.8, 0.95), "clear"),
        ((0.7, 0.61, 0.8), "clear"),
        ((0.7, 0.6, 0.8), "slight"),
        ((0.55, 0.51, 0.6), "slight"),
    ],
)
def test_strength_goes_by_the_lower_end(auc, word):
    content = result([member_row(auc)], nulls=NULLS)
    assert strength(content) == word
    first = verdict(content)[0]
    assert first.startswith("Members can be told apart") and f"is {word}:" in first
    assert f"{auc[0]:.3f} [{auc[1]:.3f}, {auc[2]:.3f}]" in first
    assert "White-box (global, passive)" in first


@pytest.mark.parametrize("auc", [(0.6, 0.5, 0.7), (0.5, 0.4, 0.6)])
def test_no_evidence(auc):
    content = result([member_row(auc)], nulls=NULLS)
    assert strength(content) == "no evidence"
    assert verdict(content)[0].startswith("No evidence at this sample size")


def test_the_best_attack_is_the_highest_auc_that_is_shown():
    rows = [
        member_row((0.6, 0.55, 0.65), "loss_threshold"),
        member_row((0.8, 0.75, 0.85), "white_box"),
        member_row((0.9, 0.45, 0.99), "black_box"),  # Too few records to tell.
    ]
    assert "White-box (global, passive), the best of 3, reaches an AUC of 0.800" in (
        said(rows)
    )
    rows[1] = member_row((0.7, 0.4, 0.85), "white_box")
    assert "Loss threshold (global, passive), the best of 3" in said(rows)


def test_reversed_attack_is_named():
    rows = [member_row((0.2, 0.1, 0.3), "loss_threshold")]
    assert "Loss threshold (global, passive) ranks non-members above" in said(rows)
    assert "ranks non-members above" not in said([member_row((0.5, 0.4, 0.6))])


def test_largest_tpr_at_the_lowest_fpr_that_any_attack_resolves():
    rates = [
        {0.1: (0.5, 0.4, 0.6), 0.01: (0.03, 0.02, 0.05), 0.001: (None,) * 3},
        {0.1: (0.9, 0.8, 0.95), 0.01: (0.02, 0.004, 0.05), 0.001: (None,) * 3},
    ]
    rows = [
        member_row((0.7, 0.6, 0.8), name, tprs=tprs)
        for name, tprs in zip(("black_box", "white_box"), rates, strict=True)
    ]
    assert (
        "At a false positive rate of 1 %, Black-box (global, passive) finds 3.0 % "
        "[2.0, 5.0] of the members, more than the 1 % of guessing." in said(rows)
    )
    assert "not shown to be more than the 1 %" in said(rows[1:])
    unresolved = member_row((0.7, 0.6, 0.8), tprs={0.1: (None,) * 3})
    assert "false positive rate" not in said([unresolved])


def test_null_checks():
    rows = [member_row((0.9, 0.85, 0.95))]
    assert "the AUC interval covers 0.5" in said(rows)
    assert "all 2 AUC intervals cover 0.5" in said(rows, nulls=NULLS * 2)
    assert "No null check was run" in said(rows, nulls=())
    failed = (*NULLS, member_row((0.6, 0.55, 0.65), "black_box"))
    content = result(rows, nulls=failed)
    first = verdict(content)[0]
    assert first.startswith("The null check fails for Black-box (global, passive)")
    assert first.endswith("not to be trusted.")
    assert "holds" not in " ".join(verdict(content))
    assert strength(content) == "not to be trusted"


def test_recognised_reconstruction():
    rows = [
        image_row("real", (1.0, 0.9, 1.0), 2.0),
        image_row("untrained", (0.0, 0.0, 0.1), 80.0),
        image_row("model_inversion", (0.2, 0.1, 0.3), 60.0),
        image_row("gan", (0.9, 0.8, 0.95), 12.25),
    ]
    words = said(images=rows)
    assert "Class 3: an independent classifier takes 90.0 % [80.0, 95.0]" in words
    assert "Untrained generator: 0.0 % [0.0, 10.0]" in words
    assert "Model inversion: 20.0 % [10.0, 30.0]" in words
    assert "The samples are recognised as the class" in words
    assert "GAN (12.2) is nearer than an untrained generator (80.0)" in words
    assert "real images lie at 2.00." in words
    assert "No reconstruction" not in words


def test_unrecognisable_reconstruction():
    rows = [
        image_row("untrained", (0.05, 0.01, 0.1), 80.0),
        image_row("gan", (0.2, 0.1, 0.3), 90.0),
    ]
    words = said(images=rows)
    assert "The reconstruction is not recognisable" in words
    assert "is not nearer than" in words


def test_reconstructions_with_little_to_compare():
    gan = image_row("gan", (0.9, 0.8, 0.95), None)
    assert "cannot be judged" in said(images=[gan])
    words = said(images=[gan, image_row("untrained", (0.0, 0.0, 0.1), 80.0)])
    assert "recognised as the class" in words and "Frechet" not in words
    assert "No reconstruction" in said(images=[image_row("real", (1.0, 0.9, 1.0))])
    other = image_row("gan", (0.1, 0.0, 0.2), 1.0, target=8)
    words = said(images=[gan, other])
    assert "Class 3:" in words and "Class 8:" in words
