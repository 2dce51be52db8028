"""The collaborative run as one program: what is an argument and what is not."""

import dataclasses
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import errors, types
from jaxprivacy.data import Dataset
from jaxprivacy.studies import collaboration, seats
from jaxprivacy.studies.settings import GanSettings
from tests import arrays
from tests.launch import launched

ROUNDS, SAMPLES, CLASSES = 2, 3, 4
SETTINGS = GanSettings(
    model="mlp",
    mlp_widths=(4,),
    participants=3,
    rounds=ROUNDS,
    batch_size=4,
    learning_rate=0.3,
    generator_steps=2,
    generator_batch=3,
    injected=16,
)
KEY = jax.random.key(6)


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    y = (np.arange(80) % CLASSES).astype(np.int32)
    x = rng.uniform(-1, 1, (80, 4, 4, 1)).astype(np.float32)
    return Dataset("images", x, y, CLASSES)


def deal(dataset, target_class=0, seed=0, **changes):
    """Seats of the same sizes for every class and seed."""
    return seats.seats(
        dataset,
        np.arange(48),
        participants=SETTINGS.participants,
        target_class=target_class,
        seed=seed,
        **changes,
    )


def close(got, want):
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


# Who holds what.


def test_padded_by_hand():
    shares = [np.array([4, 2]), np.array([], int), np.array([7, 0, 1])]
    want = [[4, 2, -1], [-1, -1, -1], [7, 0, 1]]
    np.testing.assert_array_equal(collaboration.padded(shares), want)
    assert collaboration.padded(shares).dtype == np.int32
    # Nobody holds anything: one place all the same, which a shape needs.
    np.testing.assert_array_equal(collaboration.padded([shares[1]]), [[-1]])
    longer = collaboration.padded(shares[:1], length=4)
    np.testing.assert_array_equal(longer, [[4, 2, -1, -1]])


def test_gather_by_hand():
    table = collaboration.Table(
        jnp.arange(12.0).reshape(6, 2), jnp.array([0, 1, 2, 0, 1, 2])
    )
    indices = jnp.array([[4, 0, -1], [-1, -1, -1]])
    batch = jax.jit(collaboration.gather)(table, indices)
    assert batch.x.shape == (2, 3, 2)
    np.testing.assert_array_equal(batch.x[0, :2], [[8, 9], [0, 1]])
    np.testing.assert_array_equal(batch.y[0, :2], [1, 0])
    np.testing.assert_array_equal(batch.mask, [[1, 1, 0], [0, 0, 0]])
    assert batch.mask.dtype == jnp.float32


@pytest.mark.parametrize("adversary_data", [True, False])
def test_holdings_are_the_seats(adversary_data, dataset):
    who = deal(dataset, adversary_data=adversary_data)
    holdings = collaboration.holdings(who, 5)
    for row, share in zip(holdings.honest, who.honest, strict=True):
        np.testing.assert_array_equal(row[row >= 0], share)
    adversary = holdings.adversary[holdings.adversary >= 0]
    np.testing.assert_array_equal(adversary, who.adversary)
    assert holdings.adversary.shape == (1, max(1, len(who.adversary)))
    train, test = seats.measured(who, 5)
    np.testing.assert_array_equal(holdings.train, train)
    np.testing.assert_array_equal(holdings.test, test)
    assert {a.dtype for a in holdings} == {np.dtype(np.int32)}


# What the settings make of the roles.


def test_the_rate_decays_over_rounds_as_torch_s():
    """Rate / (1 + decay t), t being the steps of all rounds together."""
    model = types.Model(lambda key: None, lambda w, x: x @ w)
    rate, decay, rounds, epochs = 0.7, 0.25, 3, 2
    settings = dataclasses.replace(
        SETTINGS, learning_rate_decay=decay, local_epochs=epochs, batch_size=8
    )
    w, x, y = arrays.normal(0, 2, 3), arrays.normal(1, 6, 2), jnp.arange(6) % 3
    batch = types.Batch(x, y, jnp.ones(6))

    @jax.jit
    def shared(rate):
        role = collaboration.honest(settings, model, rate)
        params, state, found = w, role.init(KEY, w, batch), []
        for _ in range(rounds):
            state, update, _ = role.step(KEY, state, params, batch)
            params = params + update
            found.append(params)
        return jnp.stack(found)

    want, found = np.asarray(w, np.float64), []
    for t in range(rounds * epochs):
        p = np.exp(x @ want)
        p /= p.sum(axis=1, keepdims=True)
        clr = rate / (1 + decay * t)  # torch.optim.SGD of Lua Torch
        want = want - clr * np.asarray(x).T @ (p - np.eye(3)[np.asarray(y)]) / 6
        found.append(want)
    np.testing.assert_allclose(shared(rate), found[epochs - 1 :: epochs], rtol=1e-4)


UPDATE = np.array([0.002, -0.0005, 0.00001, -0.3], np.float32)


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ({}, [0.002, -0.0005, 0.00001, -0.3]),
        ({"gradient_bound": 0.001}, [0.001, -0.0005, 0.00001, -0.001]),
        ({"upload_fraction": 0.5}, [0.002, 0, 0, -0.3]),
        ({"upload_rule": "random"}, [0.002, -0.0005, 0, -0.3]),
        ({"upload_rule": "random", "threshold": 0.01}, [0, 0, 0, -0.3]),
        (
            {"upload_rule": "random", "gradient_bound": 0.001},
            [0.001, -0.0005, 0, -0.001],
        ),
        # Private, without noise: bounded by 0.001 unless it is said otherwise.
        ({"epsilon_per_parameter": np.inf}, [0.001, -0.0005, 0, -0.001]),
        (
            {"epsilon_per_parameter": np.inf, "gradient_bound": 0.1},
            [0.002, -0.0005, 0, -0.1],
        ),
        ({"epsilon_per_parameter": np.inf, "threshold": 0.01}, [0, 0, 0, 0]),
    ],
)
def test_what_leaves_a_participant(changes, values):
    settings = dataclasses.replace(SETTINGS, **changes)
    upload = collaboration.upload(settings, lambda name: getattr(settings, name))
    sent, told = upload(KEY, UPDATE)
    np.testing.assert_allclose(sent.values, values, rtol=1e-6)
    np.testing.assert_array_equal(sent.mask, np.array(values) != 0)
    bounded = changes.keys() & {"gradient_bound", "epsilon_per_parameter"}
    assert ("clipped" in told) == bool(bounded) and "cosine" in told


@pytest.mark.parametrize("clip_first", [True, False])
def test_a_private_upload_is_noisy_and_may_be_clipped_first(clip_first):
    settings = dataclasses.replace(
        SETTINGS, epsilon_per_parameter=50.0, clip_first=clip_first, threshold=0.0
    )
    upload = collaboration.upload(settings, lambda name: getattr(settings, name))
    sent, _ = jax.jit(upload)(KEY, jnp.full(400, 0.3))
    assert np.abs(sent.values).max() <= np.float32(collaboration.BOUND)
    below = (sent.values < np.float32(collaboration.BOUND))[sent.mask]
    # Of 0.3 the noise, of the bound's size, leaves the bound; of the bound one half.
    assert below.mean() == pytest.approx(0.5 if clip_first else 0, abs=0.15)


# The run.


@pytest.fixture(scope="module")
def run(dataset):
    """(seats, swept) -> what the run left behind; how often it was traced."""
    compiled = collaboration.collaborative_run(SETTINGS, dataset, SAMPLES)
    found, real = {"traced": 0}, collaboration.simulation

    def counted(*args):
        found["traced"] += 1
        return real(*args)

    def play(who, swept, key=KEY):
        with mock.patch.object(collaboration, "simulation", counted):
            return compiled(who, swept, key, lambda share: None)

    return play, found


WITH = {"influence": 1.0, "mode_seeking": 0.0}
WITHOUT = {"influence": 0.0, "mode_seeking": 0.0}


def test_what_a_run_leaves_behind(run, dataset):
    play, _ = run
    left = play(deal(dataset), WITH)
    assert left.samples.shape == (ROUNDS, SAMPLES, 4, 4, 1)
    assert np.abs(left.samples).max() <= 1
    assert set(left.info) == {
        "loss",
        "generator_loss",
        "started",
        "train_accuracy",
        "test_accuracy",
        "class_accuracy",
        "cosine",
    }
    np.testing.assert_array_equal(left.info["cosine"], 1)
    assert left.info["cosine"].shape == (ROUNDS, SETTINGS.participants)
    assert left.info["loss"].shape == (ROUNDS, SETTINGS.participants)
    assert left.info["started"].shape == (ROUNDS, 1)
    shapes = [a.shape for a in jax.tree.leaves(left.params)]
    assert shapes == [(4,), (16, 4), (CLASSES + 1,), (4, CLASSES + 1)]
    # Not stacked over participants: it can be sampled from.
    generator = collaboration.linen_generator((4, 4, 1))
    image = generator.sample(left.generator_params, arrays.normal(0, 2, 100))
    assert image.shape == (2, 4, 4, 1)


def test_the_accuracies_are_the_shared_model_s(run, dataset):
    play, _ = run
    who = deal(dataset)
    left = play(who, WITH)
    model = collaboration.model(SETTINGS, dataset)
    holdings = collaboration.holdings(who, SETTINGS.seed)
    # Of all classes and the artificial one, or of the real ones alone.
    found = {}
    for name, records, classes in (
        ("train", holdings.train, CLASSES + 1),
        ("test", holdings.test, CLASSES + 1),
        ("class", holdings.test, CLASSES),
    ):
        logits = model.apply(left.params, dataset.x[records])[:, :classes]
        found[name] = float((logits.argmax(axis=1) == dataset.y[records]).mean())
        assert left.info[f"{name}_accuracy"][-1] == pytest.approx(found[name])
    assert len(set(found.values())) == 3, found


def test_one_program_for_all_seeds_classes_and_influences(run, dataset):
    play, found = run
    first = play(deal(dataset), WITH)
    traced = found["traced"]
    others = [
        play(deal(dataset), WITHOUT),
        play(deal(dataset, seed=1), WITH),
        play(deal(dataset, target_class=3), WITH),
        play(deal(dataset), WITH, jax.random.key(7)),
    ]
    assert found["traced"] == traced > 0
    for other in others:
        with pytest.raises(AssertionError):
            close(other.params, first.params)


def test_the_generator_is_trained_for_the_seats_class(run, dataset):
    play, _ = run
    who = deal(dataset, target_class=3)
    first = play(who, WITHOUT)
    close(play(who, WITHOUT | {"target_class": np.int32(3)}), first)
    other = play(who, WITHOUT | {"target_class": np.int32(0)})
    with pytest.raises(AssertionError):
        close(other.generator_params, first.generator_params)


def test_without_influence_the_adversary_is_an_honest_participant(run, dataset):
    """Another generator, another class to attack: the shared model stays the same."""
    play, _ = run
    first = play(deal(dataset), WITHOUT)
    second = play(deal(dataset), WITHOUT | {"mode_seeking": 1.0})
    close(second.params, first.params)
    with pytest.raises(AssertionError):
        close(second.generator_params, first.generator_params)


OWN = {
    "learning_rate": 0.2,
    "upload_fraction": 0.5,
    "download_fraction": 0.75,
    "gradient_bound": 0.05,
    "influence": True,
    "generator_learning_rate": 0.03,
    "mode_seeking": 0.4,
}


@pytest.mark.parametrize(
    "own",
    [
        pytest.param(OWN, id="largest", marks=pytest.mark.slow),
        pytest.param(
            OWN | {"epsilon_per_parameter": 200.0, "upload_fraction": 1.0}, id="private"
        ),
    ],
)
def test_an_argument_gives_the_same_as_a_setting(own, dataset, run):
    """Of every number that may be swept; the class is an argument in any case."""
    assert set(own) | {"epsilon_per_parameter", "target_class"} == set(
        collaboration.SWEPT
    )
    who = deal(dataset, target_class=1)

    def play(settings, swept):
        compiled = collaboration.collaborative_run(settings, dataset, SAMPLES)
        return compiled(who, swept, KEY, lambda share: None)

    static = play(dataclasses.replace(SETTINGS, **own, target_class=1), {})
    changed = {n: jnp.asarray(v, jnp.float32) for n, v in own.items()}
    swept = play(SETTINGS, changed)
    close(swept, static)
    with pytest.raises(AssertionError):
        close(run[0](who, WITH).params, static.params)


def test_private_uploads_log_what_became_of_them(dataset):
    """Of the adversary's too; all is beyond a bound of nearly nothing."""
    settings = dataclasses.replace(
        SETTINGS, epsilon_per_parameter=1e4, gradient_bound=1e-9, threshold=0.0
    )
    compiled = collaboration.collaborative_run(settings, dataset, SAMPLES)
    info = compiled(deal(dataset), WITH, KEY, lambda share: None).info
    assert info["clipped"].shape == info["cosine"].shape == (ROUNDS, 3)
    assert info["clipped"].min() > 0.5
    assert 0 < info["cosine"].min() and info["cosine"].max() < 0.99


def test_training_that_diverges_is_refused(run, dataset):
    play, _ = run
    good = play(deal(dataset), WITH)
    collaboration.check_finite(SETTINGS, good, {})
    leaves, tree = jax.tree.flatten(good)
    for i, leaf in enumerate(leaves):  # The models too: their last step is not logged.
        bad = np.array(leaf, np.float32)
        bad.flat[-1] = np.nan
        bad = jax.tree.unflatten(tree, [*leaves[:i], bad, *leaves[i + 1 :]])
        with pytest.raises(errors.InputError, match="learning_rate=0.3.*diverges"):
            collaboration.check_finite(SETTINGS, bad, {})
    with pytest.raises(errors.InputError, match="learning_rate=7, generator"):
        collaboration.check_finite(SETTINGS, np.inf, {"learning_rate": 7.0})
