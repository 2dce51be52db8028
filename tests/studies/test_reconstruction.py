"""The images that are judged, their rows and the pictures of a report."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import types
from jaxprivacy.attacks import inversion
from jaxprivacy.data import Dataset
from jaxprivacy.evaluation import reconstruction as evaluation, regions
from jaxprivacy.studies import collaboration, judge, reconstruction, seats
from tests import arrays
from tests.launch import launched

SHAPE, CLASSES, TARGET = (4, 4, 1), 3, 1
KEY = jax.random.key(8)
LINEAR = types.Model(lambda key: None, lambda w, x: x.reshape(len(x), -1) @ w)
WEIGHTS = arrays.normal(0, 16, CLASSES + 1, scale=2)


@pytest.fixture(scope="module")
def dataset():
    x = np.random.default_rng(0).uniform(-1, 1, (90, *SHAPE)).astype(np.float32)
    return Dataset("images", x, (np.arange(90) % CLASSES).astype(np.int32), CLASSES)


@pytest.fixture(scope="module")
def who(dataset):
    return seats.seats(
        dataset, np.arange(54), participants=2, target_class=TARGET, seed=0
    )


@pytest.fixture(scope="module")
def images(dataset, who):
    """Two generators, one of them under two names, and an inverted model."""
    generator = collaboration.linen_generator(SHAPE)
    shapes = jax.eval_shape(generator.init, KEY)
    one, two = (arrays.params_like(shapes, seed) for seed in (1, 2))
    with launched.compiled_fast(), mock.patch.object(reconstruction, "SAMPLES", 5):
        return reconstruction.reconstruct(
            dataset,
            who,
            {"model_inversion": (LINEAR, WEIGHTS)},
            {"gan": one, "gan_improved": one, "gan_no_influence": two},
            KEY,
        )


def test_every_row_has_its_images(images, dataset, who):
    assert list(images.attacks) == [
        "real",
        "untrained",
        "model_inversion",
        "gan",
        "gan_improved",
        "gan_no_influence",
    ]
    for name, attacked in images.attacks.items():
        assert attacked.shape == (5, *SHAPE), name
        assert isinstance(attacked, np.ndarray)
        assert np.abs(attacked).max() <= 1
        assert len(np.unique(attacked, axis=0)) == 5
    np.testing.assert_array_equal(images.attacks["real"], dataset.x[who.real[:5]])
    np.testing.assert_array_equal(images.private, dataset.x[who.private])
    np.testing.assert_array_equal(images.public, dataset.x[who.public])
    # Other classes' images are of the held ones: the judge learned from the others.
    held = np.concatenate([*who.honest, who.adversary])
    assert set(images.others) == {0, 2}
    for label, others in images.others.items():
        of_class = held[dataset.y[held] == label]
        np.testing.assert_array_equal(others, dataset.x[of_class[:5]])


def test_generators_are_sampled_with_the_same_noise(images):
    attacks = images.attacks
    np.testing.assert_array_equal(attacks["gan"], attacks["gan_improved"])
    for name in ("gan_no_influence", "untrained"):
        assert np.abs(attacks["gan"] - attacks[name]).max() > 0.1


def test_the_target_class_is_inverted(images):
    logits = LINEAR.apply(WEIGHTS, jnp.asarray(images.attacks["model_inversion"]))
    assert (np.asarray(jax.nn.softmax(logits))[:, TARGET] > 0.9).all()


def test_models_are_inverted_at_the_best_setting(dataset, who):
    """At one that stands still on grey, all reconstructions are grey."""
    still = inversion.Setting(0.5, 0.5, 0.0)
    with (
        mock.patch.object(inversion, "best_setting", lambda *args, **kw: still),
        mock.patch.object(reconstruction, "SAMPLES", 3),
    ):
        found = reconstruction._invert.__wrapped__(
            KEY, WEIGHTS, TARGET, model=LINEAR, shape=SHAPE
        )
    np.testing.assert_allclose(found, 0.5)


def looking(images):
    """Takes an image for the target if it is bright; features are two of its pixels."""
    bright = images.mean(axis=(1, 2, 3)) > 0
    probabilities = np.where(bright[:, None], [0.1, 0.7, 0.2], [0.6, 0.3, 0.1])
    return judge.Seen(probabilities, images[:, 0, :2, 0], images)


SURE = np.ones(CLASSES)  # no class is plausible that is not the likeliest
# A class is where the two pixels are within 0.8 of the origin.
REGIONS = regions.Regions(np.zeros((CLASSES, 2)), np.eye(2), np.full(CLASSES, 0.8**2))


def test_rows_are_judged_alike():
    rng = np.random.default_rng(1)

    def some(count):
        return rng.uniform(-1, 1, (count, *SHAPE))

    private, other = some(9), some(5)
    images = reconstruction.Images(
        {"real": some(5), "untrained": some(11), "gan": some(6)},
        private,
        some(4),
        {0: some(5) + 0.5, 2: other, 3: private[:4]},
    )
    judged_by = judge.Judge(
        looking, 1.0, SURE, REGIONS, arrays.near_all(CLASSES, SHAPE)
    )
    found = reconstruction.rows(TARGET, images, judged_by)
    names = ["real", "untrained", "gan", "other_class"]
    assert [row["attack"] for row in found] == names
    # Of five images and more, the class with the smaller distance.
    judged = images.attacks | {"other_class": other}
    for row in found:
        attacked = judged[row["attack"]]
        probabilities, features, _ = looking(attacked)
        assert row["target_class"] == TARGET
        assert row["samples"] == len(attacked)
        near = np.linalg.norm(features, axis=1) <= 0.8
        hits = (probabilities.argmax(axis=1) == TARGET) & near
        assert row["hit_rate"]["value"] == pytest.approx(hits.mean())
        assert row["confidence"] == pytest.approx(probabilities[:, TARGET].mean())
        # Of five at a time: the distance depends on their number.
        assert row["frechet_samples"] == 5
        frechet = evaluation.frechet_of_few(features, looking(private)[1], 5)
        assert row["frechet"] == pytest.approx(frechet)


def test_few_images_leave_the_others_their_distance():
    """Of one real image there is none, and of one private image of no row."""
    rng = np.random.default_rng(4)
    attacks = {
        "real": rng.uniform(-1, 1, (1, *SHAPE)),
        "gan": rng.uniform(-1, 1, (6, *SHAPE)),
    }
    private = rng.uniform(-1, 1, (4, *SHAPE))
    judged_by = judge.Judge(
        looking, 1.0, SURE, REGIONS, arrays.near_all(CLASSES, SHAPE)
    )
    images = reconstruction.Images(attacks, private, private, {})
    real, gan = reconstruction.rows(TARGET, images, judged_by)
    assert real["frechet"] is None
    assert gan["frechet"] is not None and gan["frechet_samples"] == 6
    alone = images._replace(private=private[:1], others={0: private})
    found = reconstruction.rows(TARGET, alone, judged_by)
    assert [row["frechet"] for row in found] == [None, None]


def pictures(rounds, held=15, unheld=6):
    """Of four images shown of each kind."""
    rng = np.random.default_rng(2)
    attacks = {name: rng.uniform(-1, 1, (6, *SHAPE)) for name in ("untrained", "gan")}
    attacks["real"] = rng.uniform(-1, 1, (unheld, *SHAPE))
    private = np.concatenate(
        [attacks["gan"][::-1] + 0.01, rng.uniform(-1, 1, (9, *SHAPE))]
    )
    public = rng.uniform(-1, 1, (3, *SHAPE))
    images = reconstruction.Images(attacks, private[:held], public, {})
    # The pixels of a sample tell its round and its number.
    samples = np.arange(rounds)[:, None] + np.arange(7) / 10
    samples = np.tile(samples[..., None, None, None], (1, 1, *SHAPE))
    accuracy = np.arange(rounds) / rounds
    with mock.patch.object(reconstruction, "SHOWN", 4):
        shown = reconstruction.pictures(TARGET, images, "gan", samples, accuracy)
    return images, shown


@pytest.mark.parametrize("rounds", [1, 3, 8, 9, 60, 300])
def test_pictures_of_some_rounds_from_the_first_to_the_last(rounds):
    _, shown = pictures(rounds)
    assert shown.rounds[0] == 1 and shown.rounds[-1] == rounds
    assert (np.diff(shown.rounds) > 0).all()
    assert len(shown.rounds) <= reconstruction.SHOWN_ROUNDS
    assert shown.over_rounds.shape == (len(shown.rounds), 4, *SHAPE)
    want = (shown.rounds - 1)[:, None] + np.arange(4) / 10
    np.testing.assert_allclose(shown.over_rounds[..., 0, 0, 0], want)
    np.testing.assert_allclose(shown.accuracy, (shown.rounds - 1) / rounds)


def test_pictures_of_the_end_are_beside_the_closest_private_image():
    images, shown = pictures(5)
    assert (shown.target_class, shown.attack) == (TARGET, "gan")
    assert set(shown.final) == {"untrained", "gan"}
    for name, final in shown.final.items():
        np.testing.assert_array_equal(final, images.attacks[name][:4])
    np.testing.assert_array_equal(shown.real, images.private[:4])
    # A private image is near each sample, in reverse order.
    np.testing.assert_array_equal(shown.closest, images.private[[5, 4, 3, 2]])


@pytest.mark.parametrize(
    ("held", "unheld", "filled"), [(1, 2, 3), (3, 2, 1), (1, 9, 3)]
)
def test_few_private_images_are_filled_up_with_others_of_the_class(
    held, unheld, filled
):
    images, shown = pictures(2, held, unheld)
    np.testing.assert_array_equal(shown.real, images.private)
    others = np.concatenate([images.attacks["real"], images.public])
    np.testing.assert_array_equal(shown.final["real"], others[:filled])
    assert len(shown.real) + len(shown.final["real"]) == 4
