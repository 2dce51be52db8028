"""Each participant attacked in turn: whose records, and whose model."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxprivacy import data, errors
from jaxprivacy.studies import training, whitebox_splits, whitebox_targets
from jaxprivacy.studies.whitebox_accepted import check
from jaxprivacy.studies.whitebox_settings import WhiteboxSettings
from tests.launch import launched

SETTINGS = WhiteboxSettings(
    model="mlp",
    mlp_widths=(4,),
    setting="federated",
    victims="all",
    participants=(3,),
    members_per_participant=40,
    rounds=1,
    batch_size=20,
)


@pytest.fixture(scope="module")
def dataset():
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    return data.Dataset("noise", x, (np.arange(300) % 3).astype(np.int32), 3)


@pytest.fixture(scope="module")
def dealt(dataset):
    return whitebox_splits.split(SETTINGS, dataset, 3, seed=1)


def test_a_victim_s_own_records_are_attacked(dataset, dealt):
    first = whitebox_splits.of_victim(SETTINGS, dataset, dealt, 0, 1)
    assert first is dealt
    for victim in (1, 2):
        split = whitebox_splits.of_victim(SETTINGS, dataset, dealt, victim, 1)
        assert split.shares is dealt.shares
        members = np.concatenate(split.members["global"])
        others = np.concatenate(split.non_members["global"])
        assert np.isin(members, dealt.shares[victim]).all()
        assert np.isin(others, dealt.unheld).all()
        for kind in (members, others):
            assert len(np.unique(kind)) == len(kind)
        sizes = [list(map(len, s.members["global"])) for s in (split, dealt)]
        assert sizes[0] == sizes[1]


def test_each_victim_s_model_of_the_same_run_is_observed(dataset, dealt):
    """FedAvg: their mean is the shared model, whose accuracy is logged."""
    with launched.compiled_fast():
        trained = whitebox_targets.trainer(
            SETTINGS,
            dataset,
            whitebox_targets.Attacker(),
            [0],
            total=1,
            records=40,
        )
        models = []
        for victim in range(3):
            given = whitebox_targets.give(
                dataset, dealt.shares, dealt.unheld, dealt.unheld[:1], 0.0, victim
            )
            key = jax.random.key(0)
            seen, own = whitebox_targets.train(trained, given, key, lambda share: None)
            models.append(own)
            told = whitebox_targets.victim_accuracies(trained, given, seen)
            batch = training.batch(dataset, dealt.shares[victim])
            found = float(trained.accuracy(own, batch))
            assert told["victim_train_accuracy"] == pytest.approx(found)
        shared = jax.tree.map(lambda *parts: np.mean(parts, axis=0), *models)
        reached = float(trained.accuracy(shared, given.train))
    assert reached == pytest.approx(seen.info["train_accuracy"][0])
    kernels = [jax.tree.leaves(model)[-1] for model in models]
    assert not np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[1], kernels[2])


def test_only_a_server_attacks_one_participant_after_another():
    check(SETTINGS)
    assert list(SETTINGS.victims_of("global", 3)) == [0, 1, 2]
    assert list(SETTINGS.victims_of("local", 3)) == [0]
    first = dataclasses.replace(SETTINGS, victims="first")
    assert list(first.victims_of("global", 3)) == [0]
    for change in ({"setting": "standalone"}, {"attacker": ("local",)}):
        with pytest.raises(errors.InputError, match="^victims=all: accepted with"):
            check(dataclasses.replace(SETTINGS, **change))
    with pytest.raises(errors.InputError, match="^victims=two: accepted "):
        check(dataclasses.replace(SETTINGS, victims="two"))
