"""The judge of reconstructions has seen nothing that a participant holds.

By stubs that write down what they are given; nothing is trained.
"""

from unittest import mock

import jax
import numpy as np
import pytest

from jaxprivacy import data, types
from jaxprivacy.report.progress import Stages
from jaxprivacy.studies import (
    audit,
    collaboration,
    gan_attack,
    judge,
    seats,
    sweep,
    sweep_baselines,
)
from jaxprivacy.studies.settings import GanSettings, Settings

KEY = jax.random.key(0)
STAGES = Stages(lambda name, weight: None, lambda share: None)


class Asked(Exception):
    """What a stub was given."""


def ask(*args, **options):
    """A stub that ends the run by what it was given."""
    raise Asked(*args)


def images(count=120, classes=4):
    """An image is grey, of a level that tells its place."""
    levels = np.arange(count, dtype=np.float32) / count
    x = np.tile(levels[:, None, None, None], (1, 4, 4, 1))
    return data.Dataset("grey", x, (np.arange(count) % classes).astype(np.int32), 4)


def test_the_judge_learns_from_the_records_it_is_given_and_from_no_other():
    grey, learns, unseen = images(), np.arange(10, 50), np.arange(50, 120)
    given = []

    def sgd(gradient, optimizer, **options):
        def train(key, params, state, batch):
            given.append(batch)
            return params, state, np.zeros(())

        return train

    with (
        mock.patch.object(judge.local, "sgd", sgd),
        mock.patch.object(jax, "jit", lambda function, **options: function),
        mock.patch.object(
            judge.targets, "as_model", lambda *args: types.Model(lambda key: (), None)
        ),
        mock.patch.object(
            judge,
            "_looking",
            lambda *args: lambda x: judge.Seen(np.zeros((len(x), 5)), x[:, 0, 0], x),
        ),
    ):
        judged_by = judge.train_judge(grey, learns, unseen, KEY, lambda share: None)
    assert len(given) == judge.CHUNKS
    for batch in given:
        np.testing.assert_array_equal(batch.x, grey.x[learns])
        np.testing.assert_array_equal(batch.y, grey.y[learns])
    assert judged_by.accuracy == np.mean(grey.y[unseen] == 0)


GAN = GanSettings(model="mlp", mlp_widths=(3,), compare=(), held_fraction=0.6)


def collaborative_run(settings, dataset):
    return lambda *args: collaboration.Attacked(None, None, None, {})


def gan_study(grey):
    prepared = gan_attack.prepare_seats(GAN, grey)
    gan_attack.run(GAN, prepared, STAGES, "")


def audit_study(grey):
    held = np.random.default_rng(3).permutation(len(grey.y))[:70]
    who = seats.seats(grey, held, participants=2, target_class=0, seed=0)
    audit._reconstruction(Settings(participants=2), grey, who, KEY, STAGES, [])


def sweep_of_classes(grey):
    points = [
        sweep.Point(cell, "gan", gan_attack.prepare_seats(cell, grey).seats)
        for cell in sweep.expand(GAN, {"target_class": (0, 2)})
    ]
    sweep_baselines.judges(grey, points, STAGES.advance)


@pytest.mark.parametrize("study", [gan_study, audit_study, sweep_of_classes])
def test_studies_give_the_judge_nothing_that_a_participant_holds(study):
    """Nor an image of the row `real`, which it judges; its accuracy is on the held."""
    dealt = []

    def deal(*args, **options):
        dealt.append(seats_of(*args, **options))
        return dealt[-1]

    seats_of = seats.seats
    with (
        mock.patch.object(seats, "seats", deal),
        mock.patch.object(collaboration, "collaborative_run", collaborative_run),
        mock.patch.object(judge, "train_judge", ask),
        pytest.raises(Asked) as asked,
    ):
        study(images())
    _, learns, unseen, *_ = asked.value.args
    assert dealt and len(learns) > 20
    for who in dealt:
        held = np.concatenate([*who.honest, who.adversary])
        for kept in (held, who.private, who.real):
            assert len(kept) and not np.isin(learns, kept).any()
        np.testing.assert_array_equal(np.sort(unseen), np.sort(held))
