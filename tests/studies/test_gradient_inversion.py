"""The study of gradient inversion: its settings, its split, and what it finds."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxprivacy import data, errors
from jaxprivacy.cards import defenses
from jaxprivacy.report import progress
from jaxprivacy.studies import (
    gradient_inversion,
    inversion_attacks,
    inversion_settings,
    tradeoff_inversion,
)
from jaxprivacy.studies.inversion_settings import Case, InversionSettings

FAST = InversionSettings(
    model="mlp", mlp_widths=(96,), activation="relu", attack=("dense",), records=4
)
DIGITS = data.load("digits")


def changed(**changes):
    return dataclasses.replace(FAST, **changes)


def run(settings):
    with progress.silent(1.0) as stages:
        prepared = gradient_inversion.prepare(settings)
        return gradient_inversion.run(settings, prepared, stages, "a test")


def test_a_search_goes_by_what_its_attacker_compares():
    """The update in full, of which it looks at no entry but the last bias'."""
    settings = changed(attack=("invert_gradients",), restarts=1, iterations=3)
    made = np.zeros((2, 3)), np.zeros(3)
    known = inversion_attacks.Known(
        lambda params, x: x @ params[0] + params[1],
        made,
        lambda tree: tree[1],
        np.full(3, 1 / 3),
        np.zeros((5, 2)),
        -1.0,
        1.0,
    )
    key, x, y = jax.random.key(0), np.array([[0.3, -0.7]]), np.array([1])

    def search(compare):
        release = inversion_attacks.Release(lambda key, x, y, seen: seen, compare)
        case = Case("invert_gradients", 1, 1)
        return inversion_attacks.attack(settings, case, known, key, release)(key, x, y)

    whole, blind = (
        search(compare)
        for compare in (None, lambda made, seen: (0 * made[0], 0 * made[1] + 1e-3))
    )
    assert whole.cost < 0.5 < blind.cost
    assert not np.array_equal(whole.x, blind.x)


def test_who_inverts_knows_how_an_update_was_compressed():
    made, seen = np.array([3.0, -1.0]), np.array([2.0, 0.0])
    found = {
        name: tradeoff_inversion.compared(defenses.read(name))
        for name in ("none", "top_k:0.5", "sign", "quantised:4", "dp_sgd:8")
    }
    assert [name for name, compare in found.items() if compare is None] == [
        "none",
        "quantised:4",
        "dp_sgd:8",
    ]
    np.testing.assert_array_equal(found["top_k:0.5"](made, seen), [3, 0])
    np.testing.assert_allclose(found["sign"](made, seen), [1, -0.98], atol=0.03)


def row(report, attack):
    rows = report.result["gradient_inversion"]
    return next(row for row in rows if row["attack"] == attack)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "resnet"}, "model=resnet: accepted are mlp, cnn, lenet"),
        ({"activation": "gelu"}, "activation=gelu: accepted are sigmoid"),
        ({"attack": ("dlg", "gan")}, "attack=gan: accepted are invert_gradients"),
        ({"attack": ()}, "attack=: accepted is at least one"),
        ({"batch_size": (1, 0)}, "batch_size=0: accepted are integers"),
        ({"local_steps": (0,)}, "local_steps=0: accepted are integers"),
        ({"restarts": 0}, "restarts=0"),
        ({"records": 0}, "records=0"),
        ({"iterations": 0}, "iterations=0"),
        ({"bins": 1}, "bins=1: accepted are integers of at least 2"),
        ({"epochs": -1}, "epochs=-1"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"total_variation": -1.0}, "total_variation=-1.0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(errors.InputError, match=message):
        inversion_settings.check(changed(**changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "lenet"}, "attack=dense: accepted with model=mlp"),
        (
            {"records": 600, "batch_size": (1, 3)},
            "records=600: accepted of 1797 records are at most 592 batches of 3",
        ),
    ],
)
def test_settings_that_the_data_do_not_allow_are_refused(changes, message):
    with pytest.raises(errors.InputError, match=message):
        gradient_inversion.prepare(changed(**changes))


def test_a_table_has_no_image_model():
    table = DIGITS._replace(x=DIGITS.x.reshape(len(DIGITS.x), -1))
    settings = changed(model="lenet", attack=("dlg",))
    with pytest.raises(errors.InputError, match="model=lenet: the data is a table"):
        inversion_settings.check_data(settings, table)
    assert inversion_settings.model_name(changed(model=None), table) == "mlp"
    assert inversion_settings.model_name(changed(model=None), DIGITS) == "lenet"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"attack": ("dlg",)}, "ReLU leaves it little"),
        ({"attack": ("dlg",), "model": "cnn"}, "max-pooling, one pixel a window"),
        ({"attack": ("dlg",), "activation": "tanh"}, ""),
        ({"attack": ("dlg",), "model": "lenet", "local_steps": (1, 20)}, "20 local"),
        ({"attack": ("invert_gradients",), "batch_size": (1, 16)}, "of 16 records"),
        ({"attack": ("invert_gradients",), "epochs": 5}, "trained model's gradient"),
        ({"batch_size": (4,)}, ""),
        ({"batch_size": (4,), "activation": "tanh"}, "every neuron of tanh"),
        ({"attack": ("trap",), "local_steps": (4,)}, "the trap itself is trained"),
        ({"attack": ("trap",), "local_steps": (1,)}, ""),
    ],
)
def test_what_is_hopeless_is_said_beforehand(changes, words):
    told = inversion_settings.doubts(changed(**changes), DIGITS)
    assert len(told) == bool(words)
    assert words in "".join(told)
    assert all(sentence.endswith(".") for sentence in told)


def test_every_value_is_a_row():
    settings = changed(attack=("dlg", "trap"), batch_size=(1, 4), local_steps=(1, 2))
    cases = inversion_settings.cases(settings)
    assert len(cases) == 8 and cases[0] == Case("dlg", 1, 1)
    # What is asked for twice is run once.
    assert len(inversion_settings.cases(changed(batch_size=(1, 1)))) == 1


def test_nobody_holds_a_record_of_another():
    prepared = gradient_inversion.prepare(changed(batch_size=(1, 4)))
    parts = prepared[1:]
    assert len(prepared.attacked) == 16
    assert len(set(np.concatenate(parts))) == sum(map(len, parts))


def test_a_dense_layer_gives_single_records_away():
    report = run(changed(batch_size=(1, 2)))
    made = row(report, "dense")
    assert made["found"]["value"] == made["right_labels"]["value"] == 1
    assert made["psnr"]["value"] > 50
    assert row(report, "public_image")["psnr"]["value"] < 20
    assert made["gain"]["low"] > 20
    assert report.result["verdict"]["level"] == "severe"
    assert [p.real.shape for p in report.inversions] == [(4, 8, 8, 1), (8, 8, 8, 1)]


def test_of_a_tanh_network_a_batch_stays_hidden():
    made = row(run(changed(activation="tanh", batch_size=(8,))), "dense")
    assert made["found"]["value"] < 0.2


def test_a_trained_model_falls_into_the_trap_too():
    report = run(changed(attack=("trap",), epochs=3, batch_size=(4,)))
    assert report.result["target"]["test_accuracy"] > 0.5
    assert row(report, "trap")["found"]["value"] > 0.7


def test_binary_tables_are_judged_by_their_bits(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (200, 30)).astype(np.float32)
    np.savez(tmp_path / "table.npz", x=x, y=np.arange(200) % 3)
    report = run(changed(data=f"npz:{tmp_path / 'table.npz'}", model=None))
    made = row(report, "dense")
    assert made["right_bits"]["value"] == 1 and made["ssim"] is None
    assert not report.inversions


def test_searches_find_digits_and_labels():
    settings = changed(
        activation="sigmoid",
        mlp_widths=(32,),
        attack=("invert_gradients", "dlg"),
        iterations=150,
        restarts=1,
        records=2,
    )
    report = run(settings)
    for name in ("invert_gradients", "dlg"):
        made = row(report, name)
        guess = row(report, made["gain"]["over"])
        assert made["psnr"]["value"] > guess["psnr"]["value"] + 5, name
        assert made["right_labels"]["value"] == 1
