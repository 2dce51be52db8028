import dataclasses

import pytest

from jaxprivacy import errors
from jaxprivacy.models import attack_presets
from jaxprivacy.studies import whitebox_accepted, whitebox_parts, whitebox_settings
from jaxprivacy.studies.whitebox_settings import Size, Variant, WhiteboxSettings


@pytest.mark.parametrize(
    ("text", "rounds", "found"),
    [
        ("1", 10, [9]),
        ("5", 40, [7, 15, 23, 31, 39]),
        ("3,", 10, [2]),
        ("2,4,10", 10, [1, 3, 9]),
        ("10", 10, list(range(10))),
    ],
)
def test_observed(text, rounds, found):
    assert whitebox_settings.observed(text, rounds) == found


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "11",
        "2,2",
        "4,2",
        "0,3",
        "5,11",
        "a",
        "",
        ",",
        "1.5",
        "-1",
        "3,x",
        "9" * 5000,
    ],
)
def test_observed_is_refused(text):
    with pytest.raises(errors.InputError, match=f"^observed_rounds={text}: "):
        whitebox_settings.observed(text, 10)


def test_values_of_layers_and_gradients_go_pair_by_pair():
    settings = WhiteboxSettings(layers=("-1", "none"), gradients=("none", "-1"))
    assert settings.variants() == [Variant("-1", "none"), Variant("none", "-1")]
    one = WhiteboxSettings(layers=("-1", "-2"), gradients=("none",))
    assert one.variants() == [Variant("-1", "none"), Variant("-2", "none")]


def test_sizes_go_pair_by_pair():
    assert WhiteboxSettings().attack_sizes() == [Size(None, None)]
    settings = WhiteboxSettings(attack_members=(5, 6), attack_non_members=(7,))
    assert settings.attack_sizes() == [Size(5, 7), Size(6, 7)]


def test_a_participant_isolates_nobody():
    settings = WhiteboxSettings(
        attacker=whitebox_parts.ATTACKERS, mode=whitebox_parts.MODES
    )
    assert settings.attackers() == [
        ("global", "passive"),
        ("global", "gradient_ascent"),
        ("global", "isolating"),
        ("global", "isolating_gradient_ascent"),
        ("local", "passive"),
        ("local", "gradient_ascent"),
    ]


def test_rates_are_for_ascent_only():
    settings = WhiteboxSettings(ascent_rate=(1.0, 2.0))
    for mode in ("gradient_ascent", "isolating_gradient_ascent"):
        assert settings.rates(mode) == (1.0, 2.0)
    for mode in ("passive", "isolating"):
        assert settings.rates(mode) == (0.0,)


def test_what_is_changed_of_the_preset():
    preset = WhiteboxSettings(attack_epochs=3, attack_learning_rate=0.5).attack_preset()
    assert (preset.epochs, preset.learning_rate, preset.gradient_kernels) == (
        3,
        0.5,
        10,
    )
    assert preset.least_steps == 0
    assert WhiteboxSettings().attack_preset().least_steps == 1000


def test_only_table_xivs_kernels_are_fewer():
    kernels = {
        name: WhiteboxSettings(preset=name).attack_preset().gradient_kernels
        for name in attack_presets.PRESETS
    }
    assert kernels == {
        "anchored": 10,
        "table-xiv": 10,
        "authors-2019": 100,
        "ml-privacy-meter-0.1": 100,
    }
    asked = WhiteboxSettings(gradient_kernels=1000).attack_preset()
    assert asked.gradient_kernels == 1000


def test_the_defaults_are_accepted():
    whitebox_accepted.check(WhiteboxSettings())


FEDERATED = {"setting": "federated"}
REFUSED = [
    ("model", {"model": "vgg"}),
    ("setting", {"setting": "central"}),
    ("attacker", {"attacker": ("server",)}),
    ("attacker", {"attacker": ()}),
    ("mode", {"mode": ("active",)}),
    ("mode", {"mode": ("passive", "passive")}),
    ("supervision", {"supervision": ("none",)}),
    ("optimizer", {"optimizer": "lion"}),
    ("normalisation", {"normalisation": "layer"}),
    ("preset", {"preset": "table-xv"}),
    ("rounds", {"rounds": 0}),
    ("shadows", {"shadows": 0}),
    ("shadows", {"shadows": 1, "supervision": ("shadow",)}),
    ("seeds", {"seeds": 0}),
    ("seed", {"seed": 2**32}),
    ("seed", {"seed": 2**32 - 1, "seeds": 2}),
    ("learning_rate", {"learning_rate": 0.0}),
    ("attack_learning_rate", {"attack_learning_rate": -1.0}),
    ("weight_decay", {"weight_decay": -0.1}),
    ("momentum", {"momentum": 1.0}),
    ("fine_tuning_fraction", {"fine_tuning_fraction": 1.0}),
    ("participants", {"participants": ()}),
    ("participants", {"participants": (0,), **FEDERATED}),
    ("participants", {"participants": (1,), "attacker": ("local",), **FEDERATED}),
    ("mlp_widths", {"mlp_widths": (3, 0)}),
    ("ascent_rate", {"ascent_rate": ()}),
    ("ascent_rate", {"ascent_rate": (0.1, 0.0)}),
    ("observed_rounds", {"observed_rounds": ("41",)}),
    ("observed_rounds", {"observed_rounds": ()}),
    ("layers", {"layers": ()}),
    ("gradients", {"gradients": ("all",) * 3, "layers": ("all",) * 2}),
    ("attack_non_members", {"attack_members": (1, 2), "attack_non_members": (1, 2, 3)}),
    ("feature_batch", {"feature_batch": 0}),
    ("feature_memory", {"feature_memory": 0.0}),
    ("learning_rate_drops", {"learning_rate_drops": (0,)}),
    ("mode", {"mode": ("gradient_ascent",)}),
    ("mode", {"attacker": ("local",), "mode": ("isolating",), **FEDERATED}),
    ("supervision", {"supervision": ("shadow",), **FEDERATED}),
    ("supervision", {"supervision": ("unsupervised",), "setting": "finetune"}),
    ("observed_rounds", {"observed_rounds": ("5",), "setting": "finetune"}),
    ("participants", {"participants": (1,), "mode": ("isolating",), **FEDERATED}),
    ("rounds", {"rounds": 2**31}),
    ("mlp_widths", {"mlp_widths": (8, 2**16 + 1)}),
    ("gradient_kernels", {"gradient_kernels": 2**16 + 1}),
    ("fine_tuning_rounds", {"fine_tuning_rounds": 2**31}),
    ("export_target", {"export_target": "new", "import_target": "old"}),
    ("local_epochs", {"local_epochs": 2**16 + 1}),
    ("participants", {"participants": (2, 2), **FEDERATED}),
    ("ascent_rate", {"ascent_rate": (0.1, 0.1)}),
    ("observed_rounds", {"observed_rounds": ("1", "40,")}),
    ("attack_members", {"attack_members": (5, 5), "attack_non_members": (6,)}),
    ("layers", {"layers": ("all",) * 2, "gradients": ("-1",) * 2}),
    (
        "ascent_rate",
        {"supervision": ("unsupervised",), "mode": ("gradient_ascent",), **FEDERATED},
    ),
]


@pytest.mark.parametrize(("flag", "changed"), REFUSED)
def test_bad_settings_are_refused(flag, changed):
    settings = dataclasses.replace(WhiteboxSettings(), **changed)
    with pytest.raises(errors.InputError, match=f"^{flag}.*: .*accepted") as error:
        whitebox_accepted.check(settings)
    assert "\n" not in str(error.value)
