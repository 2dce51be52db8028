"""The judge: what it looks at, how it is trained, what it gives back."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import types
from jaxprivacy.data import Dataset, load
from jaxprivacy.evaluation import neighbours, regions
from jaxprivacy.models import generators, judges, targets
from jaxprivacy.studies import collaboration, judge, seats
from tests import arrays
from tests.launch import launched

CLASSES = 3
LEARNS, UNSEEN = np.arange(100), np.arange(100, 400)
WRONG = UNSEEN[:60]


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


@pytest.fixture(scope="module")
def dataset():
    """A class is the row of the image that is bright; a few labels are wrong."""
    rng = np.random.default_rng(0)
    y = np.arange(400) % CLASSES
    x = rng.uniform(-1, -0.5, (400, 6, 4, 1))
    x[np.arange(400), 2 * y] += 1.2
    y[WRONG] = (y[WRONG] + 1) % CLASSES
    return Dataset("rows", x.astype(np.float32), y.astype(np.int32), CLASSES)


@pytest.fixture(scope="module")
def trained(dataset):
    """A judge, and the shares that it told."""
    shares = []
    with mock.patch.object(judge, "STEPS", 120):
        judged_by = judge.train_judge(
            dataset, LEARNS, UNSEEN, jax.random.key(1), shares.append
        )
    return judged_by, shares


def test_it_learns_what_is_plain_and_tells_its_accuracy_on_the_unseen(trained, dataset):
    judged_by, shares = trained
    probabilities, *_ = judged_by.look(dataset.x)
    right = probabilities.argmax(axis=1) == dataset.y
    assert right[LEARNS].mean() > 0.95
    assert not right[WRONG].any()
    assert judged_by.accuracy == pytest.approx(right[UNSEEN].mean())
    assert judged_by.accuracy < 0.81
    assert len(shares) == judge.CHUNKS and sum(shares) == pytest.approx(1)


def test_regions_are_of_the_unseen_records_and_noise_has_its_own_label(dataset):
    fitted, batches = [], []

    def plain(model):
        def gradient(key, params, batch):
            jax.debug.callback(lambda y: batches.append(np.array(y)), batch.y)

        return gradient

    def sgd(gradient, optimizer, **options):
        def train(key, params, state, data):
            gradient(key, params, data)
            return params, state, jnp.zeros(())

        return train

    with (
        mock.patch.object(judge.regions, "fit", lambda *args: fitted.append(args)),
        mock.patch.object(judge.gradients, "plain", plain),
        mock.patch.object(judge.local, "sgd", sgd),
        mock.patch.object(judge, "CHUNKS", 1),
    ):
        found = judge.train_judge(dataset, LEARNS, UNSEEN, jax.random.key(1), print)
    [(features, labels, classes)] = fitted
    np.testing.assert_array_equal(labels, dataset.y[UNSEEN])
    np.testing.assert_allclose(features, found.look(dataset.x[UNSEEN]).features)
    assert classes == CLASSES
    jax.effects_barrier()
    [labels] = batches
    noise = len(LEARNS) // 8
    np.testing.assert_array_equal(labels[:-noise], dataset.y[LEARNS])
    np.testing.assert_array_equal(labels[-noise:], CLASSES)


def test_it_looks_at_any_number_of_images_alike(trained, dataset):
    judged_by, _ = trained
    count = judge.AT_ONCE + 30
    probabilities, features, images = judged_by.look(dataset.x[:count])
    assert probabilities.shape == (count, CLASSES + 1)
    assert features.shape == (count, judge.FEATURES)
    np.testing.assert_array_equal(images, dataset.x[:count])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    for start, stop in ((0, 1), (3, 10), (judge.AT_ONCE - 1, count)):
        part = judged_by.look(dataset.x[start:stop])
        np.testing.assert_allclose(part[0], probabilities[start:stop], rtol=1e-5)
        np.testing.assert_allclose(part[1], features[start:stop], rtol=1e-5)


def test_features_are_what_the_last_layer_receives(trained, dataset):
    """The logits, of which probabilities tell the differences, are affine in them."""
    probabilities, features, _ = trained[0].look(dataset.x)
    log_odds = np.log(probabilities[:, 1:]) - np.log(probabilities[:, :1])
    features = np.c_[features, np.ones(len(features))].astype(np.float64)
    weights, *_ = np.linalg.lstsq(features, log_odds, rcond=None)
    assert np.abs(features @ weights - log_odds).max() < 1e-2
    assert np.ptp(log_odds, axis=0).min() > 3


@pytest.fixture(scope="module")
def augmented():
    """Many views of one image, a bright pixel on grey, of 32 x 20."""
    image = np.zeros((32, 20, 1), np.float32)
    image[9, 0] = 100
    images = np.tile(image, (500, 1, 1, 1))
    return np.asarray(jax.jit(judge.augment)(jax.random.key(2), images))


def test_images_are_shifted_by_a_sixteenth_at_most(augmented):
    flat = augmented.reshape(500, -1).argmax(axis=1)
    rows, columns = np.unravel_index(flat, (32, 20))
    assert set(rows) == {7, 8, 9, 10, 11}
    assert set(columns) == {18, 19, 0, 1, 2}  # Round the edge.


def test_small_images_are_shifted_too():
    images = np.zeros((200, 4, 4, 1), np.float32)
    images[:, 1, 2] = 100
    moved = np.asarray(jax.jit(judge.augment)(jax.random.key(0), images))
    places = moved.reshape(200, -1).argmax(axis=1)
    rows, columns = np.unravel_index(places, (4, 4))
    assert (set(rows), set(columns)) == ({0, 1, 2}, {1, 2, 3})


def test_noise_is_of_a_level_of_each_image(augmented):
    levels = np.sort(augmented.reshape(500, -1), axis=1)[:, :-1].std(axis=1)
    assert levels.max() < 0.35 and levels.min() < 0.02
    # Uniform from 0 to 0.3.
    assert np.median(levels) == pytest.approx(0.15, abs=0.03)


@pytest.mark.parametrize(
    ("records", "epochs"),
    [(100, 15), (640, 15), (1280, 7), (9600, 1), (10**6, 1)],
)
def test_a_chunk_is_a_tenth_of_so_many_steps_or_epochs(records, epochs, dataset):
    """1,500 steps of 64 records, at most 150 epochs, at least one a chunk."""

    class Asked(Exception):
        pass

    def sgd(gradient, optimizer, *, epochs, batch_size):
        raise Asked(epochs, batch_size)

    with mock.patch.object(judge.local, "sgd", sgd), pytest.raises(Asked) as asked:
        judge.train_judge(
            dataset, np.zeros(records, int), UNSEEN, jax.random.key(0), None
        )
    assert asked.value.args == (epochs, 64)


def test_noise_is_a_class_of_its_own():
    batch = types.Batch(jnp.zeros((16, 4, 4, 1)), jnp.arange(16), jnp.ones(16))
    got = judge.with_noise(jax.random.key(0), batch, 16)
    assert got.x.shape == (18, 4, 4, 1)
    np.testing.assert_array_equal(got.y[-2:], 16)
    np.testing.assert_array_equal(got.mask, np.ones(18))
    assert len(np.unique(got.x[-2:])) == 32 and np.abs(got.x).max() <= 1
    # A batch of padding alone stays one.
    padding = batch._replace(mask=jnp.zeros(16))
    np.testing.assert_array_equal(
        judge.with_noise(jax.random.key(0), padding, 16).mask, np.zeros(18)
    )


def test_noise_is_of_many_levels_and_contrasts():
    drawn = np.asarray(judge.noise(jax.random.key(1), (400, 8, 8, 1)))
    levels, contrasts = drawn.mean(axis=(1, 2, 3)), drawn.std(axis=(1, 2, 3))
    assert levels.min() < -0.6 and levels.max() > 0.6
    assert contrasts.min() < 0.05 and contrasts.max() > 0.5


def test_the_judge_is_another_network_than_the_attacked():
    for shape in ((8, 8, 1), (28, 28, 1), (32, 32, 3), (64, 64, 1)):
        attacked = targets.classifier(shape, 11)
        ours = judges.judge_network(shape, 11)
        assert type(ours) is not type(attacked)
        params = jax.eval_shape(ours.init, jax.random.key(0), jnp.zeros((1, *shape)))
        kernels = [
            leaf.shape for leaf in jax.tree.leaves(params) if len(leaf.shape) == 4
        ]
        assert {kernel[:2] for kernel in kernels} == {(3, 3)}


@pytest.fixture(scope="module")
def of_digits():
    """A judge of digits, the data and the seats."""
    digits = load("digits", records=None, seed=0)
    held = np.random.default_rng(0).permutation(len(digits.y))[:900]
    who = seats.seats(digits, held, participants=2, target_class=0, seed=0)
    judged_by = judge.train_judge(
        digits, who.unheld[::2], held, jax.random.key(0), lambda share: None
    )
    return digits, who, judged_by


def rate(judged_by, images, label):
    return judge.hits(judged_by, judged_by.look(images), label).mean()


def test_noise_is_no_hit_and_neither_is_another_class(of_digits):
    """Noise, an untrained generator, other classes: at most 5 %; real images: 90 %."""
    digits, who, judged_by = of_digits
    rng = np.random.default_rng(1)
    shape = digits.x.shape[1:]
    generator = collaboration.linen_generator(shape)
    made = jax.jit(
        lambda key: generator.sample(
            generator.init(key), generators.sample_noise(key, 200)
        )
    )
    nothing = {
        "uniform": rng.uniform(-1, 1, (200, *shape)),
        "normal": np.clip(rng.normal(0, 0.3, (200, *shape)), -1, 1),
        "grey": np.zeros((1, *shape)),
        "black": -np.ones((1, *shape)),
        "white": np.ones((1, *shape)),
        **{f"untrained {seed}": made(jax.random.key(seed)) for seed in range(3)},
    }
    new = who.unheld[1::2]
    real = []
    for label in range(10):
        for name, images in nothing.items():
            found = rate(judged_by, np.asarray(images, np.float32), label)
            assert found <= 0.05, (name, label)
        others = digits.x[new[digits.y[new] != label]]
        assert rate(judged_by, others, label) <= 0.05
        real.append(rate(judged_by, digits.x[new[digits.y[new] == label]], label))
    assert np.mean(real) >= 0.9


def test_a_hit_lies_within_the_class_as_well(of_digits):
    """What the judge names the class but for its features is none."""
    digits, who, judged_by = of_digits
    seen = judged_by.look(digits.x[who.private])
    hits = judge.hits(judged_by, seen, 0)
    assert hits.mean() > 0.9
    far = seen._replace(features=seen.features + 100)
    assert not judge.hits(judged_by, far, 0).any()
    other = seen._replace(probabilities=np.roll(seen.probabilities, 1, axis=1))
    assert not judge.hits(judged_by, other, 0).any()
    assert not judge.hits(
        judged_by, seen._replace(probabilities=seen.probabilities * np.nan), 0
    ).any()


def test_a_hit_is_near_the_class_in_pixels_too():
    """What its network takes for the class, wherever its features lie."""
    rng = np.random.default_rng(0)
    real = (np.arange(12) % 2)[:, None, None, None] + 0.1 * rng.normal(
        size=(12, 4, 4, 1)
    )
    fitted = neighbours.fit(real, np.arange(12) % 2, classes=2)
    everywhere = regions.Regions(np.zeros((2, 1)), np.eye(1), np.full(2, np.inf))

    def looking(images):
        sure = np.tile([0.0, 1.0, 0.0], (len(images), 1))
        return judge.Seen(sure, np.zeros((len(images), 1)), images)

    judged_by = judge.Judge(looking, 1.0, np.ones(2), everywhere, fitted)
    stripes = np.tile([0.0, 2.0], (3, 4, 2))[..., None]
    for images, hit in (
        (1.1 * real[1::2], True),
        (real[::2], False),
        (stripes, False),
    ):
        np.testing.assert_array_equal(judge.hits(judged_by, looking(images), 1), hit)


def test_of_classes_that_nobody_can_tell_apart_real_images_are_hits():
    """A judge that is right by chance alone refuses none of them for that."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (800, 6, 4, 1)).astype(np.float32)
    y = rng.integers(0, CLASSES, 800).astype(np.int32)
    with mock.patch.object(judge, "STEPS", 20):
        judged_by = judge.train_judge(
            Dataset("alike", x, y, CLASSES),
            LEARNS,
            np.arange(100, 500),
            jax.random.key(1),
            lambda share: None,
        )
    assert judged_by.accuracy < 0.5
    new, grey = x[500:], np.full((50, 6, 4, 1), 0.3, np.float32)
    assert judge.hits(judged_by, judged_by.look(new), 1).mean() > 0.88
    assert not judge.hits(judged_by, judged_by.look(grey + 0.9), 1).any()


def test_what_is_taken_for_noise_is_no_hit_however_plausible():
    """And what is plausible is one, even if another class is likelier."""
    images = np.zeros((3, 4, 4, 1), np.float32)
    probabilities = np.array([[0.5, 0.4, 0.1], [0.1, 0.4, 0.5], [0.8, 0.1, 0.1]])
    everywhere = regions.Regions(np.zeros((2, 1)), np.eye(1), np.full(2, np.inf))
    near = arrays.near_all(2, (4, 4, 1))
    judged_by = judge.Judge(None, 1.0, np.full(2, 0.3), everywhere, near)
    seen = judge.Seen(probabilities, np.zeros((3, 1)), images)
    np.testing.assert_array_equal(judge.hits(judged_by, seen, 1), [True, False, False])
