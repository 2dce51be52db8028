from jaxprivacy.report.verdict import verdict
from jaxprivacy.report.verdict_reconstruction import reconstruction_sentences
from tests.report.made_up import image_row, many_rows, result


def said(images):
    return " ".join(verdict(result(images=images)))


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
