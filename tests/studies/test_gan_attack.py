"""The study of the GAN attack: what is run, and how a run is judged and told."""

import dataclasses
from unittest import mock

import jax
import numpy as np
import pytest

from jaxprivacy import errors
from jaxprivacy.data import Dataset
from jaxprivacy.evaluation import reconstruction as evaluation, regions
from jaxprivacy.evaluation.intervals import clopper_pearson
from jaxprivacy.studies import (
    accounting,
    collaboration,
    courses,
    gan_attack,
    gan_baselines,
    judge,
    results,
)
from jaxprivacy.studies.gan_parts import COMPARED
from jaxprivacy.studies.settings import GanSettings
from tests import arrays

LAST = ["judge", "reconstruct"]
# The judge says when the DCGAN has stopped improving.
WITH_DCGAN = ["judge", "dcgan", "reconstruct"]
STAGES = [
    (
        {},
        [
            "gan",
            "gan_no_influence",
            "gan_improved",
            "model_inversion_mlp",
            *WITH_DCGAN,
        ],
    ),
    ({"compare": ()}, ["gan", *LAST]),
    # Inverting the shared model takes no training of its own.
    ({"compare": ("model_inversion",)}, ["gan", *LAST]),
    (
        {"compare": ("dcgan", "gan_no_influence")},
        ["gan", "gan_no_influence", *WITH_DCGAN],
    ),
    (
        {"compare": ("dcgan", "gan_improved") * 2},
        ["gan", "gan_improved", *WITH_DCGAN],
    ),
    # The attack without influence is the attack then, and not run twice.
    (
        {"influence": False},
        ["gan_no_influence", "model_inversion_mlp", *WITH_DCGAN],
    ),
    ({"influence": False, "compare": ()}, ["gan_no_influence", *LAST]),
    ({"influence": False, "compare": ("gan_improved",)}, ["gan_no_influence", *LAST]),
]


@pytest.mark.parametrize(("changes", "stages"), STAGES)
def test_stages(changes, stages):
    settings = GanSettings(**changes)
    found = gan_attack.stages_of(settings)
    assert found == stages
    weights = [gan_attack.WEIGHTS.get(name, 1.0) for name in stages]
    assert gan_attack.weight(settings) == pytest.approx(sum(weights))


def test_every_stage_has_a_name_and_every_comparison_a_stage():
    for influence in (True, False):
        stages = gan_attack.stages_of(GanSettings(influence=influence))
        assert set(stages) <= set(gan_attack.NAMES)
    assert set(gan_attack.NAMES) == {"gan", *COMPARED, *LAST} - {"model_inversion"}


@pytest.mark.parametrize(
    ("row", "influence", "mode_seeking"),
    [("gan", 1, 0), ("gan_no_influence", 0, 0), ("gan_improved", 1, 0.7)],
)
def test_what_differs_between_the_runs(row, influence, mode_seeking):
    found = collaboration.swept(GanSettings(mode_seeking=0.7), row)
    assert found == {"influence": influence, "mode_seeking": mode_seeking}
    # Of one kind in all runs, so that one program serves them.
    assert {type(value) for value in found.values()} == {float}
    assert set(found) <= set(collaboration.SWEPT)


def test_keys_differ_and_follow_the_seed():
    keys = [jax.random.key_data(collaboration.keys(seed)) for seed in (0, 1, 0)]
    assert len({tuple(key) for key in np.concatenate(keys[:2])}) == 8
    np.testing.assert_array_equal(keys[0], keys[2])


# Preparing.


@pytest.fixture
def saved(tmp_path):
    """Saves images with 4 labels in turn and returns how to name the file."""

    def save(x, classes=4):
        np.savez(tmp_path / "data.npz", x=x, y=np.arange(len(x)) % classes)
        return f"npz:{tmp_path / 'data.npz'}"

    return save


IMAGES = np.random.default_rng(0).integers(0, 256, (200, 4, 5), np.uint8)


def test_the_held_records_are_drawn_class_by_class(saved):
    settings = GanSettings(data=saved(IMAGES), held_fraction=0.6, seed=3)
    dataset, held, who = gan_attack.prepare(settings)
    np.testing.assert_array_equal(np.bincount(dataset.y[held]), [30] * 4)
    assert len(np.unique(held)) == 120
    dealt = np.concatenate([*who.honest, who.adversary])
    np.testing.assert_array_equal(np.sort(dealt), np.sort(held))
    again, other = (
        gan_attack.prepare(dataclasses.replace(settings, seed=seed)).held
        for seed in (3, 4)
    )
    np.testing.assert_array_equal(held, again)
    assert set(held) != set(other)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"records": 100, "participants": 3, "adversary_data": False}, None),
        ({"participants": 1}, "participants=1: "),
        ({"target_class": 4}, "target_class=4: accepted are 0 to 3"),
        ({"records": 201}, "records=201: "),
        ({"participants": 161}, "participants=161: one of them would hold no record"),
        ({"held_fraction": 0.999}, "target_class=0: participants hold 50 "),
        ({"held_fraction": 0.001}, "participants=2: one of them would hold no"),
    ],
)
def test_what_cannot_be_had_is_refused(changes, said, saved):
    settings = GanSettings(data=saved(IMAGES), **changes)
    if said is None:
        assert len(gan_attack.prepare(settings).dataset.y) == 100
        return
    with pytest.raises(errors.InputError) as error:
        gan_attack.prepare(settings)
    line = str(error.value)
    assert line.startswith(said) and "accepted" in line and "\n" not in line
    for flag in ("partition", "dirichlet_alpha", "members_per_participant"):
        assert flag not in line  # The GAN attack has no such flags.


@pytest.mark.parametrize(
    "x", [np.random.default_rng(0).normal(size=(200, 3)), IMAGES[:, :3]]
)
def test_what_is_no_image_of_4_x_4_is_refused(x, saved):
    spec = saved(x)
    with pytest.raises(errors.InputError, match=f"data={spec}: .*accepted are"):
        gan_attack.prepare(GanSettings(data=spec))


# Judging a run. The judge takes an image's mean for its only feature, and says that it
# is of class 1 if that is above 0.


def looking(images):
    mean = images.mean(axis=(1, 2, 3))
    probabilities = np.stack([mean <= 0, mean > 0], axis=1).astype(np.float32)
    return judge.Seen(probabilities, mean[:, None], images)


# A class reaches as far from 0 as there is a mean.
EVERYWHERE = regions.Regions(np.zeros((2, 1)), np.eye(1), np.full(2, np.inf))
JUDGE = judge.Judge(looking, 1.0, np.ones(2), EVERYWHERE, arrays.near_all(2, (2, 2, 1)))


def attacked(levels, started):
    """A run whose samples of each round are grey, of the given levels (R, S)."""
    levels = np.asarray(levels, np.float32)
    samples = np.tile(levels[..., None, None, None], (1, 1, 2, 2, 1))
    info = {
        "test_accuracy": np.linspace(0.5, 0.9, len(levels)),
        "train_accuracy": np.linspace(0.6, 1.0, len(levels)),
        "started": np.array(started)[:, None],
        "loss": np.arange(2.0 * len(levels)).reshape(-1, 2),
    }
    return collaboration.Attacked(None, None, samples, info)


LEVELS = [[-0.5, -0.5, -0.25], [0.5, -0.5, -0.5], [0.5, 0.25, 0.25]]
PRIVATE = np.tile(np.array([0.2, 0.4])[:, None, None, None], (1, 2, 2, 1))


def test_a_course_judges_the_samples_of_each_round():
    run = attacked(LEVELS, [False, True, True])
    course = courses.course("gan", run, 1, JUDGE, PRIVATE)
    assert (course.attack, course.start_round) == ("gan", 2)
    np.testing.assert_array_equal(course.rounds, [1, 2, 3])
    np.testing.assert_array_equal(course.accuracy, run.info["test_accuracy"])
    want = [clopper_pearson(hits, 3) for hits in (0, 1, 3)]
    np.testing.assert_allclose(course.hit_rate, want)
    for of_round, frechet in zip(LEVELS, course.frechet, strict=True):
        # Of one feature: squared differences of means and of standard deviations.
        spread = np.std(of_round, ddof=1) - np.std([0.2, 0.4], ddof=1)
        distance = (np.mean(of_round) - 0.3) ** 2 + spread**2
        assert frechet == pytest.approx(distance, rel=1e-4)
    assert course.frechet[2] == pytest.approx(
        evaluation.frechet_distance(np.array(LEVELS[2])[:, None], [[0.2], [0.4]]),
        rel=1e-4,
    )


def test_a_course_counts_what_lies_within_the_class():
    near = EVERYWHERE._replace(thresholds=np.full(2, 0.3**2))
    course = courses.course(
        "gan", attacked(LEVELS, [True] * 3), 1, JUDGE._replace(regions=near), PRIVATE
    )
    np.testing.assert_allclose(course.hit_rate[:, 0], [0, 0, 2 / 3])


@pytest.mark.parametrize(
    ("started", "start"),
    [([True] * 3, 1), ([False, False, True], 3), ([False] * 3, 3)],
)
def test_where_the_attack_began(started, start):
    course = courses.course("gan", attacked(LEVELS, started), 1, JUDGE, PRIVATE)
    assert course.start_round == start


def test_one_private_image_has_no_frechet_distance_but_uploads_have_means():
    run = attacked(LEVELS, [True] * 3)
    assert courses.course("gan", run, 1, JUDGE, PRIVATE).clipped is None
    run.info["clipped"] = np.array([[0.0, 1.0], [0.2, 0.4], [0.1, 0.1]])
    run.info["cosine"] = -run.info["clipped"]
    course = courses.course("gan", run, 1, JUDGE, PRIVATE[:1])
    np.testing.assert_allclose(course.clipped, [0.5, 0.3, 0.1])
    np.testing.assert_allclose(course.cosine, [-0.5, -0.3, -0.1])
    assert np.isnan(course.frechet).all()
    row = courses.course_row(course)
    assert row["hit_rate"][1] == clopper_pearson(1, 3)._asdict()


# Privacy, and the baselines.

SMALL = GanSettings(
    model="mlp",
    mlp_widths=(3,),
    rounds=7,
    upload_fraction=0.25,
)


@pytest.fixture(scope="module")
def dataset():
    x = np.random.default_rng(0).uniform(-1, 1, (40, 4, 4, 1)).astype(np.float32)
    return Dataset("images", x, (np.arange(40) % 2).astype(np.int32), 2)


def test_account_by_hand(dataset):
    assert accounting.account(SMALL, dataset) is None
    private = dataclasses.replace(SMALL, epsilon_per_parameter=0.5)
    # 16 x 3 + 3, then 3 x 3 + 3 with the artificial class: 63, a quarter uploaded.
    want = (0.5, 63, 16, 8.0, 7, 56.0, True)
    assert accounting.account(private, dataset) == want
    # Of a budget of a sweep instead of its own.
    for settings in (SMALL, private):
        asked = accounting.account(settings, dataset, 2.0)
        assert (asked.epsilon_per_parameter, asked.epsilon_total) == (2.0, 224.0)


def test_the_judge_says_when_the_dcgan_is_at_its_best(dataset):
    """Of features that are images' means, beside those of the images of each run."""
    asked = {}

    def train(plain, generator, images, keys, distance, *, most, advance):
        asked.update(images=images, most=most)
        grey = np.array([0.1, 0.5], np.float32)[:, None, None, None]
        return [distance(run, np.tile(grey, (1, 2, 2, 1))) for run in range(2)]

    settings = dataclasses.replace(SMALL, dcgan_steps=6)
    images = [PRIVATE, PRIVATE + 1]
    with (
        mock.patch.object(gan_baselines.bounds, "train", train),
        mock.patch.object(gan_baselines, "plain_dcgan", lambda *args: None),
    ):
        found = gan_baselines.dcgans(settings, images, [None] * 2, [JUDGE] * 2, None)
    assert asked["most"] == 6 and len(asked["images"]) == 2
    wanted = [
        evaluation.frechet_distance([[0.1], [0.5]], [[0.2 + i], [0.4 + i]])
        for i in range(2)
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_settings_are_told_as_they_took_effect(dataset):
    told = dict(results.used_settings(GanSettings(model=None), dataset))
    assert told["model"] == "cnn"
    assert told["records"] == 40
    assert told["classes"] == 2
    assert told["record_shape"] == "4 x 4 x 1"
    assert told["mlp_widths"] == "256, 128"
    assert told["adversary_data"] is True
    assert "epsilon_per_parameter" not in told
    private = GanSettings(epsilon_per_parameter=3.0, compare=("dcgan",))
    told = dict(results.used_settings(private, dataset))
    assert (told["epsilon_per_parameter"], told["compare"]) == (3.0, "dcgan")


def test_a_dcgan_needs_two_images_of_the_victim(saved):
    """One image has no distance by which a DCGAN could stop."""
    x = np.random.default_rng(0).integers(0, 256, (80, 4, 5), np.uint8)
    settings = GanSettings(data=saved(x, classes=20), held_fraction=0.25)
    with pytest.raises(errors.InputError, match="compare=dcgan: the victim holds 1"):
        gan_attack.prepare(settings)
    without = dataclasses.replace(settings, compare=())
    assert len(gan_attack.prepare(without).seats.private) == 1
