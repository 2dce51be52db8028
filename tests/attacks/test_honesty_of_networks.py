"""What attack networks do in training and do not do when they score; how long it takes.

Dropout of all is told by this: what the network puts out depends on its input no more.
"""

import dataclasses
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.attacks import threshold, unsupervised, whitebox
from jaxprivacy.attacks.features import Features
from jaxprivacy.attacks.statistics import Statistics
from jaxprivacy.types import Layer
from tests import arrays
from tests.attacks import networks
from tests.launch import launched

N = 24
LAYERS = (Layer("Dense_0", "dense", 3, True),)
KEY = jax.random.key(2, impl="unsafe_rbg")  # Draws that compile fast.
PRESET = networks.small(batch_size=4, dropout=1.0)
EXAMPLES = whitebox.Examples(jnp.arange(4), jnp.arange(4, 16))
SELECTION = whitebox.Examples(jnp.arange(16, 20), jnp.arange(20, 24))


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


def features(seed):
    def of(number, *shape):
        return arrays.normal((seed, number), 1, N, *shape)

    return Features(
        label=jnp.asarray(np.eye(3, dtype=np.float32)[np.arange(N) % 3]),
        loss=of(1, 1),
        output=of(2, 3),
        hidden={"Dense_0": of(3, 4)},
        gradients={"Dense_0": {"h": of(4, 4), "delta": of(5, 3)}},
        norm=of(6),
        statistics=Statistics(of(7, 1), of(8, 3), of(9, 3), {"Dense_0": of(10, 1)}),
    )


@pytest.fixture(scope="module")
def supervised():
    """One epoch on either of two inputs: the states and what was told."""
    attack = whitebox.supervised(LAYERS, PRESET)
    epochs = jax.jit(attack.epochs)
    start, _ = jax.jit(attack.init)(KEY, features(0), EXAMPLES, SELECTION)
    start = start._replace(params=arrays.params_like(start.params))
    return [
        epochs(KEY, start, features(seed), EXAMPLES, SELECTION, jnp.arange(1))
        for seed in (0, 1)
    ]


def test_the_attack_network_drops_out_in_training_and_not_in_selection(supervised):
    (_, one), (_, other) = supervised
    np.testing.assert_array_equal(one["train_loss"], other["train_loss"])
    assert (one["selection_loss"] != other["selection_loss"]).all()


def test_an_epoch_passes_over_the_kind_of_which_there_are_more(supervised):
    """Of 4 members and 12 others, two of each in a step."""
    (state, _), _ = supervised
    [count] = {int(a) for a in jax.tree.leaves(state.opt_state) if a.ndim == 0}
    assert count == 6


def test_the_rule_it_starts_from_is_chosen_on_records_it_learns_from():
    counts = []

    def anchor(members, non_members):
        counts.extend([len(members), len(non_members)])
        return found(members, non_members)

    found = threshold.anchor
    preset = dataclasses.replace(PRESET, anchored=True, init_std=None)
    attack = whitebox.supervised(LAYERS, preset, hidden=())
    with mock.patch.object(threshold, "anchor", anchor):
        jax.eval_shape(attack.init, KEY, features(0), EXAMPLES, SELECTION)
    assert counts == [len(kind) for kind in EXAMPLES]


def test_the_autoencoder_drops_out_in_training_and_not_in_embedding():
    attack = unsupervised.autoencoder(LAYERS, PRESET)
    epochs, embed = jax.jit(attack.epochs), jax.jit(attack.embed)
    start = jax.jit(attack.init)(KEY, features(0))
    targets = arrays.normal(3, N, unsupervised.RECONSTRUCTED)
    number = start.params["encoder"]["number"]
    number = number | {"bias": number["bias"] + 5}
    encoder = start.params["encoder"] | {"number": number}
    # The decoder's own dropout: another embedding is reconstructed alike.
    shifted = start._replace(params=start.params | {"encoder": encoder})
    told = [
        epochs(KEY, state, features(seed), targets, jnp.arange(1))[1]["loss"]
        for state, seed in ((start, 0), (start, 1), (shifted, 0))
    ]
    assert len(set(np.concatenate(told).tolist())) == 1
    embedded = [np.asarray(embed(start.params, features(seed))) for seed in (0, 1)]
    assert (embedded[0] != embedded[1]).all()
