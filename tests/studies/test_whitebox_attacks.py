"""What attacks take of a target, and what they do not see."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import data, errors
from jaxprivacy.attacks import features as features_lib, whitebox
from jaxprivacy.evaluation import membership, membership_rows
from jaxprivacy.programs import checkpoint
from jaxprivacy.studies import (
    membership_records,
    training,
    whitebox_attacks,
    whitebox_shadows,
    whitebox_splits,
    whitebox_targets as targets,
    whitebox_views as views,
)
from jaxprivacy.studies.attack_training import Positions, Trained
from jaxprivacy.studies.whitebox_settings import Size, Variant, WhiteboxSettings
from jaxprivacy.targets import layers as layers_lib

SETTINGS = WhiteboxSettings(
    model="mlp",
    mlp_widths=(6, 5),
    members_per_participant=60,
    supervision=("unsupervised",),
    gradient_kernels=2,
    attack_epochs=10,
    shadows=3,
    rounds=2,
)
RNG = np.random.default_rng(0)
NEXT = {"Dense_0": "Dense_1", "Dense_1": "Dense_2", "Dense_2": None}


@pytest.fixture(scope="module")
def dataset():
    x = RNG.normal(size=(200, 4)).astype(np.float32)
    return data.Dataset("noise", x, (np.arange(200) % 3).astype(np.int32), 3)


@pytest.fixture(scope="module")
def model(dataset):
    return targets.model(SETTINGS, dataset)


@pytest.fixture(scope="module")
def layers(model, dataset):
    params = jax.eval_shape(model.init, jax.random.key(0))
    return layers_lib.layers(model.apply, params, dataset.x[:1])


@pytest.fixture(scope="module")
def snapshots(model):
    return jax.vmap(model.init)(jax.random.split(jax.random.key(1), 2))


@pytest.fixture(scope="module")
def split(dataset):
    return whitebox_splits.split(SETTINGS, dataset, 1, seed=0)


@pytest.fixture(scope="module")
def records(dataset, split):
    return whitebox_attacks.gather(
        dataset, split.members["global"], split.non_members["global"]
    )


def observer(model, view, memory):
    return views.observer(
        model,
        [view],
        SETTINGS.attack_preset(),
        channels={},
        feature_batch=16,
        memory=memory,
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("all", [0, 1, 2]),
        ("none", []),
        ("-1", [2]),
        ("-3,-1", [0, 2]),
        ("Dense_1", [1]),
        ("Dense_1,-2", [1]),
    ],
)
def test_chosen_layers(layers, text, found):
    assert views.chosen("layers", text, layers) == found


@pytest.mark.parametrize("text", ["", "-4", "0", "3", "Dense_9", "all,-1"])
def test_layers_that_are_not_there(layers, text):
    with pytest.raises(errors.InputError, match=f"^layers={text}: accepted are all"):
        views.chosen("layers", text, layers)


def test_an_output_is_what_the_next_layer_takes_in(layers):
    view = views.view(Variant("-1,-2", "-1"), layers, NEXT)
    assert view == views.View(True, True, ("Dense_2",), (layers[2],))
    inner = views.view(Variant("Dense_0", "none"), layers, NEXT)
    assert inner == views.View(False, False, ("Dense_1",), ())
    told = views.view(Variant("Dense_0", "none"), layers, NEXT, loss=True)
    assert told == inner._replace(loss=True)


def test_two_layers_whose_outputs_join_are_seen_once(layers):
    joined = NEXT | {"Dense_0": "Dense_2"}
    view = views.view(Variant("all", "none"), layers, joined)
    assert view == views.View(True, True, ("Dense_2",), ())


def test_an_output_that_goes_nowhere(layers):
    with pytest.raises(errors.InputError, match="^layers=-2: no layer .* Dense_1"):
        views.view(Variant("-2", "none"), layers, NEXT | {"Dense_1": None})


def test_kept_and_computed_features_are_the_same(model, layers, snapshots, dataset):
    view = views.view(Variant("all", "all"), layers, NEXT)
    x, y = dataset.x[:48], dataset.y[:48]
    taken, known = [], np.arange(32)
    for memory in (1e9, 0.0):
        watch = observer(model, view, memory)
        seen = watch.observe(snapshots, x, y)
        streamed = views.streams(seen, view)
        assert streamed == (memory == 0)
        inputs = watch.fit(view, streamed).normalise(watch.inputs(seen, view), known)
        take = features_lib.take
        if streamed:
            batch = features_lib.extractor(
                model, hidden=view.hidden, gradients=view.gradients
            )
            take = features_lib.computing_take(batch)
        taken.append(take(inputs, jnp.array([3, 47, 20])))
    kept, computed = map(jax.tree.leaves, taken)
    assert len(kept) > 8
    for a, b in zip(kept, computed, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_both_give_the_same_scores(model, layers, snapshots, dataset):
    view = views.view(Variant("-1", "-1"), layers, NEXT)
    scores = []
    for memory in (1e9, 0.0):
        watch = observer(model, view, memory)
        seen = watch.observe(snapshots, dataset.x[:48], dataset.y[:48])
        fit = watch.fit(view, views.streams(seen, view))
        inputs = fit.normalise(watch.inputs(seen, view), np.arange(32))
        known = whitebox.Examples(jnp.arange(16), jnp.arange(16, 32))
        state, _ = fit.init(jax.random.key(0), inputs, known, known)
        scores.append(fit.score(state.params, inputs, jnp.arange(48)))
    np.testing.assert_allclose(*scores, rtol=1e-4)


def by_record(scored, records):
    """All scores of the evaluation, by the record's place."""
    found = np.full(len(records.batch.y), np.nan)
    found[records.members.evaluation] = scored.scores.evaluation_members
    found[records.non_members.evaluation] = scored.scores.evaluation_non_members
    return found


def test_the_unsupervised_attack_sees_no_membership_label(
    model, layers, snapshots, dataset, records
):
    """Shuffled labels of membership: every record keeps its score, to the bit."""
    variant = Variant("-1", "-1")
    view = views.view(variant, layers, NEXT)
    watch = observer(model, view, 1e9)
    settings = dataclasses.replace(SETTINGS, null_checks=False)
    attacks = whitebox_attacks.Attacks(settings, watch, [(variant, view)], layers)
    seen = watch.observe(snapshots, records.batch.x, records.batch.y)

    def shuffled(name):
        both = np.concatenate([getattr(kind, name) for kind in records[1:3]])
        return np.split(np.random.default_rng(5).permutation(both), 2)

    changed = zip(*(shuffled(name) for name in Positions._fields), strict=True)
    other = records._replace(
        **dict(
            zip(
                ("members", "non_members"),
                (Positions(*k) for k in changed),
                strict=True,
            )
        )
    )
    assert not np.array_equal(other.members.evaluation, records.members.evaluation)
    row = {"attacker": "global", "mode": "passive"}
    first, second = (
        whitebox_attacks.attack(
            attacks, seen, these, jax.random.key(2), row, lambda share: None
        )[-1]
        for these in (records, other)
    )
    assert first.row["attack"] == "unsupervised"
    np.testing.assert_array_equal(by_record(first, records), by_record(second, other))


def test_null_checks_use_non_members_alone(records):
    first, second = membership_records.null_pair(records)
    for a, b, whole in zip(first, second, records.non_members, strict=True):
        assert not np.isin(a, b).any()
        assert np.isin(np.concatenate([a, b]), whole).all()


def test_shadows_own_no_record_that_is_judged(dataset, split):
    judged = np.concatenate(
        [
            np.concatenate(kind[1:])
            for kind in (split.members["global"], split.non_members["global"])
        ]
    )
    free, overlapping = whitebox_shadows.pool(dataset, split, each=20)
    assert not overlapping
    assert np.isin(free, split.unheld).all()
    many, overlapping = whitebox_shadows.pool(dataset, split, each=60)
    assert overlapping
    assert np.isin(many, split.shares[0]).any()
    for owned in (free, many):
        assert not np.isin(owned, judged).any()


def test_the_computed_scale_is_of_both_kinds(model, layers, snapshots, dataset):
    """All but a few records set it, though they are no multiple of a batch."""
    view = views.view(Variant("all", "all"), layers, NEXT)
    x, y = dataset.x[:31], dataset.y[:31]
    x = np.concatenate([x[:16] * 1e-3, x[16:]])  # The last ones are the large ones.
    scales = []
    for memory in (1e9, 0.0):
        watch = observer(model, view, memory)
        seen = watch.observe(snapshots, x, y)
        fit = watch.fit(view, views.streams(seen, view))
        normalised = fit.normalise(watch.inputs(seen, view), np.arange(31))
        scales.append(np.asarray(normalised.scales.scale.hidden["Dense_1"]))
    np.testing.assert_allclose(*scales, rtol=0.1)


def test_kept_features_are_scaled_without_a_copy(model, layers, snapshots, dataset):
    view = views.view(Variant("all", "all"), layers, NEXT)
    watch = observer(model, view, 1e9)
    seen = watch.observe(snapshots, dataset.x[:8], dataset.y[:8])
    scaled = watch.fit(view, False).normalise(watch.inputs(seen, view), np.arange(4))
    kept = jax.tree.leaves(seen.kept)
    arrays = jax.tree.leaves(scaled._replace(scales=()))
    assert len(arrays) == len(kept)
    assert all(a is b for a, b in zip(arrays, kept, strict=True))
    assert jax.tree.leaves(scaled.scales)


def test_shadow_attack_needs_features_that_are_kept(model, layers, dataset, split):
    view = views.view(Variant("all", "all"), layers, NEXT)
    params = jax.eval_shape(model.init, jax.random.key(0))
    each = views.record_bytes(model, [view], params, dataset.x)
    seen = observer(model, view, 1e9).observe(
        jax.vmap(model.init)(jax.random.split(jax.random.key(1), 1)),
        dataset.x[:10],
        dataset.y[:10],
    )
    assert 10 * each == sum(a.nbytes for a in jax.tree.leaves(seen.kept))
    whitebox_shadows.check_memory(SETTINGS, split, each)
    small = dataclasses.replace(SETTINGS, feature_memory=1e-6)
    with pytest.raises(errors.InputError, match="^feature_memory=1e-06: .*accepted"):
        whitebox_shadows.check_memory(small, split, each)


def test_an_unsupervised_attack_that_diverges_is_named(
    model, layers, snapshots, records
):
    variant = Variant("-1", "-1")
    view = views.view(variant, layers, NEXT)
    settings = dataclasses.replace(SETTINGS, attack_learning_rate=1e30)
    watch = views.observer(
        model,
        [view],
        settings.attack_preset(),
        channels={},
        feature_batch=16,
        memory=1e9,
    )
    attacks = whitebox_attacks.Attacks(settings, watch, [(variant, view)], layers)
    seen = watch.observe(snapshots, records.batch.x, records.batch.y)
    with pytest.raises(errors.InputError, match="^attack_learning_rate=1e.30: "):
        whitebox_attacks.attack(
            attacks,
            seen,
            records,
            jax.random.key(2),
            {"attacker": "global", "mode": "passive"},
            lambda share: None,
        )


def test_null_checks_learn_from_as_many_records_as_the_attack(records):
    learned = []

    def score(members, non_members, which, advance):
        learned.append((len(members.train), len(non_members.train)))
        return Trained(np.zeros(len(records.batch.y)), True)

    score = whitebox_attacks.sized(score, Size(5, 7))
    membership_records.scored({}, records, score, lambda share: None)
    assert learned == [(5, 7), (5, 7)]


@pytest.mark.parametrize("biased", [pytest.param(False, marks=pytest.mark.slow), True])
def test_members_that_were_sampled_otherwise_are_seen_without_training(
    model, layers, dataset, split, biased
):
    """The check among non-members cannot see it: it holds in both cases."""
    x = dataset.x.copy()
    if biased:
        x[split.shares[0]] *= 5
    records = whitebox_attacks.gather(
        dataset._replace(x=x), split.members["global"], split.non_members["global"]
    )
    view = views.view(Variant("all", "all"), layers, NEXT)
    attacks = whitebox_attacks.Attacks(
        SETTINGS, observer(model, view, 1e9), [(Variant("all", "all"), view)], layers
    )
    row = {"attacker": "global", "mode": "passive"}
    found = whitebox_attacks.on_untrained(
        attacks, model, records, jax.random.key(3), row, lambda share: None
    )
    _, checked = membership_rows.rows([], "standalone", found)
    held = {row["attack"]: membership.null_holds(row) for row in checked}
    assert set(held) == {
        "loss_threshold",
        "confidence",
        "gradient_norm",
        "unsupervised",
    }
    assert all(row["target"] == "untrained" for row in checked)
    assert all(held.values()) != biased
    assert held["gradient_norm"] != biased


class Stopped(Exception):
    """What a training that is interrupted ends with."""


def test_interrupted_shadows_go_on_to_the_same_numbers(
    dataset, split, records, layers, model, tmp_path
):
    view = views.view(Variant("-1", "none"), layers, NEXT)
    settings = dataclasses.replace(SETTINGS, rounds=4)
    asked = []

    def trained(advance, kept=True):
        def place(shares):
            asked.append(shares)
            folder = tmp_path / str(len(shares))
            return checkpoint.checkpoint(folder, "") if kept else None

        eye, key = observer(model, view, 1e9), jax.random.key(5)
        given = settings, dataset, split, records, eye, key, 0, advance, place
        return whitebox_shadows.train(*given).observations

    def stop(share):
        raise Stopped

    with pytest.raises(Stopped):
        trained(stop)
    assert [path.name for path in (tmp_path / str(settings.shadows)).iterdir()] == ["1"]
    told = []
    expected, found = trained(told.append, kept=False), trained(told.append)
    assert told == [1 / 4] * 8
    again = []
    complete = trained(again.append)
    assert again == [1.0]  # Nothing is trained.
    leaves = [jax.tree.leaves(given) for given in (expected, found, complete)]
    for a, b, c in zip(*leaves, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    each = {tuple(map(tuple, shares)) for shares in asked}
    assert len(each) == 1  # They are told what they train on, the same each time.


def test_a_shadow_is_trained_like_the_plain_loop(
    dataset, split, records, layers, model
):
    """All shadows in one program, in chunks of rounds, are each of them alone."""
    settings = dataclasses.replace(SETTINGS, rounds=3)
    view = views.view(Variant("-1", "none"), layers, NEXT)
    told = []
    shadows = whitebox_shadows.train(
        settings,
        dataset,
        split,
        records,
        observer(model, view, 1e9),
        jax.random.key(5),
        0,
        told.append,
    )
    assert sum(told) == pytest.approx(1)
    owned, _ = whitebox_shadows.pool(dataset, split, len(split.shares[0]))
    each = min(len(split.shares[0]), len(owned) // 2)
    rng = np.random.default_rng([0, settings.shadows])
    draws = [rng.permutation(owned)[: 2 * each] for _ in range(settings.shadows)]
    role = targets.participant(settings, model, each)
    keys = jax.random.split(jax.random.key(5), settings.shadows)
    for key, draw, seen in zip(keys, draws, shadows.observations, strict=True):
        key_init, key_rounds = jax.random.split(key)
        data = jax.tree.map(lambda a: a[0], training.stack(dataset, [draw[:each]]))
        params = model.init(key_init)
        state = role.init(key_init, params, data)
        for index in range(3):
            key_round = jax.random.fold_in(key_rounds, index)
            state, update, _ = jax.jit(role.step)(key_round, state, params, data)
            params = jax.tree.map(jnp.add, params, update)
        for a, b in zip(
            jax.tree.leaves(params), jax.tree.leaves(seen.snapshots), strict=True
        ):
            np.testing.assert_allclose(a, b[0], rtol=1e-4, atol=1e-6)
