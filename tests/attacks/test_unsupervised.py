"""The unsupervised attack tells populations apart of which it is told nothing."""

import inspect

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import errors
from jaxprivacy.attacks import features as features_lib, unsupervised
from jaxprivacy.attacks.features import Features
from jaxprivacy.types import Layer
from tests import arrays
from tests.attacks import networks

PRESET = networks.small(
    output_widths=(8,),
    loss_widths=(8,),
    encoder_widths=(8,),
    decoder_widths=(8,),
    dropout=0.0,
    learning_rate=1e-2,
    batch_size=32,
)
LAYERS = (Layer("Dense_0", "dense", 3, True),)
ATTACK = unsupervised.autoencoder(LAYERS, PRESET)
N, T = 120, 2
KEY = jax.random.key(2, impl="unsafe_rbg")  # Draws that compile fast.
IS_MEMBER = np.random.default_rng(0).permutation(N) < N // 3
EPOCHS = np.arange(15)
init, epochs, embed = map(jax.jit, ATTACK)


@pytest.mark.parametrize(
    "probabilities, want",
    [
        ([0.25, 0.25, 0.25, 0.25], 1.0),
        ([0.0, 1.0, 0.0], 0.0),
        ([0.5, 0.5, 0.0, 0.0], 0.5),
        # -(0.9 ln 0.9 + 0.1 ln 0.1) / ln 2
        ([0.9, 0.1], 0.468996),
    ],
)
def test_uncertainty_by_hand(probabilities, want):
    got = unsupervised.uncertainty(jnp.array(probabilities))
    assert float(got) == pytest.approx(want, abs=1e-5)


def test_reconstruction_targets_by_hand():
    """Two records of classes 0 and 1 at two snapshots."""
    output = [[[0.9, 0.1], [0.5, 0.5]], [[0.0, 1.0], [0.1, 0.9]]]
    features = Features(
        label=jnp.eye(2),
        loss=jnp.zeros((2, 2, 1)),
        output=jnp.array(output),
        hidden={},
        gradients={},
        norm=jnp.array([[1.0, 2.0], [3.0, 4.0]]),
    )
    # correct, probability of the class, uncertainty, logarithm of the norm; then the
    # second snapshot.
    want = [
        [1, 0.9, 0.468996, 0, 0, 0.0, 0.0, np.log(3)],
        [0, 0.5, 1.0, np.log(2), 1, 0.9, 0.468996, np.log(4)],
    ]
    got = unsupervised.reconstruction_targets(features)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_standardise_by_hand():
    got = unsupervised.standardise(jnp.array([[1.0, 0.1], [3.0, 0.1], [5.0, 0.1]]))
    third = np.sqrt(3 / 2)
    np.testing.assert_allclose(got, [[-third, 0], [0, 0], [third, 0]], atol=1e-6)


def populations(order=slice(None)):
    """Members: right, certain and with small gradients; the others neither."""
    member = IS_MEMBER[:, None]
    sure = np.where(IS_MEMBER, 6.0, 0.3) + 0.1 * np.asarray(arrays.normal(0, T, N))
    y = np.arange(N) % 3
    logits = sure[..., None] * np.eye(3)[y]
    output = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    scale = np.where(member, 0.1, 1.0)
    h, delta = arrays.normal(3, T, N, 4), arrays.normal(4, T, N, 3) * scale
    features = Features(
        label=jnp.asarray(np.eye(3, dtype=np.float32)[y]),
        loss=-jnp.log(jnp.asarray(output, jnp.float32).max(axis=-1))[..., None],
        output=jnp.asarray(output, jnp.float32),
        hidden={},
        gradients={"Dense_0": {"h": h, "delta": delta}},
        norm=jnp.linalg.norm(h, axis=-1) * jnp.linalg.norm(delta, axis=-1),
    )
    return features_lib.take(features, np.arange(N)[order])


def fit(features, key=KEY):
    targets = unsupervised.reconstruction_targets(features)
    return epochs(key, init(KEY, features), features, targets, EPOCHS)


@pytest.fixture(scope="module")
def fitted():
    features = populations()
    state, info = fit(features)
    return features, state, info, np.asarray(embed(state.params, features))


def test_two_populations_are_told_apart(fitted):
    features, _, info, embedding = fitted
    assert info["loss"].shape == (len(EPOCHS),)
    assert info["loss"][-1] < 0.5 * info["loss"][0]
    scores = unsupervised.cluster(embedding, features.norm.mean(axis=0))
    assert np.mean((scores > 0.5) == IS_MEMBER) > 0.95


def test_chunks_of_epochs_equal_an_uncut_run(fitted):
    features, state, info, _ = fitted
    targets = unsupervised.reconstruction_targets(features)
    again, losses = init(KEY, features), []
    for number in EPOCHS:
        again, one = epochs(KEY, again, features, targets, number[None])
        losses.extend(one["loss"])
    chex.assert_trees_all_close(again, state, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(losses, info["loss"], rtol=1e-3)


def test_another_key_another_order(fitted):
    features, *_ = fitted
    one, two, other = (
        fit(features, key)[0].params
        for key in (KEY, KEY, jax.random.key(3, impl="unsafe_rbg"))
    )
    chex.assert_trees_all_equal(one, two)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_close(one, other, rtol=1e-3)


def test_no_label_of_membership_is_asked_for():
    for function in (*ATTACK, unsupervised.cluster):
        names = inspect.signature(function).parameters
        assert not {n for n in names if "member" in n or "example" in n}


def test_records_are_embedded_one_by_one(fitted):
    """In chunks that do not divide their number, and in any order."""
    features, state, _, embedding = fitted
    attack = unsupervised.autoencoder(LAYERS, PRESET, at_once=50)
    order = np.random.default_rng(1).permutation(N)
    got = jax.jit(attack.embed)(state.params, populations(order))
    np.testing.assert_allclose(got, embedding[order], rtol=1e-4, atol=1e-5)


def test_the_norms_scale_is_no_matter(fitted):
    """The targets are standardised: a norm in other units is reconstructed alike."""
    features, state, *_ = fitted
    targets = unsupervised.reconstruction_targets(features)
    start = init(KEY, features)
    losses = [
        epochs(KEY, start, features, targets * np.tile([1, 1, 1, unit], T), EPOCHS)
        for unit in (1.0, 1000.0)
    ]
    chex.assert_trees_all_close(losses[0][1], losses[1][1], rtol=1e-3)


def mixture(first, second, distance=8.0, seed=0):
    """Embeddings of two populations, and norms of which the first's are smaller."""
    rng = np.random.default_rng(seed)
    embedding = rng.normal(size=first + second)
    embedding[first:] += distance
    norm = rng.uniform(0.5, 1.5, first + second) + (np.arange(first + second) >= first)
    return embedding, norm


@pytest.mark.parametrize("sign", [1, -1])
def test_the_cluster_with_the_smaller_norm_is_the_members(sign):
    embedding, norm = mixture(30, 50)
    want = np.arange(80) < 30
    scores = unsupervised.cluster(sign * embedding, norm)
    np.testing.assert_array_equal(scores > 0.5, want)
    assert scores.dtype == np.float64
    other = unsupervised.cluster(sign * embedding, -norm)
    np.testing.assert_array_equal(other > 0.5, ~want)


@pytest.mark.parametrize("sign", [1, -1])
def test_within_a_cluster_the_embedding_orders(sign):
    embedding, norm = mixture(30, 50)
    scores = unsupervised.cluster(sign * embedding, norm)
    # The members' embeddings are the smaller ones.
    np.testing.assert_array_equal(np.argsort(scores), np.argsort(-embedding))
    assert scores.min() > 0
    assert scores.max() < 1


def test_permuted_records_have_permuted_scores():
    embedding, norm = mixture(60, 40, distance=2.0)
    order = np.random.default_rng(1).permutation(100)
    want = unsupervised.cluster(embedding, norm)
    assert {True, False} == set(want > 0.5)
    got = unsupervised.cluster(embedding[order], norm[order])
    np.testing.assert_array_equal(got, want[order])


def test_many_records_of_unequal_kinds():
    """More than are clustered; a quarter are members, and not the half is named."""
    embedding, norm = mixture(1000, 3000, distance=6.0)
    scores = unsupervised.cluster(embedding, norm)
    assert np.mean((scores > 0.5) == (np.arange(4000) < 1000)) > 0.99


@pytest.mark.parametrize("count", [1, 2, 50])
def test_equal_embeddings_decide_nothing(count):
    scores = unsupervised.cluster(np.full(count, 0.1, np.float32), np.arange(count))
    np.testing.assert_array_equal(scores, np.full(count, 0.5))


@pytest.mark.parametrize("count", [3, 4])
def test_few_records(count):
    scores = unsupervised.cluster(np.arange(count) ** 3.0, np.arange(count))
    assert scores[0] > 0.5
    assert scores[-1] < 0.5


@pytest.mark.parametrize(
    "embedding, norm, message",
    [
        ([1.0, np.nan], [1.0, 2.0], "embedding=nan: accepted are finite"),
        ([1.0, 2.0], [1.0, np.inf], "gradient_norm=inf: accepted are finite"),
        ([1.0, 2.0], [1.0], r"embedding, gradient_norm: shapes \(2,\), \(1,\);"),
        ([], [], "one number for each record"),
    ],
)
def test_what_cannot_be_clustered(embedding, norm, message):
    with pytest.raises(errors.InputError, match=message):
        unsupervised.cluster(embedding, norm)


def test_nothing_taken_is_refused():
    with pytest.raises(errors.InputError, match="nothing is taken"):
        unsupervised.autoencoder(
            (), PRESET, use_output=False, use_loss=False, use_label=False, hidden=()
        )
