from jaxprivacy.report import verdict as verdict_lib
from jaxprivacy.report.verdict_samples import reconstruction_sentences
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
        image_row("other_class", (0.02, 0.0, 0.05), 20.0),
        image_row("untrained", (0.0, 0.0, 0.1), 80.0),
        image_row("model_inversion", (0.2, 0.1, 0.3), 60.0),
        image_row("gan", (0.9, 0.8, 0.95), 12.25),
    ]
    words = said(rows)
    assert (
        "Class 3: an independent classifier, of another architecture than the attacked "
        "model, takes 90.0 % [80.0, 95.0] of the samples of GAN for the class and "
        "finds them within its real images: their hit rate (Untrained generator: 0.0 % "
        "[0.0, 10.0]; Images of another class: 2.0 % [0.0, 5.0]; Model inversion: "
        "20.0 % [10.0, 30.0]). The samples show the class: the hit rate lies above "
        "that of an untrained generator and another class, and by the Frechet distance "
        "to the victim's images the samples (12.2) are nearer than those of an "
        "untrained generator (80.0) and real images of another class (20.0); real "
        "images lie at 2.00."
    ) in words
    assert "No reconstruction" not in words


def test_unrecognisable_reconstruction():
    rows = [
        image_row("untrained", (0.05, 0.01, 0.1), 80.0),
        image_row("gan", (0.2, 0.1, 0.3), 90.0),
    ]
    words = said(rows)
    assert (
        "The reconstruction is not recognisable: the hit rate is not shown to lie "
        "above that of an untrained generator, and by the Frechet distance to the "
        "victim's images the samples (90.0) are not shown to be nearer than those of "
        "an untrained generator (80.0)."
    ) in words


def test_where_the_measures_disagree_it_is_said():
    untrained = image_row("untrained", (0.0, 0.0, 0.1), 80.0)
    other = image_row("other_class", (0.3, 0.2, 0.4), 20.0)

    def judged(hit, frechet):
        return said([untrained, other, image_row("gan", hit, frechet)])

    words = judged((0.9, 0.8, 0.95), 30.0)
    assert (
        "The two measures disagree, so that the attack is not shown to work: the hit "
        "rate lies above that of an untrained generator and another class, but by the "
        "Frechet distance to the victim's images the samples (30.0) are not shown to "
        "be nearer than real images of another class (20.0)."
    ) in words
    words = judged((0.35, 0.3, 0.45), 10.0)
    assert "The two measures disagree" in words
    assert "not shown to lie above that of another class, but" in words
    assert "not recognisable" in judged((0.35, 0.3, 0.45), 30.0)
    assert "The samples show the class" in judged((0.9, 0.8, 0.95), 10.0)


def test_reconstructions_with_little_to_compare():
    gan = image_row("gan", (0.9, 0.8, 0.95), None)
    assert "cannot be judged" in said([gan])
    words = said([gan, image_row("untrained", (0.0, 0.0, 0.1), 80.0)])
    assert "The hit rate lies above that of an untrained generator; their" in words
    assert "Frechet distance is unknown" in words and "disagree" not in words
    assert "No reconstruction" in said([image_row("real", (1.0, 0.9, 1.0))])
    other = image_row("gan", (0.1, 0.0, 0.2), 1.0, target=8)
    words = said([gan, other])
    assert "Class 3: an independent classifier" in words
    # What a hit is, is said once.
    assert "Class 8: the hit rate of GAN is 10.0 % [0.0, 20.0]." in words


def test_the_variant_is_judged_beside_the_attack():
    rows = [
        image_row("untrained", (0.0, 0.0, 0.1), 80.0),
        image_row("gan_improved", (0.9, 0.8, 0.95), 5.0),
        image_row("gan", (0.1, 0.05, 0.2), 90.0),
        image_row("model_inversion_mlp", (0.7, 0.6, 0.8), 85.0),
    ]
    first, second = reconstruction_sentences(rows)
    assert "of the samples of GAN for the class" in first
    assert "Model inversion of an MLP: 70.0 % [60.0, 80.0]" in first
    assert "not recognisable" in first
    assert "the hit rate of GAN with additions is 90.0 % [80.0, 95.0]. The" in second
    assert "The samples show the class" in second
    assert len(reconstruction_sentences(rows[:2])) == 1


def test_an_attack_that_works_is_spoken_of_where_the_first_does_not():
    rows = [
        image_row("untrained", (0.0, 0.0, 0.1), 80.0),
        image_row("gan", (0.05, 0.0, 0.15), 90.0),
        image_row("model_inversion", (0.9, 0.8, 0.95), 5.0),
        image_row("gan_no_influence", (0.05, 0.0, 0.15), 90.0),
    ]
    first, second = reconstruction_sentences(rows)
    assert "not recognisable" in first
    assert "hit rate of Model inversion is 90.0 % [80.0, 95.0]. The samples" in second
    rows[1] = image_row("gan", (0.9, 0.8, 0.95), 5.0)
    assert len(reconstruction_sentences(rows)) == 1


def test_many_classes_and_seeds_are_summed_up():
    first, *others = reconstruction_sentences(many_rows())
    # Seven rows at 90 %, one at 10 %, at distances 50 (not recognised), 2, 11, ... 32.
    assert first == (
        "Over 8 reconstructions (4 classes, 2 seeds), an independent classifier, of "
        "another architecture than the attacked model, takes on average 80.0 % of the "
        "samples of GAN for their class and finds them within its real images: their "
        "hit rate; the Frechet distance to the victim's images is 2.00 to 50.0. Its "
        "hit rate lies above that of an untrained generator in 7 of 8 (the whole "
        "interval does), its samples are nearer by the Frechet distance in 7, and "
        "both, so that the attack works, in 7."
    )
    assert others == [
        "Untrained generator: mean hit rate 10.0 %, Frechet distance 50.0 to 81.0.",
        "Real images: mean hit rate 90.0 %, Frechet distance 1.00 to 32.0.",
    ]


def test_of_many_it_is_counted_where_the_measures_disagree():
    rows = many_rows(attacks=("gan", "gan_improved", "untrained"))
    for row in rows:
        if row["attack"] == "gan" and row["target_class"] == 1:
            row["frechet"] = 1000.0
    first, second, _ = reconstruction_sentences(rows)
    assert "nearer by the Frechet distance in 5, and both" in first
    assert first.endswith("works, in 5. The two measures disagree in 2.")
    assert second.endswith("Frechet distance 1.00 to 32.0, works in 8 of 8.")
    # An image of another class for one of the rows.
    other = many_rows(("untrained",))[2] | {"attack": "other_class"}
    words = reconstruction_sentences([*rows, other])[0]
    assert "above that of an untrained generator and another class in 7" in words
    swept = [row | {"swept": {"epsilon": row["seed"]}} for row in rows]
    assert "(4 classes, 2 settings, 2 seeds)" in reconstruction_sentences(swept)[0]


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
    assert "an untrained generator in 1 of 1 " in said(rows)


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
    assert "does not show them to be nearer to the" in said([UNTRAINED, farther])
    assert level([image_row("gan", (0.9, 0.8, 0.95), 12.0)]) == "cannot_tell"
    poor = image_row("gan", (0.05, 0.0, 0.15), 12.0)
    blind = image_row("real", (0.05, 0.0, 0.15), 2.0)
    assert level([UNTRAINED, blind, poor]) == "cannot_tell"
    assert "does not recognise real images" in said([UNTRAINED, blind, poor])
    facts = {"train_accuracy": 0.1, "train_records": 900, "largest_class": 0.1}
    assert level([UNTRAINED, REAL, poor], **facts) == "cannot_tell"
    works = image_row("gan", (0.9, 0.8, 0.95), 12.0)
    assert level([UNTRAINED, works], **facts) == "clear"


def test_one_real_image_says_nothing_of_the_judge():
    """A hit of one is no more than samples of noise could have."""
    missed = image_row("gan", (0.05, 0.0, 0.15), 90.0)
    other = image_row("other_class", (0.0, 0.0, 0.6), 20.0)
    one = image_row("real", (1.0, 0.025, 1.0), None, samples=1)
    images = [UNTRAINED, other, one, missed]
    assert level(images) == "none_found"
    assert "real images of the class" not in said(images)
    # Enough of them, and none a hit: then it is the judge.
    blind = image_row("real", (0.0, 0.0, 0.1), 2.0)
    assert level([UNTRAINED, other, blind, missed]) == "cannot_tell"


OTHER = image_row("other_class", (0.3, 0.2, 0.4), 20.0)


def test_an_attack_has_to_beat_real_images_of_another_class():
    """By both measures, or it does not work: noise alone is easily beaten."""

    def found(hit, frechet):
        return level([UNTRAINED, OTHER, REAL, image_row("gan", hit, frechet)])

    assert found((0.9, 0.8, 0.95), 12.0) == "clear"
    assert found((0.9, 0.8, 0.95), 30.0) == "cannot_tell"
    assert found((0.5, 0.39, 0.6), 12.0) == "cannot_tell"
    assert found((0.5, 0.39, 0.6), 30.0) == "none_found"
    words = said([UNTRAINED, OTHER, image_row("gan", (0.5, 0.39, 0.6), 12.0)])
    assert "but the classifier does not recognise them more often than real" in words
    words = said([UNTRAINED, OTHER, image_row("gan", (0.9, 0.8, 0.95), 12.0)])
    assert (
        "more often, and lie nearer to the victim's images, than those of an untrained "
        "generator and real images of another class, by GAN in 1 of 1."
    ) in words


def learned(images, judge, *runs):
    """The verdict where shared models are as good as `runs` say."""
    more = {"judge_accuracy": judge, "runs": list(runs)}
    return verdict_lib.verdict(result(images=images) | more)


def run(accuracy, row="gan", **more):
    return {"row": row, "target_class": 3, "class_accuracy": accuracy} | more


FAILS = image_row("gan", (0.05, 0.0, 0.15), 90.0)


def test_a_shared_model_that_is_too_poor_to_judge_by():
    rows = [UNTRAINED, OTHER, REAL, FAILS]
    found = learned(rows, 0.96, run(0.62))
    assert found["level"] == "cannot_tell"
    assert found["sentences"][0] == (
        "Whether a class can be reconstructed cannot be told: the shared model is too "
        "poor for the attack to be judged. An attack has no more to go by than what "
        "the model knows, and among the real classes it is right on 62.0 %, where the "
        "independent classifier is right on 96.0 %. Train for more rounds, or with "
        "other rates, until it has learned."
    )
    # 0.9 of the judge's accuracy is enough.
    assert learned(rows, 0.9, run(0.81))["level"] == "none_found"
    assert learned(rows, 0.9, run(0.8099))["level"] == "cannot_tell"
    # What is not known decides nothing.
    assert learned(rows, None, run(0.62))["level"] == "none_found"
    assert learned(rows, 0.96)["level"] == "none_found"
    assert learned(rows, 0.96, run(0.62, "gan_improved"))["level"] == "none_found"
    # Model inversion is of the run without influence, where there is one.
    rows = [UNTRAINED, OTHER, REAL, FAILS | {"attack": "model_inversion"}]
    assert learned(rows, 0.96, run(0.62))["level"] == "cannot_tell"
    both = run(0.62), run(0.95, "gan_no_influence")
    assert learned(rows, 0.96, *both)["level"] == "none_found"


def test_a_poor_model_hides_no_attack_that_works():
    works = image_row("model_inversion", (0.9, 0.8, 0.95), 12.0)
    rows = [UNTRAINED, OTHER, REAL, FAILS]
    assert learned([*rows, works], 0.96, run(0.62))["level"] == "clear"
    alone = [UNTRAINED, OTHER, works | {"attack": "gan"}]
    assert learned(alone, 0.96, run(0.62))["level"] == "clear"


def test_some_models_of_a_sweep_are_too_poor():
    def of_seed(seed, *rows, **more):
        return [row | {"seed": seed} | more for row in rows]

    rows = of_seed(0, UNTRAINED, REAL, FAILS) + of_seed(1, UNTRAINED, REAL, FAILS)
    judges = {"0": 0.9, "1": 1.0}
    both = run(0.8, seed=0), run(0.85, seed=1)
    found = learned(rows, judges, *both)
    assert found["level"] == "cannot_tell"
    assert "right on 80.0 to 85.0 %, where" in found["sentences"][0]
    assert "right on 90.0 to 100 %. Train" in found["sentences"][0]
    found = learned(rows, judges, run(0.85, seed=0), both[1])
    assert found["level"] == "none_found"
    assert "in none of 1 reconstructions" in found["sentences"][0]
    assert (
        "of 1 nothing can be said, since the shared model is too poor: among"
        in found["sentences"][0]
    )
    # An attack of which no run could be judged is not said to find nothing.
    one_more = of_seed(0, FAILS | {"attack": "gan_improved"})
    poor = run(0.5, "gan_improved", seed=0)
    more = learned(rows + one_more, judges, run(0.85, seed=0), both[1], poor)
    assert more["level"] == "cannot_tell"
    # What was swept tells runs apart; what all share is not told of each.
    swept = [
        *of_seed(0, UNTRAINED, REAL),
        *of_seed(0, FAILS, swept={"epsilon_per_parameter": 1.0}),
        *of_seed(0, FAILS, swept={"epsilon_per_parameter": None}),
    ]
    runs = [
        run(0.1, epsilon_per_parameter=1.0),
        run(0.9, epsilon_per_parameter=None),
    ]
    found = learned(swept, judges, *runs)
    assert found["level"] == "none_found"
    assert "right on 10.0 %, where" in found["sentences"][0]
    assert learned(swept[:3], judges, *runs)["level"] == "cannot_tell"


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
