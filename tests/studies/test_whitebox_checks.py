"""Which records and attacks the checks take; nothing is trained."""

import dataclasses
from typing import NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.attacks.features import Features
from jaxprivacy.attacks.statistics import Statistics
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.studies import (
    attack_training,
    membership_records,
    whitebox_attacks,
    whitebox_checks,
    whitebox_views as views_lib,
)
from jaxprivacy.studies.attack_training import Positions
from jaxprivacy.studies.whitebox_settings import Variant, WhiteboxSettings
from jaxprivacy.types import Layer

COUNT = 600
LAYERS = (Layer("a", "dense", 2, True), Layer("b", "dense", 2, True))
MEMBERS = Positions(np.arange(0), np.arange(0), np.arange(100))
OTHERS = Positions(np.arange(100, 200), np.arange(200, 260), np.arange(260, 600))
LOSS = np.random.default_rng(0).normal(size=COUNT)
SETTINGS = WhiteboxSettings(
    supervision=("supervised", "unsupervised"), attack_members=(3,), seed=4
)


class Observed(NamedTuple):
    basic: Features
    y: np.ndarray


class Observer(NamedTuple):
    fit: object = lambda view, streamed=False: view
    inputs: object = lambda observation, view: observation.basic


def control(trained, *, loss=True, settings=SETTINGS):
    """Runs the control; `trained` is what its one attack network scores by."""
    features = Features(
        label=jnp.eye(2)[np.arange(COUNT) % 2],
        loss=jnp.asarray(LOSS, jnp.float32)[None, :, None],
        output=jnp.full((1, COUNT, 2), 0.5),
        hidden={},
        gradients={},
        norm=jnp.asarray(LOSS, jnp.float32)[None],
        layer_norms=jnp.asarray(np.stack([LOSS, LOSS], -1), jnp.float32)[None],
        statistics=Statistics(jnp.asarray(-LOSS)[None, :, None], None, None, {}),
    )
    views = [
        (Variant("none", "-1"), views_lib.View(False, False, (), LAYERS[1:])),
        (Variant("all", "all"), views_lib.View(loss, loss, ("b",), LAYERS)),
    ]
    asked = []

    def train(fit, key, inputs, members, non_members, advance, **options):
        asked.append((fit, members, non_members))
        return attack_training.Trained(trained, True)

    with (
        mock.patch.object(views_lib, "streams", lambda *args: False),
        mock.patch.object(attack_training, "train_attack", train),
    ):
        found = whitebox_checks.control(
            whitebox_attacks.Attacks(settings, Observer(), views, LAYERS),
            Observed(features, np.arange(COUNT) % 2),
            membership_records.Records(None, MEMBERS, OTHERS),
            jax.random.key(0),
            {"attacker": "global", "mode": "passive", "seed": 4},
            lambda share: None,
        )
    return membership_rows.control_rows(found, "standalone"), views, asked


def test_a_planted_leak_is_found_by_the_rule_and_by_one_attack():
    rows, views, [(view, members, others)] = control(-LOSS)
    assert [row["attack"] for row in rows] == ["loss_threshold", "white_box"]
    assert view == views[1][1]
    for row in rows:
        assert row["control"] == "planted" and row["planted"] == pytest.approx(
            0.7, 0.01
        )
        assert row["found"] and row["members"] == 170
    for part, first, second in zip(OTHERS, members, others, strict=True):
        assert len(first) == len(second) == len(part) // 2
        assert np.isin(np.r_[first, second], part).all()
        assert not np.isin(first, second).any()


def test_an_attack_that_sees_nothing_does_not_find_it():
    rows, *_ = control(np.random.default_rng(1).normal(size=COUNT))
    assert [row["found"] for row in rows[1:]] == [False]


def test_the_attack_sees_the_loss_and_learns_only_with_supervision():
    rows, _, [(view, *_)] = control(-LOSS, loss=False)
    assert rows[1]["attack"] == "black_box" and view == views_lib.BLACK_BOX
    settings = dataclasses.replace(SETTINGS, supervision=("unsupervised",))
    rows, _, asked = control(-LOSS, settings=settings)
    assert [row["attack"] for row in rows] == ["loss_threshold"] and not asked


def test_each_draw_of_records_is_checked_on_an_untrained_model():
    cases = [
        (seed, count, place, mode)
        for seed in (0, 1)
        for count in (2, 4)
        for place in ("global", "local")
        for mode in ("passive", "gradient_ascent")
    ]
    found = whitebox_checks.untrained_cases(cases)
    assert len(found) == 8 and {mode for *_, mode in found} == {"passive"}
    assert len({case[:3] for case in found}) == 8
    pairs = whitebox_checks.untrained_pairs(SETTINGS, ["global", "local"], "local")
    assert pairs == [("local", "local")]
    tuning = dataclasses.replace(SETTINGS, setting="finetune")
    kinds = ["base", "fine-tuning", "fresh"]
    assert whitebox_checks.untrained_pairs(tuning, kinds, "global") == [
        ("base", "fine-tuning"),
        ("base", "fresh"),
        ("fine-tuning", "fresh"),
    ]
