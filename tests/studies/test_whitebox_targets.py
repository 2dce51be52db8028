"""Laws of the targets: what an attacker that does nothing, or isolates, leaves."""

import dataclasses
import types

import chex
import jax
import numpy as np
import pytest

from jaxprivacy import data, errors
from jaxprivacy.studies import (
    training,
    whitebox_kept,
    whitebox_splits,
    whitebox_targets,
)
from jaxprivacy.studies.whitebox_settings import WhiteboxSettings
from jaxprivacy.studies.whitebox_targets import Attacker
from jaxprivacy.training import losses

SETTINGS = WhiteboxSettings(
    model="mlp",
    mlp_widths=(5,),
    setting="federated",
    attacker=("global", "local"),
    participants=(3,),
    members_per_participant=30,
    rounds=4,
    batch_size=8,
    learning_rate=0.2,
    learning_rate_drops=(2,),
    momentum=0.5,
    weight_decay=0.01,
)
KEY = jax.random.key(4)


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 6)).astype(np.float32)
    return data.Dataset("noise", x, (np.arange(240) % 3).astype(np.int32), 3)


@pytest.fixture(scope="module")
def split(dataset):
    return whitebox_splits.split(SETTINGS, dataset, 3, seed=1)


def trained(
    dataset,
    split,
    place,
    mode,
    rate=0.0,
    shares=None,
    settings=SETTINGS,
    rounds=(1, 3),
):
    attacker = Attacker(place, mode)
    shares = split.shares if shares is None else shares
    trainer = whitebox_targets.trainer(
        settings, dataset, attacker, rounds, total=4, records=30
    )
    attacked = np.concatenate(split.members[place])
    given = whitebox_targets.give(dataset, shares, split.unheld, attacked, rate)
    seen, _ = whitebox_targets.train(trainer, given, KEY, lambda share: None)
    return seen


@pytest.mark.parametrize("place", ["global", "local"])
def test_ascent_at_rate_zero_is_passive(dataset, split, place):
    passive = trained(dataset, split, place, "passive")
    ascent = trained(dataset, split, place, "gradient_ascent")
    chex.assert_trees_all_close(ascent.snapshots, passive.snapshots, rtol=1e-5)


@pytest.mark.parametrize("place", ["global", "local"])
def test_ascent_raises_the_targets_loss(dataset, split, place):
    passive = trained(dataset, split, place, "passive")
    ascent = trained(dataset, split, place, "gradient_ascent", rate=0.5)
    assert ascent.info["loss"][-1] > passive.info["loss"][-1]


def test_isolating_is_stand_alone_training(dataset, split):
    """Nothing of the others reaches the victim, not even their order of records."""
    isolated = trained(dataset, split, "global", "isolating")
    alone = trained(dataset, split, "global", "passive", shares=split.shares[:1])
    chex.assert_trees_all_close(isolated.snapshots, alone.snapshots, rtol=1e-5)


def test_isolating_ascent_at_rate_zero_is_isolating(dataset, split):
    isolated = trained(dataset, split, "global", "isolating")
    both = trained(dataset, split, "global", "isolating_gradient_ascent")
    chex.assert_trees_all_close(both.snapshots, isolated.snapshots, rtol=1e-5)


def test_a_local_attacker_keeps_what_it_is_sent(dataset, split):
    """The first model, then what all made of it: one step on all their records."""
    settings = dataclasses.replace(SETTINGS, batch_size=30)
    local = trained(
        dataset, split, "local", "passive", settings=settings, rounds=(0, 1)
    )
    assert local.rounds == [1, 2]
    model = whitebox_targets.model(settings, dataset)
    first = model.init(jax.random.split(KEY)[0])
    held = np.concatenate(split.shares)

    def loss(params):
        values = losses.cross_entropy(
            model.apply(params, dataset.x[held]), dataset.y[held]
        )
        return values.mean()

    gradient = jax.grad(loss)(first)
    second = jax.tree.map(lambda w, g: w - 0.2 * (g + 0.01 * w), first, gradient)
    wanted = jax.tree.map(lambda *a: np.stack(a), first, second)
    chex.assert_trees_all_close(local.snapshots, wanted, rtol=1e-4, atol=1e-6)


def test_one_participant_is_the_plain_loop(dataset, split):
    """Momentum, decay and a falling rate, one batch an epoch, written out."""
    settings = dataclasses.replace(SETTINGS, batch_size=30)
    share = split.shares[0]
    seen = trained(
        dataset, split, "global", "passive", shares=[share], settings=settings
    )
    model = whitebox_targets.model(settings, dataset)
    params = model.init(jax.random.split(KEY)[0])
    velocity = jax.tree.map(np.zeros_like, params)

    def loss(params):
        values = losses.cross_entropy(
            model.apply(params, dataset.x[share]), dataset.y[share]
        )
        return values.mean()

    kept = []
    for epoch in range(4):
        rate = 0.2 if epoch < 2 else 0.02
        gradient = jax.grad(loss)(params)
        velocity = jax.tree.map(
            lambda v, g, w: 0.5 * v + g + 0.01 * w, velocity, gradient, params
        )
        params = jax.tree.map(lambda w, v, r=rate: w - r * v, params, velocity)
        kept += [params] * (epoch in (1, 3))
    wanted = jax.tree.map(lambda *a: np.stack(a), *kept)
    chex.assert_trees_all_close(seen.snapshots, wanted, rtol=1e-4, atol=1e-6)


def test_a_drop_that_never_comes():
    settings = dataclasses.replace(SETTINGS, learning_rate_drops=(2, 2**31))
    whitebox_targets.optimizer(settings, steps_per_round=3).init({"w": np.float32(1)})


def test_optimizer_follows_the_schedule():
    descent = whitebox_targets.optimizer(SETTINGS, steps_per_round=3)
    params = {"w": np.float32(1.0)}
    state, velocity, w = descent.init(params), 0.0, 1.0
    for step in range(9):
        updates, state = descent.update({"w": np.float32(0.5)}, state, params)
        rate = 0.2 if step < 6 else 0.02
        # L2 regularisation adds to the gradient, before momentum.
        velocity = 0.5 * velocity + (0.5 + 0.01 * w)
        np.testing.assert_allclose(updates["w"], -rate * velocity, rtol=1e-5)
        w += float(updates["w"])
        params = {"w": np.float32(w)}


@pytest.mark.parametrize("place", ["global", "local"])
def test_members_were_held_by_whom_is_attacked(split, place):
    members = np.concatenate(split.members[place])
    held = split.shares[0] if place == "global" else np.concatenate(split.shares[:-1])
    assert np.isin(members, held).all()
    others = np.concatenate(split.non_members[place])
    assert not np.isin(others, np.concatenate(split.shares)).any()
    assert len(np.unique(members)) == len(members) == len(others)


def test_fine_tuning_kinds_are_disjoint(dataset):
    settings = WhiteboxSettings(setting="finetune", members_per_participant=100)
    split = whitebox_splits.split(settings, dataset, 1, seed=0)
    base, tuning = split.shares
    assert (len(base), len(tuning)) == (60, 40)
    kinds = {kind: np.concatenate(sets) for kind, sets in split.members.items()}
    assert np.isin(kinds[whitebox_splits.BASE], base).all()
    assert np.isin(kinds[whitebox_splits.FINE_TUNING], tuning).all()
    assert np.isin(kinds[whitebox_splits.FRESH], split.unheld).all()


def test_both_sizes_are_kept_in_fine_tuning(dataset):
    """Each kind is a pair's first, with 6 records to learn from, or second, with 9."""
    settings = WhiteboxSettings(
        setting="finetune",
        members_per_participant=100,
        attack_members=(6,),
        attack_non_members=(9,),
        evaluation_records=10,
    )
    split = whitebox_splits.split(settings, dataset, 1, seed=0)
    for sets in split.members.values():
        assert (len(sets.attack_train), len(sets.evaluation)) == (9, 10)
        assert len(np.unique(np.concatenate(sets))) == sum(map(len, sets))


def test_what_is_told_of_fine_tuning_counts_each_record_once(dataset):
    settings = WhiteboxSettings(setting="finetune", members_per_participant=100)
    split = whitebox_splits.split(settings, dataset, 1, seed=0)
    told = {name: count for name, count, _ in whitebox_splits.counts(split)}
    for kind, sets in split.members.items():
        assert told[f"{kind}, evaluation"] == len(sets.evaluation)


@pytest.mark.parametrize(
    ("mode", "rate", "named"),
    [
        ("passive", 0.0, "learning_rate=1e\\+30"),
        ("gradient_ascent", np.inf, "ascent_rate=inf"),
    ],
)
def test_divergence_names_the_rate(dataset, split, mode, rate, named):
    settings = dataclasses.replace(
        SETTINGS, learning_rate=0.2 if rate else 1e30, learning_rate_drops=()
    )
    with pytest.raises(errors.InputError, match=f"^{named}.*diverges"):
        trained(dataset, split, "global", mode, rate, settings=settings)


def test_finite_weights_that_overflow_are_a_divergence():
    good = types.SimpleNamespace(
        loss=np.ones(3), output=np.ones((3, 2)), norm=np.ones(3)
    )
    whitebox_targets.check_observed(SETTINGS, good)
    for name in ("loss", "output", "norm"):
        bad = types.SimpleNamespace(**vars(good) | {name: np.array([1, np.nan])})
        with pytest.raises(training.Diverged, match="^learning_rate=0.2: .*diverges"):
            whitebox_targets.check_observed(SETTINGS, bad)
        with pytest.raises(training.Diverged, match="^ascent_rate=3: .*diverges"):
            whitebox_targets.check_observed(SETTINGS, bad, ascent_rate=3.0)
        imported = dataclasses.replace(SETTINGS, import_target="here")
        with pytest.raises(errors.InputError, match="^import_target=here: ") as error:
            whitebox_targets.check_observed(imported, bad)
        assert not isinstance(error.value, training.Diverged)  # No rate is left out.


def identity(split, **changed):
    trainer = whitebox_targets.Trainer(None, None, [1], 2, 0.1, None)
    options = {"data": "", "shares": split.shares, "seed": 0, "case": ("passive",)}
    return whitebox_kept.identity(SETTINGS, trainer, **{**options, **changed})


def test_a_kept_target_is_of_these_records(split):
    """As many others, or the same ones of another ascent, are another target."""
    assert identity(split) == identity(split)
    swapped = [split.shares[1], split.shares[0], split.shares[2]]
    assert identity(split, shares=swapped) != identity(split)
    global_, local = (
        [np.concatenate(split.members[place])] for place in ("global", "local")
    )
    assert identity(split, others=global_) != identity(split, others=local)


def test_a_folder_of_targets_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in ("file", "file/inside"):
        with pytest.raises(errors.InputError, match="^targets=.*: cannot be used"):
            whitebox_kept.usable(str(tmp_path / folder))
    whitebox_kept.usable(str(tmp_path / "new" / "folder"))


def test_a_damaged_target_is_named(tmp_path, split):
    described = identity(split)
    kept = whitebox_kept.kept(str(tmp_path), described, {}, print)
    kept.save(1, {"a": np.zeros(2)})
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with pytest.raises(errors.InputError, match="^targets=.* cannot be restored"):
        kept.restore(lambda done: {"a": jax.ShapeDtypeStruct((2,), np.float32)})


def test_more_participants_than_records(dataset):
    settings = dataclasses.replace(SETTINGS, members_per_participant=None)
    with pytest.raises(errors.InputError, match="^participants=10000000: .* 120$"):
        whitebox_splits.split(settings, dataset, 10**7, seed=0)
