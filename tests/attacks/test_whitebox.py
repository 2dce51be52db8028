"""The supervised attack learns membership where there is some to learn."""

import dataclasses
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxprivacy import errors
from jaxprivacy.attacks import features as features_lib, whitebox
from jaxprivacy.attacks.features import Features
from jaxprivacy.evaluation import membership
from jaxprivacy.models import targets
from jaxprivacy.targets import layers as layers_lib
from jaxprivacy.types import Layer
from tests import arrays
from tests.attacks import networks

PRESET = networks.small(
    loss_widths=(8,), encoder_widths=(8,), learning_rate=1e-2, batch_size=16
)
LAYERS = (Layer("Dense_0", "dense", 3, True),)
ATTACK = whitebox.supervised(LAYERS, PRESET)
N = 400
KEY = jax.random.key(2, impl="unsafe_rbg")  # Draws that compile fast.
# Even records are members. The first 160 train the attack, 80 select, 160 evaluate.
TRAIN = whitebox.Examples(jnp.arange(0, 160, 2), jnp.arange(1, 160, 2))
SELECT = whitebox.Examples(jnp.arange(160, 240, 2), jnp.arange(161, 240, 2))
EVALUATION = np.arange(240, N)
TINY = whitebox.Examples(jnp.arange(0, 12, 2), jnp.arange(1, 12, 2))
IS_MEMBER = np.arange(N) % 2 == 0
EPOCHS = np.arange(8)

begin, epochs, score_some = map(jax.jit, ATTACK)


def init(key, features, train=TRAIN, select=SELECT):
    return begin(key, features, train, select)[0]


def score(params, features):
    return score_some(params, features, jnp.arange(N))


def features(signal):
    """Features of noise, in which a member's loss is lower by `signal`."""
    loss = arrays.normal(1, 2, N, 1) - signal * IS_MEMBER[:, None]
    return Features(
        label=jnp.asarray(np.eye(3, dtype=np.float32)[np.arange(N) // 2 % 3]),
        loss=loss,
        output=arrays.normal(2, 2, N, 3),
        hidden={},
        gradients={
            "Dense_0": {
                "h": arrays.normal(3, 2, N, 4),
                "delta": arrays.normal(4, 2, N, 3),
            }
        },
        norm=arrays.normal(5, 2, N),
    )


class Fit(NamedTuple):
    """An attack in training, an epoch at a time."""

    states: list  # after each epoch
    info: dict  # stacked over the epochs

    @property
    def last(self):
        return self.states[-1]


def fit(features, key=KEY, numbers=EPOCHS):
    state, states, infos = init(KEY, features), [], []
    for number in numbers:
        out = epochs(key, state, features, TRAIN, SELECT, number[None])
        state, info = jax.device_get(out)
        states.append(state)
        infos.append(info)
    return Fit(states, jax.tree.map(lambda *a: np.concatenate(a), *infos))


def held_out_auc(params, features):
    """The share of pairs of a member and a non-member that the scores order right."""
    scores = np.asarray(score(params, features))
    assert scores.shape == (N,)
    of_members = scores[EVALUATION][IS_MEMBER[EVALUATION]][:, None]
    of_others = scores[EVALUATION][~IS_MEMBER[EVALUATION]]
    return np.mean((of_members > of_others) + 0.5 * (of_members == of_others))


@pytest.fixture(scope="module")
def separable():
    seen = features(4.0)
    return seen, fit(seen)


@pytest.fixture(scope="module")
def noise():
    seen = features(0.0)
    return seen, fit(seen)


def test_membership_is_learned(separable):
    seen, attack = separable
    assert held_out_auc(attack.last.best_params, seen) > 0.95
    assert attack.info["train_loss"][-1] < 0.5 * attack.info["train_loss"][0]


def test_the_direction_is_learned():
    """It is no assumption of the network's that members have the smaller loss."""
    seen = features(-4.0)
    assert held_out_auc(fit(seen).last.best_params, seen) > 0.95


def test_noise_is_not(noise):
    seen, attack = noise
    # 80 members and 80 non-members: the standard deviation at chance is 0.046.
    assert abs(held_out_auc(attack.last.best_params, seen) - 0.5) < 3 * 0.046


def test_the_best_epoch_is_that_of_the_largest_selection_auc(noise):
    """Without signal it is no later one's: the start counts as one too."""
    seen, attack = noise
    at_start = init(KEY, seen)
    aucs = [float(at_start.best_auc), *attack.info["selection_auc"]]
    states = [at_start, *attack.states]
    for last, state in enumerate(states):
        best = np.argmax(aucs[: last + 1])
        assert state.best_auc == pytest.approx(aucs[best])
        chex.assert_trees_all_equal(state.best_params, states[best].params)
    assert best < len(EPOCHS)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_close(state.best_params, state.params, rtol=1e-2)


def test_the_selection_loss_is_that_of_the_selection_records(separable):
    seen, attack = separable
    chosen = np.concatenate(SELECT)
    logits = np.asarray(score(attack.last.params, seen), np.float64)[chosen]
    is_member = IS_MEMBER[chosen]
    errors = special.expit(logits) - is_member
    last = float(attack.info["selection_loss"][-1])
    assert last == pytest.approx(np.mean(errors**2), rel=1e-4)
    want = membership.auc(logits[is_member], logits[~is_member]).value
    assert float(attack.info["selection_auc"][-1]) == pytest.approx(want, rel=1e-5)


def test_scores_are_logits(noise):
    """Those of a network that has hardly moved differ, where probabilities tie."""
    seen, _ = noise
    params = jax.tree.map(lambda a: a * 0.01, init(KEY, seen).params)
    scores = score(params, seen)
    assert len(np.unique(scores)) > N / 2
    assert len(np.unique(jax.nn.sigmoid(scores))) < N / 20


def test_squared_error_by_hand():
    # Probabilities 1/2, 3/4 and 1/5 of a member, a member and a non-member.
    logits = jnp.log(jnp.array([1.0, 3.0, 0.25]))
    got = whitebox.squared_error(logits, jnp.array([1.0, 1.0, 0.0]))
    assert float(got) == pytest.approx((1 / 4 + 1 / 16 + 1 / 25) / 3, rel=1e-6)


def test_chunks_of_epochs_equal_an_uncut_run(separable):
    seen, attack = separable
    uncut, info = epochs(KEY, init(KEY, seen), seen, TRAIN, SELECT, EPOCHS)
    chex.assert_trees_all_close(attack.last, uncut, rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_close(attack.info, info, rtol=1e-4)


def test_epochs_are_traced_once():
    """From the first state as from the later ones."""
    chex.clear_trace_counter()
    trace = jax.jit(chex.assert_max_traces(ATTACK.epochs, n=1)).trace
    seen = features(0.0)
    state, _ = jax.eval_shape(ATTACK.init, KEY, seen, TRAIN, SELECT)
    for _ in range(2):
        rest = seen, TRAIN, SELECT, EPOCHS
        state, _ = trace(KEY, state, *rest).out_info


def changed(seen, records, change):
    """Features of which those of some records are others."""
    stacked = jax.tree.map(
        lambda a: change(np.asarray(a), records), seen._replace(label=())
    )
    return stacked._replace(label=seen.label)


def test_evaluation_records_are_no_input(separable):
    seen, attack = separable

    def spoil(a, records):
        a = a.copy()
        a[:, records] = np.nan
        return a

    label = np.array(seen.label)
    label[EVALUATION] = np.nan
    spoilt = changed(seen, EVALUATION, spoil)._replace(label=label)
    chex.assert_trees_all_equal(fit(spoilt).last, attack.last)


def test_selection_records_choose_and_do_not_train(separable):
    seen, attack = separable

    def shift(a, records):
        return a + np.isin(np.arange(N), records).reshape(N, *[1] * (a.ndim - 2))

    other = fit(changed(seen, np.concatenate(SELECT), shift)).last
    chex.assert_trees_all_equal(other.params, attack.last.params)
    assert not np.array_equal(other.best_auc, attack.last.best_auc)


def test_same_key_same_attack(separable):
    seen, attack = separable
    first, last = EPOCHS[:1], attack.states[0]
    chex.assert_trees_all_equal(fit(seen, numbers=first).last, last)
    other = fit(seen, key=jax.random.key(3, impl="unsafe_rbg"), numbers=first).last
    with pytest.raises(AssertionError):
        chex.assert_trees_all_close(other.params, last.params, rtol=1e-3)


@pytest.mark.parametrize("length, want", [(3, 1), (5, 1), (15, 3), (12, 3)])
def test_the_fewer_are_repeated_evenly(length, want):
    got = np.asarray(whitebox._order(KEY, jnp.arange(5), length))
    counts = np.bincount(got, minlength=5)
    assert counts.sum() == length
    assert counts.max() <= want
    assert got.tolist() != sorted(got)


def test_unequal_numbers_of_both_kinds(separable):
    seen, _ = separable
    train, select = (
        whitebox.Examples(part.members[:16], part.non_members[:40])
        for part in (TRAIN, SELECT)
    )
    state, info = epochs(KEY, init(KEY, seen), seen, train, select, EPOCHS)
    assert held_out_auc(state.best_params, seen) > 0.9
    # The two kinds weigh the same.
    found = special.expit(np.asarray(score(state.params, seen)))
    errors = [np.mean((found[i] - y) ** 2) for i, y in zip(select, (1, 0), strict=True)]
    assert info["selection_loss"][-1] == pytest.approx(np.mean(errors), rel=1e-4)


@pytest.mark.parametrize("size", [1, 3, 7, 10])
def test_chunks_are_put_together_again(size):
    got = whitebox.in_chunks(
        lambda i: i[:, None] * 2, jnp.array([3, 1, 4, 1, 5, 9, 2]), size
    )
    np.testing.assert_array_equal(got, [[6], [2], [8], [2], [10], [18], [4]])


def test_computed_features_serve_like_kept_ones():
    """Of a target's records, whether their features are kept or computed when taken."""
    model = targets.build("mlp", (6,), 3, widths=(4,))
    x, y = arrays.normal(1, 24, 6), jnp.arange(24) % 3
    snapshots = jax.tree.map(lambda a: a[None], arrays.params_of(model))
    layers = layers_lib.layers(model.apply, arrays.params_of(model), x)[-1:]
    batch = features_lib.extractor(model, hidden=[], gradients=layers)
    kept = jax.jit(batch)(snapshots, x, y)
    of_statistics = jax.tree.map(lambda a: 1.0, kept.statistics)
    of_gradients = {"Dense_1": {"h": 1.0, "delta": 1.0}}
    ones = features_lib.Measured(2.0, {}, of_gradients, of_statistics)
    zeros = jax.tree.map(lambda a: 0.0, ones)
    ones = features_lib.Scales(zeros, ones)
    source = features_lib.Source(snapshots, x, y, ones)
    kept = kept._replace(loss=kept.loss / 2)
    keeping = whitebox.supervised(layers, PRESET)
    take = features_lib.computing_take(batch)
    computing = whitebox.supervised(layers, PRESET, take=take, at_once=10)
    state, _ = jax.eval_shape(keeping.init, KEY, kept, TINY, TINY)
    params = arrays.params_like(state.params)
    everyone = jnp.arange(24)
    want = jax.jit(keeping.score)(params, kept, everyone)
    assert want.shape == (24,)
    assert np.std(want) > 1e-3
    got = jax.jit(computing.score)(params, source, everyone)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    # Training takes its records in the same way; it is only traced, which is fast.
    shapes = [
        jax.eval_shape(a.epochs, KEY, state, features, TINY, TINY, jnp.arange(2))
        for a, features in ((keeping, kept), (computing, source))
    ]
    chex.assert_trees_all_equal_shapes_and_dtypes(*shapes)


@pytest.mark.parametrize("seen", ["everything", "a hidden output", "a gradient"])
def test_an_anchored_attack_begins_as_the_simplest_rule_on_what_it_sees(seen):
    model = targets.build("mlp", (6,), 3, widths=(4,))
    x, y = arrays.normal(1, 40, 6), jnp.arange(40) % 3
    params = arrays.params_of(model)
    layers = layers_lib.layers(model.apply, params, x)
    first = layers[:1] if seen != "a hidden output" else ()
    hidden = ["Dense_1"] if seen != "a gradient" else []
    found = features_lib.extract(
        model,
        jax.tree.map(lambda a: jnp.stack([-a, a]), params),
        x,
        y,
        hidden=hidden,
        gradients=first,
    )
    taken = found._replace(
        scales=features_lib.standard(features_lib.moments(found, jnp.arange(12)))
    )
    sees_all = seen == "everything"
    preset = dataclasses.replace(PRESET, statistics=True, anchored=True, init_std=None)
    attack = whitebox.supervised(
        first,
        preset,
        use_output=sees_all,
        use_loss=sees_all,
        use_label=sees_all,
        hidden=hidden,
    )
    state, _ = jax.jit(attack.init)(KEY, taken, TINY, TINY)
    rules = {
        "everything": [
            found.statistics.confidence[-1],
            found.statistics.ranked[-1, :, :1],
            -found.statistics.log_norms["Dense_0"][-1],
        ],
        "a hidden output": [found.statistics.ranked[-1, :, :1]],
        "a gradient": [-found.statistics.log_norms["Dense_0"][-1]],
    }[seen]
    scores = np.asarray(jax.jit(attack.score)(state.params, taken, jnp.arange(40)))
    orders = [np.argsort(np.asarray(rule)[:, 0]).tolist() for rule in rules]
    assert state.params["slopes"].shape == (len(rules),)
    assert np.argsort(scores).tolist() in orders
    moved, _ = jax.eval_shape(
        attack.epochs, KEY, state, taken, TINY, TINY, jnp.arange(1)
    )
    chex.assert_trees_all_equal_shapes(moved, state)


def test_what_is_taken_is_chosen():
    network = whitebox.network(
        LAYERS, PRESET, use_loss=False, hidden=["b", "a"], channels={"b": 3, "a": 2}
    )
    assert (network.use_output, network.use_loss, network.use_label) == (
        True,
        False,
        True,
    )
    assert network.hidden == ("b", "a")
    assert network.channels == (("a", 2), ("b", 3))
    hash(network)


@pytest.mark.parametrize(
    "preset", [PRESET, dataclasses.replace(PRESET, encodes_label=False)]
)
def test_nothing_taken_is_refused(preset):
    with pytest.raises(errors.InputError, match="nothing is taken"):
        whitebox.supervised(
            (),
            preset,
            use_output=False,
            use_loss=False,
            use_label=preset.encodes_label is False,
            hidden=(),
        )
