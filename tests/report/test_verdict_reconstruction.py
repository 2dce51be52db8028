from jaxprivacy.report import verdict as verdict_lib
from jaxprivacy.report.verdict_reconstruction import reconstruction_sentences
from tests.report.made_up import image_row, many_rows, member_row, result


def said(images):
    return " ".join(verdict_lib.verdict(result(images=images))["sentences"])


def level(images, **target):
    content = result(images=images)
    content["evidence"] = [target]
    return verdict_lib.verdict(content)["level"]


def test_recognised_reconstruction():
    rows = [
        image_row("real", (1.0, 0.9, 1.0), 2.0),
        image_row("untrained", (0.0, 0.0, 0.1), 80.0),
        image_row("model_inversion", (0.2, 0.1, 0.3), 60.0),
        image_row("gan", (0.9, 0.8, 0.95), 12.25),
    ]
    words = said(rows)
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
    words = said(rows)
    assert "The reconstruction is not recognisable" in words
    assert "is not nearer than" in words


def test_reconstructions_with_little_to_compare():
    gan = image_row("gan", (0.9, 0.8, 0.95), None)
    assert "cannot be judged" in said([gan])
    words = said([gan, image_row("untrained", (0.0, 0.0, 0.1), 80.0)])
    assert "recognised as the class" in words and "Frechet" not in words
    assert "No reconstruction" in said([image_row("real", (1.0, 0.9, 1.0))])
    other = image_row("gan", (0.1, 0.0, 0.2), 1.0, target=8)
    words = said([gan, other])
    assert "Class 3:" in words and "Class 8:" in words


def test_the_variant_is_judged_beside_the_attack():
    rows = [
        image_row("untrained", (0.0, 0.0, 0.1), 80.0),
        image_row("gan_improved", (0.9, 0.8, 0.95), 5.0),
        image_row("gan", (0.1, 0.05, 0.2), 90.0),
        image_row("model_inversion_mlp", (0.7, 0.6, 0.8), 60.0),
    ]
    first, second = reconstruction_sentences(rows)
    assert "of the samples of GAN for the class" in first
    assert "Model inversion of an MLP: 70.0 % [60.0, 80.0]" in first
    assert "not recognisable" in first
    assert "of the samples of GAN with additions for the class." in second
    assert "are recognised as the class" in second
    assert len(reconstruction_sentences(rows[:2])) == 1


def test_many_classes_and_seeds_are_summed_up():
    first, *others = reconstruction_sentences(many_rows())
    # Seven rows at 90 %, one at 10 %, at distances 50 (not recognised), 2, 11, ... 32.
    assert first == (
        "Over 8 reconstructions (4 classes, 2 seeds), an independent classifier takes "
        "on average 80.0 % of the samples of GAN for their class; the Frechet distance "
        "to the victim's images is 2.00 to 50.0. Against an untrained generator, the "
        "samples are recognised as the class in 7 of 8 (the interval lies above), and "
        "nearer by the Frechet distance in 7."
    )
    assert others == [
        "Untrained generator: mean hit rate 10.0 %, Frechet distance 50.0 to 81.0.",
        "Real images: mean hit rate 90.0 %, Frechet distance 1.00 to 32.0.",
    ]


def test_when_rows_are_summed_up():
    def summed(**options):
        return "on average" in said(many_rows(**options))

    assert summed(classes=4, seeds=1) and summed(classes=1, seeds=2)
    assert not summed(classes=3, seeds=1)
    one = said(many_rows(classes=1, seeds=2))
    assert "Over 2 reconstructions (1 class, 2 seeds)" in one


def test_many_rows_without_seeds_distances_or_baselines():
    rows = [
        {k: v for k, v in row.items() if k != "seed"} | {"frechet": None}
        for row in many_rows(seeds=1)
    ]
    words = said(rows)
    assert "Over 4 reconstructions (4 classes)," in words
    assert "the Frechet distance to the victim's images is unknown" in words
    assert "nearer by the Frechet distance in 0" in words
    assert "cannot be judged" in said(many_rows(attacks=("gan",)))
    words = said(many_rows(attacks=("real", "untrained", "dcgan")))
    assert "No reconstruction attack was run." in words


def test_only_rows_of_the_same_class_and_seed_are_compared():
    rows = [
        row
        for row in many_rows()
        if row["attack"] != "untrained" or (row["target_class"], row["seed"]) == (1, 1)
    ]
    assert "recognised as the class in 1 of 1 " in said(rows)


UNTRAINED = image_row("untrained", (0.0, 0.0, 0.1), 80.0)
REAL = image_row("real", (1.0, 0.9, 1.0), 2.0)


def test_a_level_of_reconstructions_alone():
    works = image_row("gan", (0.9, 0.8, 0.95), 12.0)
    assert level([UNTRAINED, works]) == "clear"
    assert "exposure is clear" in said([UNTRAINED, works])
    unrecognised = image_row("gan", (0.05, 0.0, 0.15), 12.0)
    assert level([UNTRAINED, REAL, unrecognised]) == "none_found"
    found = said([UNTRAINED, REAL, unrecognised])
    assert "No sign was found" in found and "would have recognised" in found
    # Another attack's success is not hidden behind the first one's failure.
    other = image_row("model_inversion", (0.9, 0.8, 0.95), 12.0)
    assert level([UNTRAINED, unrecognised, other]) == "clear"
    assert "by Model inversion in 1 of 1" in said([UNTRAINED, unrecognised, other])
    rows = many_rows()  # Seven of eight.
    assert level(rows) == "clear"
    for row in rows:
        if row["attack"] == "gan" and row["target_class"]:
            row["frechet"] = 1000.0
    assert level(rows) == "slight"


def test_reconstructions_that_cannot_be_judged():
    farther = image_row("gan", (0.9, 0.8, 0.95), 90.0)
    assert level([UNTRAINED, farther]) == "cannot_tell"
    assert "not shown to be nearer" in said([UNTRAINED, farther])
    assert level([image_row("gan", (0.9, 0.8, 0.95), 12.0)]) == "cannot_tell"
    poor = image_row("gan", (0.05, 0.0, 0.15), 12.0)
    blind = image_row("real", (0.05, 0.0, 0.15), 2.0)
    assert level([UNTRAINED, blind, poor]) == "cannot_tell"
    assert "does not recognise real images" in said([UNTRAINED, blind, poor])
    facts = {"train_accuracy": 0.1, "train_records": 900, "largest_class": 0.1}
    assert level([UNTRAINED, REAL, poor], **facts) == "cannot_tell"
    works = image_row("gan", (0.9, 0.8, 0.95), 12.0)
    assert level([UNTRAINED, works], **facts) == "clear"


def test_a_reconstruction_raises_what_was_not_found_and_nothing_else():
    works = [UNTRAINED, image_row("gan", (0.9, 0.8, 0.95), 12.0)]

    def both(auc, **facts):
        content = result([member_row(auc)], works, [member_row((0.5, 0.4, 0.6))])
        content["evidence"] = [facts]
        return verdict_lib.verdict(content)

    assert both((0.5, 0.4, 0.6))["level"] == "clear"
    assert both((0.5, 0.4, 0.6))["parts"]["membership"] == "none_found"
    # The headline is of the part that made the level.
    assert both((0.5, 0.4, 0.6))["sentences"][0].startswith("What a class looks like")
    assert both((0.9, 0.85, 0.95))["sentences"][0].startswith("Members can be told")
    assert both((0.9, 0.85, 0.95))["level"] == "severe"
    assert both((0.5, 0.4, 0.6), constant_inputs=True)["level"] == "cannot_tell"


def test_whose_images_the_samples_resemble_is_said():
    gan = image_row("gan", (0.9, 0.8, 0.95), 12.0, nearest_public=3.2)
    assert "they show the class, not the victim" in said([UNTRAINED, gan])
    nearer = gan | {"nearest_public": 3.3}
    assert "not the victim" not in said([UNTRAINED, nearer])
